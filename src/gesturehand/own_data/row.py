"""What the readers of annotation files hand on: the keys of docs/own_data.md, and what to call their hand."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """One hand as a file says it, before anything of it is checked.

    Attributes:
        where: What it is in its file, to begin a sentence with: "Entry 3 of 'joints.json'".
        values: By the keys of docs/own_data.md.
    """

    where: str
    values: dict[str, Any]
