"""Markdown: tables, and the part of a document that a command writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gesturehand.errors import UserError
from gesturehand.file_writing import write_text

#: The lines of a document between which a summary is kept.
SUMMARY_MARKERS: Final = ("<!-- summary:begin -->", "<!-- summary:end -->")


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, the first left, the others right.

    Args:
        rows: Cells, the heading first.

    Example:
        >>> print(markdown_table([["hand", "mm"], ["right", "9.5"]]), end="")
        | hand  |  mm |
        | :---- | --: |
        | right | 9.5 |
    """
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def write_between_markers(document: Path, text: str, markers: tuple[str, str] = SUMMARY_MARKERS) -> None:
    """Replaces the text between two markers of a document.

    Args:
        document: A text file with a line of each marker.
        text: The new text between them.
        markers: The lines of the markers.

    Raises:
        UserError: The document is missing, lacks a marker, or cannot be written.
    """
    try:
        content = document.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"The document '{document}' cannot be read ({error.strerror}): check the path.") from None
    before, begin, rest = content.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not begin or not end:
        raise UserError(f"'{document}' has no lines '{markers[0]}' and '{markers[1]}': add them where the table goes.")
    write_text(document, f"{before}{begin}\n{text}{end}{after}")
