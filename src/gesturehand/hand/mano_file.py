"""MANO's file format: the parts of a hand model, and reading and writing them.

Two kinds of file hold the same dictionary: the official Python-2 pickle (``MANO_RIGHT.pkl``, ``MANO_LEFT.pkl``) and an
``.npz`` archive with the same keys. Both become a ``ManoData``, which does not show the kind of file.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file
from gesturehand.hand.restricted_pickle import load_restricted_pickle
from gesturehand.skeleton import MANO_PARENTS, NUM_MANO_JOINTS, SIDES, Side

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

NUM_BETAS: Final = 10
#: Entries of R − I of the 15 finger joints, row by row, with which the pose directions are multiplied.
NUM_POSE_FEATURES: Final = (NUM_MANO_JOINTS - 1) * 9
#: Axis-angle numbers of the 15 finger joints.
NUM_HAND_POSE: Final = (NUM_MANO_JOINTS - 1) * 3
#: The file's value for the parent of the root: −1 as an unsigned number.
ROOT_PARENT: Final = 4294967295

#: Shape of each array in the file, with V for the number of vertices and F for the number of triangles.
_SHAPES: Final[dict[str, tuple[int | str, ...]]] = {
    "v_template": ("V", 3),
    "shapedirs": ("V", 3, NUM_BETAS),
    "posedirs": ("V", 3, NUM_POSE_FEATURES),
    "J_regressor": (NUM_MANO_JOINTS, "V"),
    "weights": ("V", NUM_MANO_JOINTS),
    "kintree_table": (2, NUM_MANO_JOINTS),
    "f": ("F", 3),
    "hands_mean": (NUM_HAND_POSE,),
    "hands_components": (NUM_HAND_POSE, NUM_HAND_POSE),
}


#: The depth to which folders are searched for hand models.
_LEVELS_SEARCHED: Final = 3
#: A small archive can unpack to more than fits into memory; MANO's is 3 MB.
_MAX_UNPACKED_BYTES: Final = 2**30
_INTEGERS: Final = ("kintree_table", "f")


@dataclass(frozen=True, eq=False)
class ManoData:
    """One hand model in MANO's layout: metres, radians, the 16 joints in MANO's order.

    At rest the right hand is flat with its fingers towards −x, its palm towards −y and its thumb towards +z; the left
    hand is the mirror image in x. Arrays are float64 and ``faces`` int64. V is the number of vertices and F that of
    triangles: 778 and 1538 in MANO, other numbers in other models.

    Attributes:
        side: the hand's side.
        source: the file from which it was read, or a name.
        v_template: (V, 3) vertices of the mean shape at rest.
        shapedirs: (V, 3, 10) displacement of each vertex per unit of each beta.
        posedirs: (V, 3, 135) displacement per entry of R − I of the 15 finger joints.
        J_regressor: (16, V) joints at rest from vertices at rest.
        weights: (V, 16) skinning weights.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        hands_mean: (45,) mean finger pose, axis-angle; poses in files are relative to it.
        hands_components: (45, 45) principal components of finger poses, one per row.
    """

    side: Side
    source: str
    v_template: FloatArray
    shapedirs: FloatArray
    posedirs: FloatArray
    J_regressor: FloatArray
    weights: FloatArray
    faces: IntArray
    hands_mean: FloatArray
    hands_components: FloatArray

    @property
    def num_vertices(self) -> int:
        """The number of vertices, V."""
        return len(self.v_template)

    @cached_property
    def joints(self) -> FloatArray:
        """(16, 3) joints of the mean shape at rest."""
        return self.J_regressor @ self.v_template

    @cached_property
    def has_posedirs(self) -> bool:
        """Whether any pose direction is non-zero."""
        return bool(self.posedirs.any())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the side and the arrays, 64 hexadecimal digits; the same for a pickle and its ``.npz``."""
        digest = hashlib.sha256(self.side.encode())
        for name, array in mano_dictionary(self).items():
            digest.update(f"{name} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_mano(path: str | Path, side: Side | None = None) -> ManoData:
    """Reads one hand from an official ``.pkl`` or from an ``.npz`` with the same keys.

    The official pickle is opened without chumpy, and nothing in it is executed (see ``restricted_pickle``).

    Args:
        path: the file; or a folder, in which :func:`find_mano_file` looks for it.
        side: the hand's side; taken from RIGHT or LEFT in the file's name if not given.

    Raises:
        UserError: the file is missing, is not a MANO file, lacks a key, has an array of a wrong shape, or its side is
            unknown.
    """
    path = Path(path)
    if path.is_dir():
        path = _file_in(path, side)
    if not path.is_file():
        raise UserError(f"{path} does not exist; {_pointer(path)}.")
    if side is None:
        side = side_of_name(path)
    readers = {".pkl": load_restricted_pickle, ".npz": _load_npz}
    if path.suffix.lower() not in readers:
        raise UserError(f"{path} is neither a .pkl nor an .npz file; give MANO_RIGHT.pkl or what `convert` made of it.")
    return _checked(readers[path.suffix.lower()](path), side, str(path))


def write_npz(data: ManoData, path: str | Path, dtype: npt.DTypeLike = np.float64) -> None:
    """Writes a hand under MANO's own keys, compressed and without pickled objects; the same bytes for the same hand.

    The file appears under its name only when it is complete.

    Args:
        data: the hand.
        path: the ``.npz`` file; an existing one is replaced.
        dtype: of the floating-point arrays; float64 keeps them exactly.

    Raises:
        UserError: the file cannot be written.
    """
    arrays: dict[str, Any] = {
        name: array.astype(dtype) if array.dtype == np.float64 else array
        for name, array in mano_dictionary(data).items()
    }
    arrays.update(J=data.joints.astype(dtype), bs_style=np.array("lbs"), bs_type=np.array("lrotmin"))
    with durable_file(path) as file:
        np.savez_compressed(file, **arrays)


def find_mano_file(folder: Path, side: Side) -> Path | None:
    """The file of one hand in a folder, ``MANO_RIGHT`` or ``MANO_LEFT`` in capitals or not: ``.pkl`` before ``.npz``.

    If it is not in the folder itself, the folders in it are searched, three levels down, as people unpack MANO's
    archive (``mano_v1_2/models``) or have the folders of SMPL-X (``body_models/mano``).

    Returns:
        The file; None if there is none.

    Raises:
        UserError: several folders of one level have such a file.
    """
    level = [folder]
    for depth in range(_LEVELS_SEARCHED + 1):
        found = [path for path in (_file_of(place, side) for place in level) if path is not None]
        if len(found) > 1:
            raise UserError(
                f"{folder} has more than one MANO_{side.upper()}: {found[0]} and {found[1]}; give one of them."
            )
        if found:
            return found[0]
        if depth < _LEVELS_SEARCHED:
            level = [Path(entry.path) for place in level for entry in _listed(place) if entry.is_dir()]
    return None


def _file_of(folder: Path, side: Side) -> Path | None:
    # Capitals come first in the list, and win.
    by_name = {entry.name.lower(): Path(entry.path) for entry in reversed(_listed(folder)) if entry.is_file()}
    candidates = [by_name.get(f"mano_{side}{suffix}") for suffix in (".pkl", ".npz")]
    return next((path for path in candidates if path is not None), None)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    """The visible content of a folder, by name; nothing if it may not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
    except OSError:
        return []


def side_of_name(path: Path) -> Side:
    """The side of the hand in a file, by RIGHT or LEFT in its name, in capitals or not.

    Raises:
        UserError: the name has neither or both.
    """
    sides = [side for side in SIDES if side in path.name.lower()]
    if len(sides) != 1:
        raise UserError(f"{path} does not say which hand it is; put RIGHT or LEFT into the file's name.")
    return sides[0]


def _file_in(folder: Path, side: Side | None) -> Path:
    if side is None:
        raise UserError(f"{folder} is a folder; name one file in it, or say which side.")
    path = find_mano_file(folder, side)
    if path is None:
        name = f"MANO_{side.upper()}"
        raise UserError(f"{folder} has neither {name}.pkl nor {name}.npz; put the file from mano.is.tue.mpg.de there.")
    return path


def _pointer(path: Path) -> str:
    """The end of a sentence that names the file that may be meant by a path that does not exist."""
    parent = next((folder for folder in path.parents if folder.is_dir()), Path())
    for side in SIDES:
        if side in path.name.lower() and parent != Path(parent.anchor) and (found := find_mano_file(parent, side)):
            return f"there is {found}"
    return "give a MANO file (.pkl or .npz) or the folder that holds it"


def _load_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(entry.file_size for entry in archive.zip.infolist()) > _MAX_UNPACKED_BYTES:
                raise ValueError(f"it unpacks to more than {_MAX_UNPACKED_BYTES} bytes")
            return {key: archive[key] for key in archive.files}
    except Exception as error:  # a damaged archive can fail in any way
        raise UserError(f"{path} is not an .npz archive of plain arrays ({error}); convert the .pkl again.") from None


def _checked(contents: Mapping[str, Any], side: Side, source: str) -> ManoData:
    """Checks keys, shapes and values of a file's dictionary, and makes a hand of it."""
    missing = [key for key in _SHAPES if key not in contents]
    if missing:
        raise UserError(
            f"{source} lacks {', '.join(missing)}, so it is not a MANO file; give MANO_RIGHT.pkl or an equivalent file."
        )
    sizes: dict[str, int] = {}
    arrays = {key: _checked_array(contents[key], key, shape, sizes, source) for key, shape in _SHAPES.items()}
    parents = [int(parent) if parent != ROOT_PARENT else -1 for parent in arrays["kintree_table"][0]]
    if parents != list(MANO_PARENTS):
        raise UserError(f"{source}: kintree_table is not that of MANO's 16 joints; give a MANO file.")
    faces = arrays["f"].astype(np.int64)
    if faces.min() < 0 or faces.max() >= sizes["V"]:
        raise UserError(f"{source}: f names vertices that do not exist; get the file again.")
    floats = {key: np.array(array, np.float64, order="C") for key, array in arrays.items() if key not in _INTEGERS}
    return ManoData(side=side, source=source, faces=faces, **floats)


def _checked_array(
    value: Any, key: str, shape: tuple[int | str, ...], sizes: dict[str, int], source: str
) -> npt.NDArray[Any]:
    """Checks one array; ``sizes`` remembers V and F from the first array that has them."""
    array = np.asarray(value)
    wanted = f"({', '.join(map(str, shape))})"
    if array.dtype.kind not in ("iu" if key in _INTEGERS else "iuf"):
        raise UserError(
            f"{source}: {key} must be numbers of shape {wanted} and holds {array.dtype}; get the file again."
        )
    fits = array.ndim == len(shape) and all(
        actual == (size if isinstance(size, int) else sizes.setdefault(size, actual))
        for actual, size in zip(array.shape, shape, strict=True)
    )
    if not fits or array.size == 0:
        raise UserError(f"{source}: {key} has shape {array.shape} where {wanted} is needed; give a MANO file.")
    if not np.isfinite(array).all():
        raise UserError(f"{source}: {key} has values that are not finite; get the file again.")
    return array


def mano_dictionary(data: ManoData) -> dict[str, npt.NDArray[Any]]:
    """The arrays under MANO's own keys. Adding zero turns −0.0 into 0.0, so that equal hands have equal bytes."""
    parents = np.array([parent if parent >= 0 else ROOT_PARENT for parent in MANO_PARENTS], np.uint32)
    return {
        "v_template": data.v_template + 0.0,
        "shapedirs": data.shapedirs + 0.0,
        "posedirs": data.posedirs + 0.0,
        "J_regressor": data.J_regressor + 0.0,
        "weights": data.weights + 0.0,
        "kintree_table": np.stack([parents, np.arange(NUM_MANO_JOINTS, dtype=np.uint32)]),
        "f": data.faces.astype(np.uint32),
        "hands_mean": data.hands_mean + 0.0,
        "hands_components": data.hands_components + 0.0,
    }
