"""Printing to the terminal."""

import sys

from rich.console import Console, RenderableType


def say(text: str, *, aside: bool = False) -> None:
    """Prints a line unchanged, without colours or additional line breaks.

    Args:
        text: The line.
        aside: Whether it is a remark, which goes to the error stream and leaves the output unchanged.
    """
    # A name that is not in the file system's encoding holds characters that cannot be written.
    text = text.encode("utf-8", "backslashreplace").decode()
    Console(stderr=aside).print(text, markup=False, highlight=False, soft_wrap=True)


def say_deprecated(option: str, kind: str) -> None:
    """Prints that a maintainers' option has moved to a script.

    Args:
        option: The option as on the command line.
        kind: The script's word for its output.
    """
    say(f"{option} is deprecated: use `python scripts/document_tables.py {kind} RESULTS.json DOCUMENT.md`.", aside=True)


def print_table(table: RenderableType, width: int | None = None) -> None:
    """Prints a table.

    Args:
        table: A table of the library rich.
        width: Width in characters if the output is not a terminal, which has its own; 80 if not given.
    """
    Console(width=None if sys.stdout.isatty() else width).print(table)
