"""What commands print."""

import sys

from rich.console import Console, RenderableType


def say(text: str) -> None:
    """Prints a line as it is: no colours, no line breaks of its own."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def print_table(table: RenderableType, width: int | None = None) -> None:
    """Prints a table.

    Args:
        table: Of rich.
        width: Characters where the output is no terminal, which has its own width; 80 if not given.
    """
    Console(width=None if sys.stdout.isatty() else width).print(table)
