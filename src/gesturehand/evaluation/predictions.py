"""Saved predictions: one ``.npz`` that any project can write, scored without its model.

Keys, N annotations of the data set in any order:

- ``ids``: (N,) int, annotation ids of ``data.json``, each once.
- ``joints``: (N, H, 21, 3) m, the papers' joint order.
- ``vertices``: (N, H, V, 3) m, optional; without them the numbers of meshes are left out.
- ``joints_2d``: (N, H, 21, 2) px of the original image, optional: where the joints are seen, by which a hand is placed.
- ``rotations``: (N, H, 16, 3, 3), optional, the joint rotations of MANO's order, the mean pose included; only the
  global one is looked at, and only beside ``vertices``.

The frame is the camera's of the *original* image: x right, y down, z forward; not cropped, turned or mirrored, a left
hand is a left hand. Where the origin lies does not matter for a hand's errors: camera or wrist; joints and vertices of
a hand share it. With H = 1 the hand is the annotation's only one; with H = 2 they are right and left, and what stands
in the place of a hand that the annotation does not have is not looked at.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file

#: Shape of one hand by key; -1 for any length.
_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "joints": (21, 3),
    "vertices": (-1, 3),
    "rotations": (16, 3, 3),
    "joints_2d": (21, 2),
}


@dataclass(frozen=True)
class SavedPredictions:
    """The contents of such a file.

    Attributes:
        ids: (N,) int64.
        joints: (N, H, 21, 3) float32 m.
        vertices: (N, H, V, 3) float32 m, or None.
        rotations: (N, H, 16, 3, 3) float32, or None.
        joints_2d: (N, H, 21, 2) float32 px, or None.
    """

    ids: np.ndarray
    joints: np.ndarray
    vertices: np.ndarray | None = None
    rotations: np.ndarray | None = None
    joints_2d: np.ndarray | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """Those of ``joints``, ``vertices``, ``rotations`` and ``joints_2d`` that the file has."""
        named = {name: getattr(self, name) for name in _SHAPES}
        return {name: array for name, array in named.items() if array is not None}


def write_predictions(path: Path, predictions: SavedPredictions) -> None:
    """Writes the file."""
    with durable_file(path) as file:
        np.savez(file, ids=predictions.ids, **predictions.arrays())  # type: ignore[arg-type]


def read_predictions(path: str | Path) -> SavedPredictions:
    """Reads and checks the file.

    Raises:
        UserError: It is missing or no such file, lacks a key, or an array has another shape or type.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("ids", *_SHAPES) if name in file}
    except OSError as error:
        raise UserError(
            f"The predictions '{path}' cannot be read ({error.strerror or error}): check the path."
        ) from None
    except Exception:  # a damaged archive can fail in any way
        raise UserError(
            f"'{path}' is no .npz of plain arrays: write it with numpy.savez(path, ids=…, joints=…)."
        ) from None
    for name in ("ids", "joints"):
        if name not in found:
            raise UserError(f"The predictions '{path}' lack the key '{name}': give ids (N,) and joints (N, H, 21, 3).")
    ids = found.pop("ids")
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise UserError(f"'ids' of '{path}' is {_kind(ids)}: give annotation ids as integers of shape (N,).")
    num_hands = found["joints"].shape[1] if found["joints"].ndim > 1 else 0
    for name, array in found.items():
        shape = _SHAPES[name]
        fits = array.ndim == 2 + len(shape) and array.shape[:2] == (len(ids), num_hands) and num_hands in (1, 2)
        fits = fits and all(want in (-1, have) for want, have in zip(shape, array.shape[2:], strict=True))
        if not fits or not np.issubdtype(array.dtype, np.floating):
            wanted = ", ".join("V" if n == -1 else str(n) for n in shape)
            raise UserError(
                f"'{name}' of '{path}' is {_kind(array)}: give floating-point numbers of shape (N, H, {wanted}) with "
                f"N = {len(ids)} as 'ids' and H = 1 or 2 as 'joints'."
            )
    return SavedPredictions(ids.astype(np.int64), **{name: np.asarray(a, np.float32) for name, a in found.items()})


def _kind(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"


def rows_of_ids(predictions: SavedPredictions, wanted: np.ndarray, path: str | Path) -> np.ndarray:
    """The row of every wanted id.

    Args:
        predictions: Whose ids are searched.
        wanted: (M,) int64, annotation ids of the evaluated data; repeated where a sample is one of two hands.
        path: For messages.

    Returns:
        (M,) int64.

    Raises:
        UserError: An id is missing, there twice, or not among those evaluated.
    """
    ids, count = np.unique(predictions.ids, return_counts=True)
    problems = (
        (ids[count > 1], "has {} ids more than once", "write each annotation once"),
        (np.setdiff1d(wanted, ids), "lacks {} of the annotations", "predict all of them or name a subset"),
        (np.setdiff1d(ids, wanted), "has {} ids that are not evaluated", "check split, hands and subset"),
    )
    for found, words, remedy in problems:
        if len(found):
            number = words.format(len(found))
            raise UserError(f"The predictions file '{path}' {number} (the first: {found[0]}): {remedy}.")
    order = np.argsort(predictions.ids)
    return order[np.searchsorted(predictions.ids, wanted, sorter=order)]
