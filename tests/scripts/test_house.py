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
        ("functions and classes of then", 4, 3),
        ("… in files", 2, 2),
        ("… the public ones", 3, 2),
        ("… the public ones in files", 2, 1),
        ("… lines of those that still exist", 2 + 3 + 2, 3 + 2 + 4),
        ("functions and classes added since", 0, 2),
        ("… lines", 0, 4),
        ("… in files that hold none of then", 0, 1),
    ]
