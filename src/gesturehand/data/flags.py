"""42 joint flags as two words of 21 bits: read from raw JSON, unpacked when they are needed."""

from typing import Any, Final

import msgspec
import numpy as np

from gesturehand.skeleton import JOINTS_FROM_INTERHAND, NUM_JOINTS

_COUNT: Final = 2 * NUM_JOINTS
_BITS: Final = np.arange(NUM_JOINTS, dtype=np.uint32)
#: The number of set bits of each byte.
_SET_BITS: Final = np.array([number.bit_count() for number in range(256)], np.uint8)
_Flag = bool | int | float


class FlagReader:
    """Turns ``joint_valid`` from the files into one word for the right hand and one for the left.

    Bit j of a word is the papers' joint j. Most images repeat a pattern that was seen before, so that 42 numbers are
    rarely parsed.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int]] = {}
        self._decoder = msgspec.json.Decoder(list[_Flag | list[_Flag]])
        self._order = [hand * NUM_JOINTS + place for hand in (0, 1) for place in JOINTS_FROM_INTERHAND]

    def __call__(self, raw: msgspec.Raw) -> tuple[int, int]:
        """The two words.

        Args:
            raw: A JSON list of 42 flags: numbers or booleans, each alone or in a separate list.

        Raises:
            ValueError: It is something else.
        """
        text = bytes(raw)
        words = self._known.get(text)
        if words is None:
            if len(self._known) > 100_000:
                self._known.clear()
            words = self._known[text] = self._parse(text)
        return words

    def _parse(self, text: bytes) -> tuple[int, int]:
        flags: list[Any] = []
        for flag in self._decoder.decode(text):
            flags.extend(flag) if isinstance(flag, list) else flags.append(flag)
        if len(flags) != _COUNT:
            raise ValueError(f"Expected {_COUNT} flags, got {len(flags)}")
        bits = [bool(flags[place]) for place in self._order]
        return tuple(
            sum(bit << j for j, bit in enumerate(bits[start : start + NUM_JOINTS])) for start in (0, NUM_JOINTS)
        )  # type: ignore[return-value]


def count_flags(words: np.ndarray) -> np.ndarray:
    """(...) uint32 → (...) int64, the number of flagged joints."""
    return _SET_BITS[np.ascontiguousarray(words)[..., None].view(np.uint8)].sum(-1, dtype=np.int64)


def pack_flags(flags: np.ndarray) -> np.ndarray:
    """(..., 21) bool → (...) uint32."""
    return (flags.astype(np.uint32) << _BITS).sum(-1, dtype=np.uint32)


def unpack_flags(words: np.ndarray) -> np.ndarray:
    """(...) uint32 → (..., 21) bool."""
    return (np.asarray(words)[..., None] >> _BITS & 1).astype(bool)


class JointFlags:
    """(N, 2, 21) bool as an array that is kept packed, 8 bytes per row, and unpacked when indexed.

    Takes NumPy's indices of the first two axes and returns a bool array with the joints as its last axis.

    Attributes:
        words: (N, 2) uint32, right and left.
    """

    def __init__(self, words: np.ndarray) -> None:
        self.words = words

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, 2, 21)."""
        return (*self.words.shape, NUM_JOINTS)

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index: Any) -> np.ndarray:
        return unpack_flags(self.words[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)
