"""The fate of a revision's functions and classes, on sources that are written out here."""

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "house.py"


def test_definitions_are_followed_by_name():
    first = {
        "a.py": "def kept():\n    return 1\n\n\ndef gone():\n    def inner():\n        pass\n",
        "b.py": "class Moved:\n    x = 1\n    y = 2\n\n\ndef _text():\n    pass\n",
        "constants.py": "A = 1\n",
    }
    last = {
        "a.py": "def kept():\n    x = 1\n    return x\n\n\nclass Moved:\n    x = 1\n",
        "new.py": "def added():\n    pass\n",
        "other.py": "def _text():\n    pass\n\n\ndef _text():\n    pass\n\n\ndef also():\n    pass\n",
    }
    assert runpy.run_path(str(SCRIPT))["succession"](first, last) == [
        ("functions and classes that the first revision defined", 4, 3),
        ("… files that define them", 2, 2),
        ("… the public ones among them", 3, 2),
        ("… files that define the public ones", 2, 1),
        ("… lines of those that still exist", 2 + 3 + 2, 3 + 2 + 4),
        ("functions and classes that were added since", 0, 2),
        ("… lines of those", 0, 4),
        ("… files that define no older ones", 0, 1),
    ]
