"""Writes the table of extras, from setup.cfg, between the markers of a document.

python scripts/extras_table.py docs/install.md
"""

import configparser
import re
import sys
from pathlib import Path

from gesturehand.extras import EXTRAS
from gesturehand.markdown import SUMMARY_MARKERS, write_between_markers

REPOSITORY = Path(__file__).parents[1]


def packages_of_extras() -> dict[str, list[str]]:
    """The packages that each extra in setup.cfg installs, without the versions."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    lines = {name: text.split() for name, text in setup["options.extras_require"].items()}
    return {name: [re.split(r"[<>=~!\[]", line)[0] for line in packages] for name, packages in lines.items()}


def main() -> None:
    document = Path(sys.argv[1])
    packages = packages_of_extras()
    rows = [f"| `{name}` | {text} | {', '.join(packages[name])} |\n" for name, text in EXTRAS.items()]
    source = f"<!-- written by `python scripts/extras_table.py {document}` -->\n"
    write_between_markers(
        document, f"{source}| extra | for | installs |\n|---|---|---|\n{''.join(rows)}", SUMMARY_MARKERS
    )


if __name__ == "__main__":
    main()
