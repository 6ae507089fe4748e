"""The origin of an evaluation's numbers: data, file, versions, command."""

import hashlib
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.index import HAND_TYPES
from gesturehand.hand.conventions import JOINT_DEFINITIONS, definition_number
from gesturehand.hand.layer import HandModel
from gesturehand.skeleton import SIDES, TIP_VERTICES

_LIBRARIES: Final = ("gesturehand", "torch", "pytorch-lightning", "torchmetrics", "timm", "smplx")


def data_fingerprint(data: InterHandDataModule) -> dict[str, Any]:
    """Which samples the test set has: folder, split, filters, counts, and a hash of the ids."""
    dataset = data.dataset("test")
    index, row, hand = dataset.index, dataset.selection.row, dataset.selection.hand
    ids = index.annotation_id[row]
    hand_type = index.hand_type[row]
    present = (hand_type[:, None] & np.array([1, 2])[hand]) > 0
    fitted = index.mano_valid[index.frame[row, None], hand] & present
    return {
        "root": index.address,
        "split": index.split,
        "format": index.set_format.title,
        "joints": _joints(index.set_format.joints),
        "filters": {
            "hands": data.hands,
            "layout": data.layout,
            "labelled_only": False,
            "subset": data.subsets["test"],
            "boxes": data.test_boxes or data.boxes,
            "mano_fits": data.mano_fits,
        },
        "samples": len(dataset),
        "annotations": len(np.unique(ids)),
        "samples_by_hand_type": {name: int((hand_type == code).sum()) for name, code in HAND_TYPES.items()},
        "hands_by_side": {side: int((present & (hand == slot)).sum()) for slot, side in enumerate(SIDES)},
        "hands_with_fit": int(fitted.sum()),
        "hands_without_fit": int((present & ~fitted).sum()),
        "ids_sha256": hashlib.sha256(np.ascontiguousarray(ids, np.int64).tobytes()).hexdigest(),
    }


def _joints(definition: str | None) -> str:
    """What the set's joints are on the mesh, and where that is written."""
    number = definition_number(definition)
    if not number:
        return "as annotated; a mesh's are the posed skeleton's and the hand model's fingertips"
    known = JOINT_DEFINITIONS[number - 1]
    tips = " and ".join(f"{side} {', '.join(map(str, known.tips[side]))}" for side in SIDES)
    return f"{known.name}: MANO's posed skeleton, fingertip vertices {tips} ({known.source})"


def file_origin(path: str | Path | None) -> dict[str, str] | None:
    """Path and SHA-256 of a file, or None if there is no file."""
    if path is None:
        return None
    with Path(path).open("rb") as file:
        return {"path": str(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def hand_model_origin(hand_model: HandModel) -> dict[str, Any]:
    """Which hand model regressed the joints of meshes, and which vertices are its fingertips."""
    return {
        "name": hand_model.name,
        "fingerprint": hand_model.fingerprint,
        "joints": "the model's joint regressor applied to the posed mesh (16), and fingertip vertices (5)",
        "tips": hand_model.tips,
        "tip_vertices": list(TIP_VERTICES[hand_model.tips]),
    }


def code_version() -> dict[str, Any]:
    """This package's version and, in a git checkout, the commit and whether files differ from it.

    Returns:
        ``version``, ``commit`` and ``dirty``; the last two are None where the package is not in a checkout.
    """
    commit = _git("rev-parse", "HEAD") if _git("ls-files", Path(__file__).name) else None
    dirty = None if commit is None else bool(_git("status", "--porcelain", "--untracked-files=no"))
    return {"version": version("gesturehand"), "commit": commit, "dirty": dirty}


def software_origin() -> dict[str, Any]:
    """Versions, commit and the command line."""
    return {
        "code": code_version(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        "command": shlex.join(["gesturehand", *sys.argv[1:]]),
    }


def _git(*words: str) -> str | None:
    """The output of a git command in this file's folder; None without git or outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
