"""Random numbers that depend on what they are for and on nothing else, so that the order of work does not matter."""

import zlib

import numpy as np


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A generator of its own for a purpose within a set.

    Args:
        seed: of the set, not negative.
        purpose: what the numbers are for.
        numbers: which subject, capture, frame … they are for, not negative.

    Example:
        >>> a, b = generator(0, "subject", 3), generator(0, "subject", 3)
        >>> bool(a.random() == b.random() != generator(0, "capture", 3).random())
        True
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *numbers])
