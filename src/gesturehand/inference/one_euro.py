"""The One-Euro filter (Casiez, Roussel, Vogel: "1 € Filter", CHI 2012), of vectors and of rotations.

A low-pass filter of first order whose cutoff frequency grows with the speed: what stands still is smoothed much, what
moves fast lags little.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

FloatArray = npt.NDArray[np.float64]
Difference = Callable[[FloatArray, FloatArray], FloatArray]
Move = Callable[[FloatArray, FloatArray], FloatArray]

#: Cutoff of the speed's own low-pass filter, the paper's.
_SPEED_CUTOFF_HZ: Final = 1.0


def rotation_difference(start: FloatArray, end: FloatArray) -> FloatArray:
    """The rotation vectors (N, 3) that lead from rotations (N, 3, 3) to others, in the frames of the first."""
    return np.asarray(Rotation.from_matrix(start.swapaxes(-1, -2) @ end).as_rotvec())


def rotation_move(start: FloatArray, step: FloatArray) -> FloatArray:
    """Rotations (N, 3, 3) moved by rotation vectors (N, 3) in their own frames, on the geodesic."""
    return np.asarray(start @ Rotation.from_rotvec(step).as_matrix())


class OneEuro:
    """Smooths N things that move independently, each with a cutoff from its own speed.

    Args:
        cutoff_hz: Cutoff frequency at rest.
        slope: By how much the cutoff grows with the speed: Hz per unit and second (the paper's β).
        difference: The step (N, C) from one value to another; of vectors (N, C), the difference.
        move: The value that a step leads to; of vectors, the sum.
        leading: Beyond the paper: first move on at the smoothed speed, so that a steady motion is followed without lag.
    """

    def __init__(
        self,
        cutoff_hz: float,
        slope: float,
        difference: Difference | None = None,
        move: Move | None = None,
        *,
        leading: bool = False,
    ) -> None:
        self.cutoff_hz = cutoff_hz
        self.slope = slope
        self.leading = leading
        self._difference = difference or (lambda start, end: end - start)
        self._move = move or (lambda start, step: start + step)
        self._raw: FloatArray | None = None
        self._smooth: FloatArray | None = None
        self._speed: FloatArray | None = None

    def __call__(self, value: FloatArray, passed_s: float) -> FloatArray:
        """The smoothed value.

        Args:
            value: Of now, (N, C), or what ``difference`` takes.
            passed_s: Time since the last value; not used for the first one, which is given back.
        """
        if self._raw is None or self._smooth is None:
            self._raw = self._smooth = value
            return value
        speed = self._difference(self._raw, value) / passed_s
        if self._speed is None:
            self._speed = np.zeros_like(speed)
        self._speed = self._speed + _share(np.array(_SPEED_CUTOFF_HZ), passed_s) * (speed - self._speed)
        cutoff = self.cutoff_hz + self.slope * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        self._raw = value
        if self.leading:
            self._smooth = self._move(self._smooth, self._speed * passed_s)
        self._smooth = self._move(self._smooth, _share(cutoff, passed_s) * self._difference(self._smooth, value))
        return self._smooth


def _share(cutoff_hz: FloatArray, passed_s: float) -> FloatArray:
    """How much of the way to a new value an exponential filter goes: the paper's α."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * passed_s))
