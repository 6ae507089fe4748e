"""Opens MANO's official pickle, or one that was saved from it, without chumpy and without running anything it names.

A pickle is a program: it may import any callable by name and call it. Here every name a MANO file uses is replaced by
an inert record that keeps its arguments and its state; every other name is refused. After loading, the records are
turned into arrays by this module, so not even NumPy's own reconstruction code sees the file's bytes unchecked.
"""

import io
import math
import operator
import pickle
import re
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse

from gesturehand.errors import UserError


class _Record:
    """Stands in for an object of the pickle, with its arguments and state and without behaviour.

    ``__setstate__`` is defined so that no state, whatever its form, is ever set as attributes.
    """

    __slots__ = ("arguments", "state")

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "_Record":
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def attributes(self) -> dict[str, Any]:
        """The state of an ordinary Python object."""
        state = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        if not isinstance(state, dict):
            raise ValueError("an object has no attributes")
        return state


class _Reconstruct(_Record):
    __slots__ = ()


class _NdArray(_Record):
    __slots__ = ()


class _Dtype(_Record):
    __slots__ = ()


class _Encode(_Record):
    __slots__ = ()


class _Set(_Record):
    __slots__ = ()


class _FromBuffer(_Record):
    __slots__ = ()


class _Scalar(_Record):
    __slots__ = ()


class _Csc(_Record):
    __slots__ = ()


class _Csr(_Record):
    __slots__ = ()


class _Coo(_Record):
    __slots__ = ()


class _Ch(_Record):
    __slots__ = ()


class _Select(_Record):
    __slots__ = ()


#: Every global in the official files, and in the files that any version of NumPy, SciPy and Python writes for the same
#: arrays.
_RECORD_OF_GLOBAL: Final[dict[str, type[_Record]]] = {
    "numpy.core.multiarray._reconstruct": _Reconstruct,
    "numpy._core.multiarray._reconstruct": _Reconstruct,
    "numpy.ndarray": _NdArray,
    "numpy.dtype": _Dtype,
    "_codecs.encode": _Encode,
    "__builtin__.set": _Set,
    "builtins.set": _Set,
    "numpy.core.numeric._frombuffer": _FromBuffer,
    "numpy._core.numeric._frombuffer": _FromBuffer,
    "numpy.core.multiarray.scalar": _Scalar,
    "numpy._core.multiarray.scalar": _Scalar,
    "scipy.sparse.csc.csc_matrix": _Csc,
    "scipy.sparse._csc.csc_matrix": _Csc,
    "scipy.sparse._csc.csc_array": _Csc,
    "scipy.sparse.csr.csr_matrix": _Csr,
    "scipy.sparse._csr.csr_matrix": _Csr,
    "scipy.sparse._csr.csr_array": _Csr,
    "scipy.sparse.coo.coo_matrix": _Coo,
    "scipy.sparse._coo.coo_matrix": _Coo,
    "scipy.sparse._coo.coo_array": _Coo,
    "chumpy.ch.Ch": _Ch,
    "chumpy.reordering.Select": _Select,
}

#: Booleans, integers, floats and strings; in particular no objects and no structures.
_PLAIN_DTYPE: Final = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|[SU][0-9]{1,6})")


#: A sparse matrix with few entries can claim a size that fills the memory; MANO's joint regressor has 16 x 778.
_MAX_DENSE: Final = 50_000_000


class _RefusedGlobalError(Exception):
    pass


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[_Record]:
        record = _RECORD_OF_GLOBAL.get(f"{module}.{name}")
        if record is None:
            raise _RefusedGlobalError(f"{module}.{name}")
        return record


def load_restricted_pickle(
    path: Path, kind: str = "a MANO", remedy: str = "get the file again from mano.is.tue.mpg.de"
) -> dict[str, Any]:
    """Reads a MANO pickle (or another dictionary of arrays) and returns its dictionary, with NumPy arrays in place of
    all array-like objects.

    Sparse matrices become dense; chumpy's ``Ch`` becomes its array and ``Select`` the selected, reshaped array. Strings
    and numbers are kept. Nothing in the file is executed, and chumpy is not needed.

    Args:
        path: a ``.pkl`` file, of Python 2 or Python 3.
        kind: the kind of file, with an article, for messages.
        remedy: what the user can do if it is of another kind, for messages.

    Raises:
        UserError: the file is not a pickle, is cut short, names a global that MANO files do not use, or does not hold
            a dictionary of arrays.
    """
    try:
        contents = _RestrictedUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except _RefusedGlobalError as refused:
        raise UserError(
            f"{path} was not opened: it asks for {refused}, which no {kind.split()[-1]} file needs and which "
            f"could run code; {remedy}."
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path and its permissions.") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise UserError(f"{path} is not {kind} pickle, or it is cut short ({error}); {remedy}.") from None
    if not isinstance(contents, dict):
        raise UserError(f"{path} holds no dictionary, so it is not {kind} file; {remedy}.")
    decoded = {}
    for key, value in contents.items():
        if not isinstance(key, str):
            raise UserError(f"{path} has a key that is not a name, so it is not {kind} file; {remedy}.")
        try:
            decoded[key] = _decode(value)
        except Exception as error:  # so can a damaged value
            raise UserError(f"{path}: the value of {key} cannot be read ({error}); {remedy}.") from None
    return decoded


def _decode(value: Any) -> Any:
    if isinstance(value, _Reconstruct):
        return _array(value)
    if isinstance(value, _FromBuffer):
        return _array_of_buffer(value)
    if isinstance(value, _Scalar):
        return _scalar(value)
    if isinstance(value, (_Csc, _Csr, _Coo)):
        return _dense(value)
    if isinstance(value, _Ch):
        return _decode_array(value.attributes()["x"])
    if isinstance(value, _Select):
        return _selected(value)
    if isinstance(value, (_Record, type)):
        raise ValueError("it is not an array")
    return value


def _decode_array(value: Any) -> npt.NDArray[Any]:
    array = np.asarray(_decode(value))
    if array.dtype.kind not in "biuf":
        raise ValueError(f"an array of {array.dtype} is not an array of numbers")
    return array


def _array(record: _Record) -> npt.NDArray[Any]:
    """An array from the state that ``ndarray.__reduce__`` writes: version, shape, dtype, Fortran order, bytes."""
    _, shape, dtype, fortran_order, raw = record.state
    return _shaped(_bytes(raw), dtype, shape, "F" if fortran_order else "C")


def _array_of_buffer(record: _Record) -> npt.NDArray[Any]:
    """An array from its form in protocol 5: bytes, dtype, shape, order, and in newer NumPy the order of the axes."""
    raw, dtype, shape, order, *axes = record.arguments
    if order == "K" and axes:
        order_of_axes = [int(axis) for axis in axes[0]]
        return _shaped(_bytes(raw), dtype, shape, "C").transpose(order_of_axes)
    if order not in ("C", "F"):
        raise ValueError(f"an array of order {order!r}")
    return _shaped(_bytes(raw), dtype, shape, order)


def _scalar(record: _Record) -> Any:
    """A NumPy number or string, which is written as its dtype and its bytes."""
    dtype, raw = record.arguments
    return _shaped(_bytes(raw), dtype, (), "C").item()


def _bytes(raw: Any) -> bytes:
    if isinstance(raw, _Encode):  # Python 3 writes bytes this way in the protocols that Python 2 can read
        text, encoding = raw.arguments
        if encoding != "latin1":
            raise ValueError(f"bytes encoded as {encoding}")
        raw = text
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    if not isinstance(raw, bytes | bytearray):
        raise ValueError("an array of Python objects")
    return bytes(raw)


def _shaped(raw: bytes, dtype: Any, shape: Any, order: Literal["C", "F"]) -> npt.NDArray[Any]:
    return np.frombuffer(raw, _plain_dtype(dtype)).reshape([_integer(size) for size in shape], order=order)


def _integer(value: Any) -> int:
    """A size, which may be a NumPy number."""
    return operator.index(_decode(value))


def _plain_dtype(record: Any) -> np.dtype[Any]:
    if not isinstance(record, _Dtype):
        raise ValueError("an array without a dtype")
    name = record.arguments[0]
    if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
        raise ValueError(f"an array of dtype {name!r}")
    byte_order = record.state[1] if record.state else "="
    if byte_order not in ("<", ">", "|", "="):
        raise ValueError(f"an array of byte order {byte_order!r}")
    return np.dtype(byte_order + name.lstrip("<>|="))


def _dense(record: _Record) -> npt.NDArray[Any]:
    attributes = record.attributes()
    shape = attributes["_shape"] if "_shape" in attributes else attributes["shape"]
    sizes = tuple(_integer(size) for size in shape)
    if math.prod(sizes) > _MAX_DENSE:
        raise ValueError(f"a sparse matrix of {' x '.join(map(str, sizes))} entries")
    data = _decode_array(attributes["data"])
    if isinstance(record, _Coo):
        places = attributes["coords"] if "coords" in attributes else (attributes["row"], attributes["col"])
        return scipy.sparse.coo_matrix((data, tuple(_decode_array(place) for place in places)), shape=sizes).toarray()
    kind = scipy.sparse.csc_matrix if isinstance(record, _Csc) else scipy.sparse.csr_matrix
    matrix = kind((data, _decode_array(attributes["indices"]), _decode_array(attributes["indptr"])), shape=sizes)
    matrix.check_format(full_check=True)
    return matrix.toarray()


def _selected(record: _Record) -> npt.NDArray[Any]:
    """The value of chumpy's ``Select``: some entries of a flattened array, in a given shape."""
    attributes = record.attributes()
    indices = _decode_array(attributes["idxs"])
    shape = [int(size) for size in _decode_array(attributes["preferred_shape"])]
    return _decode_array(attributes["a"]).ravel()[indices].reshape(shape)
