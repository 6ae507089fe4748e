"""JSON files and what may stand in them."""

import json
import math
from pathlib import Path
from typing import Any

from torch import Tensor

from gesturehand.file_writing import write_text


def write_json(path: str | Path, content: Any, indent: int | None = 2) -> None:
    """Writes JSON as :func:`~gesturehand.file_writing.new_file` says.

    Args:
        path: The file; its folder is made.
        content: What is to stand in it.
        indent: Spaces of a level; None writes one line.

    Raises:
        UserError: It cannot be written.
    """
    write_text(path, json.dumps(content, indent=indent) + "\n")


def none_for_nan(value: Any) -> Any:
    """Nested dictionaries and lists with None for every number that is not finite, as JSON has no other word for it."""
    if isinstance(value, dict):
        return {key: none_for_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [none_for_nan(item) for item in value]
    if isinstance(value, Tensor):
        return none_for_nan(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
