"""Hand models that people have saved again, and pickles that try to run code."""

import pickle
from functools import partial

import numpy as np
import pytest
import scipy.sparse
from hostile_files import Runs

from gesturehand.errors import UserError
from gesturehand.hand.mano_file import mano_dictionary, read_mano


def fault(variant, outcome="the same hand"):
    return pytest.mark.fault(kind="hand models saved again", variant=variant, outcome=outcome)


def matrices(contents, kind):
    """The joint regressor in one of SciPy's sparse forms."""
    return {**contents, "J_regressor": kind(contents["J_regressor"])}


def with_scalars(contents):
    return {
        **contents,
        "version": np.float64(1.2),
        "bs_style": np.str_("lbs"),
        "bs_type": np.bytes_(b"lrotmin"),
        "names": np.array(["wrist", "thumb"]),
        "raw": np.array([b"a", b"bc"]),
        "count": np.int64(778),
        "flag": np.bool_(True),
    }


def with_numpy_sizes(contents):
    matrix = scipy.sparse.csc_matrix(contents["J_regressor"])
    matrix._shape = tuple(np.int64(size) for size in matrix.shape)
    return {**contents, "J_regressor": matrix}


def with_layouts(contents):
    """In Fortran's order, as a slice, with swapped axes, and read-only."""
    changed = dict(contents)
    changed["posedirs"] = np.asfortranarray(contents["posedirs"])
    changed["shapedirs"] = np.ascontiguousarray(contents["shapedirs"].transpose(1, 0, 2)).transpose(1, 0, 2)
    changed["weights"] = np.repeat(contents["weights"], 2, axis=0)[::2]
    changed["v_template"] = contents["v_template"].astype(">f8")
    changed["hands_mean"] = contents["hands_mean"].copy()
    changed["hands_mean"].flags.writeable = False
    return changed


SPARSE = ("csc_matrix", "csc_array", "csr_matrix", "csr_array", "coo_matrix", "coo_array")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(dict, marks=fault("plain arrays, protocols 2 to 5")),
        pytest.param(with_scalars, marks=fault("NumPy numbers and strings, protocols 2 to 5")),
        pytest.param(with_numpy_sizes, marks=fault("a sparse matrix whose sizes are NumPy numbers")),
        pytest.param(with_layouts, marks=fault("arrays of any layout and byte order")),
        *(
            pytest.param(
                partial(matrices, kind=getattr(scipy.sparse, name)),
                marks=fault(f"the joint regressor as {name}"),
                id=name,
            )
            for name in SPARSE
        ),
    ],
)
def test_a_hand_saved_again_is_the_same_hand(small_hand, tmp_path, change, protocol):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(change(mano_dictionary(small_hand)), protocol=protocol))
    assert read_mano(path).fingerprint == small_hand.fingerprint


@pytest.mark.parametrize("name", SPARSE)
def test_older_names_of_modules(small_hand, tmp_path, name):
    """Names as SciPy before 1.8 and NumPy before 2 wrote them."""
    raw = pickle.dumps(matrices(mano_dictionary(small_hand), getattr(scipy.sparse, name)), protocol=2)
    for new in (b"csc", b"csr", b"coo"):
        if name.endswith("matrix"):
            raw = raw.replace(b"scipy.sparse._" + new, b"scipy.sparse." + new)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(raw.replace(b"numpy._core", b"numpy.core"))
    assert read_mano(path).fingerprint == small_hand.fingerprint


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(
            lambda trace: Runs(eval, f"open({trace!r}, 'w')"), marks=fault("eval inside", "refused without running it")
        ),
        pytest.param(
            lambda trace: np.array([Runs(eval, f"open({trace!r}, 'w')")], object),
            marks=fault("an array of objects that run code", "refused without running it"),
        ),
        pytest.param(
            lambda trace: scipy.sparse.dok_array(np.eye(2)), marks=fault("another class of SciPy's", "refused by name")
        ),
        pytest.param(
            lambda trace: np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
            marks=fault("an array of records", "refused"),
        ),
        pytest.param(lambda trace: np.datetime64("2020-01-01"), marks=fault("a date", "refused")),
    ],
)
def test_contents_that_are_not_plain_are_refused(small_hand, tmp_path, value, protocol):
    trace = tmp_path / "trace"
    path = tmp_path / "MANO_RIGHT.pkl"
    contents = {**mano_dictionary(small_hand), "extra": value(str(trace))}
    path.write_bytes(pickle.dumps(contents, protocol=protocol))
    with pytest.raises(UserError, match=f"{path}"):
        read_mano(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "state",
    [
        {"data": np.ones(2), "indices": np.array([0, 99]), "indptr": np.array([0, 1, 2])},
        {"data": np.ones(2), "indices": np.array([0, 1]), "indptr": np.array([0, 5, 2])},
        {"data": np.ones(2), "coords": (np.array([0, 99]), np.array([0, 1]))},
        {"data": np.ones(2), "coords": (np.array([0]), np.array([0, 1]))},
    ],
)
def test_a_sparse_matrix_that_points_outside_is_refused(small_hand, tmp_path, state):
    matrix = (scipy.sparse.coo_array if "coords" in state else scipy.sparse.csr_array)((2, 2))
    vars(matrix).update(state)
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps({**mano_dictionary(small_hand), "J_regressor": matrix}, protocol=4))
    with pytest.raises(UserError, match="J_regressor cannot be read"):
        read_mano(path)
