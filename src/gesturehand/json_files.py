"""JSON files, and the values that they may hold."""

import json
import math
from pathlib import Path
from typing import Any

from gesturehand.errors import UserError
from gesturehand.file_writing import write_text
from gesturehand.text_file import read_text


def read_json(path: str | Path, what: str, remedy: str, *, unique_keys: bool = False) -> Any:
    """What a JSON file holds, in any encoding that :func:`~gesturehand.text_file.read_text` knows.

    Args:
        path: The file.
        what: It is, with an article, to begin the sentence with: "The boxes' file".
        remedy: What the user can do if it is not JSON; the end of the sentence.
        unique_keys: Refuse objects that name a key twice, of which JSON's readers keep the last.

    Raises:
        UserError: The file is missing, cannot be read, is not JSON or is nested too deeply; or a key occurs twice.
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=_unique if unique_keys else None)
    except FileNotFoundError:
        raise UserError(f"{what} '{path}' does not exist: check the path.") from None
    except OSError as error:
        raise UserError(f"{what} '{path}' cannot be read ({error.strerror}): check the path.") from None
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = str(error)
    raise UserError(f"{what} '{path}' is not valid JSON ({reason}): {remedy}.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key '{key}' occurs twice")
        content[key] = value
    return content


def write_json(path: str | Path, content: Any, indent: int | None = 2) -> None:
    """Writes JSON as :func:`~gesturehand.file_writing.new_file` says.

    Args:
        path: The file; its folder is made.
        content: What it will hold.
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
    if hasattr(value, "item"):  # a number of PyTorch or NumPy
        return none_for_nan(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
