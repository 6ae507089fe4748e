"""Text, YAML and JSON files as people's programs save them, and sentences about mistakes in them."""

import codecs
import json
import math
import re
from pathlib import Path
from typing import Any, Final

import yaml

from gesturehand.errors import UserError
from gesturehand.file_writing import write_text

#: The little-endian mark of UTF-32 begins with that of UTF-16, so it comes first.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: The encoding of Excel's "CSV" in Western Europe and America.
_WINDOWS: Final = "cp1252"
_REMEDY: Final = "save it as text in UTF-8"
#: Values to which a text may expand, with every alias counting as all that it repeats. The largest experiment has
#: about a hundred.
_MOST_VALUES: Final = 100_000


def read_text(path: str | Path) -> str:
    """The text of a file, whatever Unicode encoding it is in.

    A byte-order mark names the encoding and is left out. Without one the text is read as UTF-8, as UTF-16 if one of the
    first two bytes is zero, or else as Windows-1252.

    Args:
        path: The file.

    Returns:
        Its text, with line ends as they are.

    Raises:
        OSError: The file cannot be read.
        UserError: It is not text, or in none of these encodings.
    """
    raw = Path(path).read_bytes()
    if raw.startswith(b"PK\x03\x04"):
        raise UserError(f"'{path}' is an archive or an Excel workbook and not text: {_REMEDY} (CSV or JSON).")
    encoding = _encoding(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or raw.startswith(codecs.BOM_UTF8):
            raise UserError(
                f"'{path}' is not the {encoding.upper()} it seems to be ({error.reason}): {_REMEDY}."
            ) from None
        try:
            text = raw.decode(_WINDOWS)
        except UnicodeDecodeError:
            raise UserError(
                f"'{path}' is neither in UTF-8 nor in Windows-1252 (byte {error.start} is {raw[error.start]:#04x}): "
                f"{_REMEDY}."
            ) from None
    if "\0" in text:
        raise UserError(f"'{path}' contains zero bytes and is not text: {_REMEDY}.")
    return text.removeprefix("\ufeff")


def _encoding(raw: bytes) -> str:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    # The first character of a table or of JSON is ASCII, one of whose two bytes in UTF-16 is zero.
    if len(raw) >= 2 and len(raw) % 2 == 0 and (raw[0] == 0) != (raw[1] == 0):
        return "utf-16-be" if raw[0] == 0 else "utf-16-le"
    return "utf-8"


class _Loader(yaml.CSafeLoader):
    """Reads ``1e-4`` and ``5e-1`` as numbers, which YAML 1.1 takes for text, since they have no point."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(text: str, name: str) -> Any:
    """The content of a YAML text without tags.

    Args:
        text: YAML.
        name: Its description, for messages: "The sweep file 'a.yaml'".

    Raises:
        UserError: Its aliases stand for too many values, or it is nested too deeply.
        yaml.YAMLError: It is not YAML.
    """
    check_aliases(text, name)
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise UserError(f"{name} is nested too deeply: write it with fewer levels.") from None


def check_aliases(text: str, name: str) -> None:
    """Counts the values to which a YAML text expands, without expanding it; its reader reports what is not YAML.

    Args:
        text: YAML.
        name: As for :func:`read_yaml`.

    Raises:
        UserError: Its aliases expand to too many values, or one contains itself.
    """
    if "*" not in text or "&" not in text:
        return
    try:
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return
    if _size(root, {}, set()) > _MOST_VALUES:
        raise UserError(
            f"{name} has aliases (*name) that expand to more than {_MOST_VALUES:,} values: write out what is meant."
        )


def _size(node: Any, known: dict[int, float], within: set[int]) -> float:
    """The number of values to which a node expands, remembered for shared nodes."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) in within:
        return float("inf")
    if id(node) not in known:
        within.add(id(node))
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_size(part, known, within) for part in parts)
        within.discard(id(node))
    return known[id(node)]


def read_json(path: str | Path, what: str, remedy: str, *, unique_keys: bool = False) -> Any:
    """The content of a JSON file, in any encoding that :func:`~gesturehand.text_file.read_text` knows.

    Args:
        path: The file.
        what: Its description, with which a sentence begins: "The boxes' file".
        remedy: What the user can do if it is not JSON; the end of the sentence.
        unique_keys: Refuse objects that name a key twice, of which JSON's readers would keep the last.

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


def read_note(path: Path) -> dict[str, Any]:
    """The object in a JSON file that this library wrote; empty if there is none, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


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
        path: The file; its folder is created.
        content: The file's new content.
        indent: Number of spaces per level; None writes one line.

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
