"""Hands to test with, and a writer of pickles like those that Python 2 wrote for MANO."""

import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import ManoData, mano_dictionary
from gesturehand.skeleton import Side


@pytest.fixture
def posed_hand(rng) -> Callable[[Side], ManoData]:
    """The open hand with pose directions that move vertices by millimetres, different for each side."""

    def make(side: Side) -> ManoData:
        hand = open_hand(side)
        return replace(hand, posedirs=rng.normal(0, 1e-3, hand.posedirs.shape))

    return make


@pytest.fixture
def small_hand(rng) -> ManoData:
    """A right hand of random numbers with 30 vertices, for tests that only read and write."""
    weights = rng.uniform(size=(30, 16))
    return ManoData(
        side="right",
        source="random",
        v_template=rng.normal(size=(30, 3)),
        shapedirs=rng.normal(size=(30, 3, 10)),
        posedirs=rng.normal(size=(30, 3, 135)),
        J_regressor=np.where(rng.uniform(size=(16, 30)) < 0.2, rng.uniform(size=(16, 30)), 0),
        weights=weights / weights.sum(axis=1, keepdims=True),
        faces=rng.integers(0, 30, (50, 3)),
        hands_mean=rng.normal(size=45),
        hands_components=rng.normal(size=(45, 45)),
    )


def random_rotations(rng: np.random.Generator, *shape: int, scale: float = 0.6) -> np.ndarray:
    vectors = rng.normal(0, scale, (*shape, 3))
    if not vectors.size:  # which SciPy takes from 1.17 on
        return np.zeros((*shape, 3, 3))
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*shape, 3, 3)


@pytest.fixture
def rotations(rng) -> Callable[..., np.ndarray]:
    """Random rotation matrices of a given leading shape."""
    return lambda *shape, scale=0.6: random_rotations(rng, *shape, scale=scale)


class Ch:
    """Pickled as chumpy pickles its arrays: the object's attributes, among them a set of changed names."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self._dirty_vars: set[str] = set()
        self._cache = {"r": None}


class Select:
    def __init__(self, a: Ch, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape
        self._dirty_vars = {"a"}


class CscMatrix:
    def __init__(self, matrix: scipy.sparse.csc_matrix) -> None:
        self._shape, self.maxprint = matrix.shape, 50
        self.data, self.indices, self.indptr = matrix.data, matrix.indices, matrix.indptr


OFFICIAL_NAMES = {
    Ch: "chumpy.ch Ch",
    Select: "chumpy.reordering Select",
    CscMatrix: "scipy.sparse.csc csc_matrix",
    set: "__builtin__ set",
    np.ndarray: "numpy ndarray",
    np.dtype: "numpy dtype",
    np.zeros(1).__reduce__()[0]: "numpy.core.multiarray _reconstruct",
}


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Protocol 2 with Python 2's byte strings and with module names as they were when MANO was published."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if obj in OFFICIAL_NAMES:
            module, name = OFFICIAL_NAMES[obj].split()
            self.write(f"c{module}\n{name}\n".encode())
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    def save_type(self, obj: Any) -> None:
        self.save_global(obj)

    def save_byte_string(self, obj: bytes | str) -> None:
        raw = obj if isinstance(obj, bytes) else obj.encode("latin1")
        self.write(b"T" + struct.pack("<i", len(raw)) + raw)
        self.memoize(obj)

    dispatch[bytes] = save_byte_string
    dispatch[str] = save_byte_string
    dispatch[type] = save_type


def official_contents(hand: ManoData) -> dict[str, Any]:
    """The dictionary as in the official files: shape directions selected from more, a sparse regressor, extras."""
    all_directions = np.concatenate([hand.shapedirs, np.full((*hand.shapedirs.shape[:2], 3), 7.0)], axis=2)
    chosen = np.arange(all_directions.size).reshape(all_directions.shape)[:, :, :10]
    return {
        **mano_dictionary(hand),
        "shapedirs": Select(Ch(all_directions), chosen.ravel(), chosen.shape),
        "posedirs": np.asfortranarray(hand.posedirs),
        "J_regressor": CscMatrix(scipy.sparse.csc_matrix(hand.J_regressor)),
        "v_template": Ch(hand.v_template.astype(">f8")),
        "hands_coeffs": np.zeros((5, 45)),
        "J": hand.joints,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


@pytest.fixture
def write_official() -> Callable[[ManoData, Path], None]:
    """Writes a hand as MANO's official Python-2 pickle."""

    def write(hand: ManoData, path: Path) -> None:
        with path.open("wb") as file:
            Python2Pickler(file, protocol=2).dump(official_contents(hand))

    return write
