"""Recognises the tool that wrote a file of hands by the file's content, and reads its rows."""

import json
from pathlib import Path
from typing import Any, Final

from gesturehand.errors import UserError
from gesturehand.own_data.coco import coco_rows, is_coco
from gesturehand.own_data.deeplabcut import deeplabcut_rows, is_deeplabcut
from gesturehand.own_data.mediapipe import is_mediapipe, mediapipe_rows
from gesturehand.own_data.rows import Row
from gesturehand.own_data.table import read_cells, table_rows
from gesturehand.text_file import read_text

_TABLES: Final = (".csv", ".tsv")
_JSON: Final = (".json", ".jsonl", ".ndjson")


def read_rows(path: Path, images: Path) -> list[Row]:
    """The hands in a file: a list or table as in docs/own_data.md, or a file of COCO, MediaPipe or DeepLabCut.

    Args:
        path: ``.json`` or ``.csv``; ``.jsonl`` with one result per line; or a folder of ``.json`` files, each named
            like its image.
        images: Folder of the images, for tools that do not name them relative to it.

    Raises:
        UserError: The file cannot be read, or is in none of these formats.
    """
    if path.is_dir():
        return _folder_rows(path, images)
    suffix = path.suffix.lower()
    if suffix not in (*_JSON, *_TABLES):
        raise UserError(f"'{path}' is neither .json nor .csv: give the joints in one of these.")
    if suffix in _TABLES:
        cells = read_cells(path, _text(path))
        rows = deeplabcut_rows(path, cells, images) if is_deeplabcut(cells) else table_rows(path, cells, images)
    else:
        rows = _json_rows(path, _content(path, lines=suffix != ".json"), images)
    if not rows:
        raise UserError(f"The joints file '{path}' holds no list of hands: write one entry per hand.")
    return rows


def _folder_rows(folder: Path, images: Path) -> list[Row]:
    files = sorted(path for path in folder.rglob("*.json") if path.is_file())
    rows: list[Row] = []
    for path in files:
        content = _content(path, lines=False)
        if not is_mediapipe(content):
            raise UserError(
                f"'{path}' holds no MediaPipe landmarks, and only these may come as a folder of files: give the "
                "file of another tool by itself."
            )
        rows += mediapipe_rows(path, content, images, str(path.relative_to(folder).with_suffix("")))
    if not rows:
        raise UserError(f"The folder '{folder}' holds no .json file with hands: give the joints' file.")
    return rows


def _json_rows(path: Path, content: Any, images: Path) -> list[Row]:
    if is_coco(content):
        return coco_rows(path, content, images)
    entries = content if isinstance(content, list) else []
    if not _are_own(entries) and is_mediapipe(content):
        return mediapipe_rows(path, content, images)
    return [Row(f"Entry {number} of '{path}'", entry) for number, entry in enumerate(entries)]


def _are_own(entries: list[Any]) -> bool:
    keys = {key for entry in entries if isinstance(entry, dict) for key in entry}
    return bool(keys & {"joints_2d", "joints_3d", "box", "gesture"})


def _content(path: Path, *, lines: bool) -> Any:
    try:
        text = _text(path)
        return [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except RecursionError:
        raise UserError(
            f"The joints file '{path}' is nested too deeply: write a list with one entry per hand."
        ) from None
    except ValueError as error:
        raise UserError(f"The joints file '{path}' is broken ({error}): correct it.") from None


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise UserError(f"The joints file '{path}' cannot be read ({error.strerror}): check its name.") from None
