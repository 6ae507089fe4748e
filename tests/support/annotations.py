"""Annotation files of InterHand2.6M, to be changed."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    """Writes a file again after a change of its content in place."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def frames_of(content: dict[str, dict[str, Any]]) -> Iterator[Any]:
    """Entries of all captured frames, of whatever file that has them by capture and frame."""
    for frames in content.values():
        yield from frames.values()


def fits_of(content: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All fits of a file of MANO parameters."""
    for fits in frames_of(content):
        yield from (fit for fit in (fits or {}).values() if fit)


def copy_split(root: Path, split: str, copy: Path) -> Path:
    """Copies annotations and images of a split, without an index, into a set; gives the set."""
    for part in ("annotations", "images"):
        shutil.copytree(root / part / split, copy / part / split, ignore=shutil.ignore_patterns("*.safetensors"))
    return copy
