"""Predicted hands of a video, smoothed along their tracks: pose, shape and place.

:func:`smooth_both_ways` looks at the frames before and after each one, which files allow. :class:`HandSmoother` knows
only those before, as live cameras require; it uses the One-Euro filter (Casiez, Roussel, Vogel: "1 € Filter", CHI
2012), a first-order low-pass filter whose cutoff frequency grows with the speed, so that still hands are smoothed
strongly and fast ones lag little.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.transform import Rotation

from gesturehand.camera import project
from gesturehand.inference.joint_definition import PosedHand
from gesturehand.inference.result import HandResult
from gesturehand.skeleton import BONES

FloatArray = npt.NDArray[np.float64]
Difference = Callable[[FloatArray, FloatArray], FloatArray]
Move = Callable[[FloatArray, FloatArray], FloatArray]
Item = TypeVar("Item")

#: Cutoff of the low-pass filter on the speed within the One-Euro filter, from its paper, Hz.
_SPEED_CUTOFF_HZ: Final = 1.0

#: One-Euro's cutoffs at rest, Hz, and their slopes, Hz per unit and second (docs/predict.md shows their effect), for
#: rotations (rad), for the place in the image (hand sizes) and for the logarithm of the depth.
_ROTATION: Final = (1.2, 0.6)
_DIRECTION: Final = (8.0, 1.0)
_DEPTH: Final = (0.8, 1.0)
#: How far :func:`smooth_both_ways` looks on either side, s: for rotations, for the place in the image and for the
#: depth.
_REACHES: Final = (0.2, 0.2, 0.5)
#: Degree of the polynomial that it fits to those frames.
_DEGREE: Final = 2
#: Rotations count less the further they lie from the fitted ones, and not at all beyond this many times the median
#: distance, or this many radians if that is more: a hand seen edge-on is now and then mistaken for one seen from
#: behind.
_OUTLYING: Final = 4.0
_OUTLYING_RAD: Final = 0.6
#: Number of fits with such weights.
_FITS: Final = 3
#: It looks at no more than this many frames on either side, which bounds the memory.
_MOST_FRAMES: Final = 30
#: Least distance of a hand from the camera, m.
_NEAREST_M: Final = 0.01


def rotation_difference(start: FloatArray, end: FloatArray) -> FloatArray:
    """The rotation vectors (N, 3) from rotations (N, 3, 3) to others, in the frames of the former."""
    return np.asarray(Rotation.from_matrix(start.swapaxes(-1, -2) @ end).as_rotvec())


def rotation_move(start: FloatArray, step: FloatArray) -> FloatArray:
    """Rotations (N, 3, 3), each moved along the geodesic by a rotation vector (N, 3) in its own frame."""
    return np.asarray(start @ Rotation.from_rotvec(step).as_matrix())


class OneEuro:
    """Smooths N things that move independently, each with a cutoff from its own speed.

    Args:
        cutoff_hz: Cutoff frequency at rest.
        slope: Growth of the cutoff with the speed, Hz per unit and second (the paper's β).
        difference: The step (N, C) from one value to another; of vectors (N, C), the difference.
        move: The value that a step leads to; of vectors, the sum.
        leading: An addition to the paper: first move on at the smoothed speed, so that steady motion is followed
            without lag.
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
            value: The present value, (N, C), or whatever ``difference`` takes.
            passed_s: Time since the last value, s; not used for the first value, which is returned as it is.
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
    """The share of the way to a new value that an exponential filter goes: the paper's α."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * passed_s))


class _Parts(NamedTuple):
    """The parts of a hand that are smoothed, each by itself.

    Attributes:
        rotations: (16, 3, 3).
        direction: (2,) x and y over z of the joints' mean.
        farness: The logarithm of that mean's depth over the hand's size.
        betas: (10,).
    """

    rotations: FloatArray
    direction: FloatArray
    farness: float
    betas: FloatArray

    @classmethod
    def of(cls, hand: HandResult) -> "_Parts":
        seen = hand.joints.astype(np.float64)
        middle = np.maximum(seen.mean(0), [-np.inf, -np.inf, _NEAREST_M])
        rotations = np.concatenate([hand.global_orient[None], hand.hand_pose]).astype(np.float64)
        farness = float(np.log(middle[2] / _bone_length(seen)))
        return cls(rotations, middle[:2] / middle[2], farness, hand.betas.astype(np.float64))


@dataclass
class _TrackState:
    """The state of a track.

    Attributes:
        frame: Number of the last frame in which it was seen.
        count: Number of such frames.
        betas: (10,) mean shape.
        unit: Unit of directions: the hand's size over its distance, in the first frame.
    """

    frame: int
    count: int
    betas: FloatArray
    unit: float = 0.0
    rotations: OneEuro = field(default_factory=lambda: OneEuro(*_ROTATION, rotation_difference, rotation_move))
    direction: OneEuro = field(default_factory=lambda: OneEuro(*_DIRECTION, leading=True))
    depth: OneEuro = field(default_factory=lambda: OneEuro(*_DEPTH))


class HandSmoother:
    """Smooths the hands of a video's frames, which are given in order, from the frames seen so far.

    Rotations are filtered on the manifold, and shapes averaged. The place is filtered as the direction to the joints'
    mean and the logarithm of its distance over the hand's size, since a picture determines the former well and the
    latter badly. Everything that follows from these is recomputed: vertices, joints and their projections. Predictions
    about the image itself (``joints_2d_image``, ``camera``, gestures) are left as they are in each frame.

    Args:
        hand_model: The network's hand model.
        fps: Frames per second.
    """

    def __init__(self, hand_model: PosedHand, fps: float) -> None:
        self._hand_model = hand_model
        self._fps = fps
        self._tracks: dict[int, _TrackState] = {}

    def __call__(self, frame: int, tracks: Sequence[int], hands: Sequence[HandResult]) -> list[HandResult]:
        """The smoothed hands of a frame.

        Args:
            frame: Its number.
            tracks: Number of each hand's track; a track has one side.
            hands: The predicted hands.
        """
        parts = [self._smoothed(frame, track, _Parts.of(hand)) for track, hand in zip(tracks, hands, strict=True)]
        return _rebuilt(self._hand_model, hands, parts)

    def _smoothed(self, frame: int, track: int, seen: _Parts) -> _Parts:
        state = self._tracks.setdefault(track, _TrackState(frame, 0, np.zeros(len(seen.betas))))
        state.count += 1
        state.betas = state.betas + (seen.betas - state.betas) / state.count
        # In units of the hand's size, so that distant hands are not smoothed more.
        state.unit = state.unit or float(np.exp(-seen.farness))
        passed_s = max(frame - state.frame, 1) / self._fps
        state.frame = frame
        return _Parts(
            state.rotations(seen.rotations, passed_s),
            state.direction(seen.direction[None] / state.unit, passed_s)[0] * state.unit,
            float(state.depth(np.array([[seen.farness]]), passed_s)[0, 0]),
            state.betas,
        )


class _Waiting(NamedTuple):
    """A frame whose later neighbours are still missing."""

    item: Any
    tracks: Sequence[int]
    hands: Sequence[HandResult]
    parts: dict[int, _Parts]


def smooth_both_ways(
    hand_model: PosedHand, fps: float, frames: Iterable[tuple[Item, Sequence[int], Sequence[HandResult]]]
) -> Iterator[tuple[Item, Sequence[int], list[HandResult]]]:
    """Smooths hands from the frames before and after each one, so that nothing lags behind.

    A polynomial in time is fitted to a track's neighbouring frames by weighted least squares, and its value in the
    middle is taken (Savitzky and Golay, 1964, with frames missing where the hand was lost; the weights fall to zero as
    Cleveland's do, 1979). Rotations are fitted in the tangent space at one that lies in the middle of them, and those
    far from the polynomial are left out, as in Cleveland's method: a hand that is seen the wrong way round in a few
    frames is turned back. The same parts are smoothed as by :class:`HandSmoother`; the shape is the mean over the
    track's frames so far.

    Args:
        hand_model: The network's hand model.
        fps: Frames per second.
        frames: For each frame, in order: anything that belongs to it, its hands' tracks, and its hands.

    Yields:
        The same with smoothed hands, a fraction of a second later.
    """
    reach = [min(round(seconds * fps), _MOST_FRAMES) for seconds in _REACHES]
    ahead = max(reach)
    sums: dict[int, tuple[int, FloatArray]] = {}
    window: deque[_Waiting] = deque()  # up to `ahead` frames on either side of the one in the middle
    middle = 0

    def smoothed() -> tuple[Item, Sequence[int], list[HandResult]]:
        own = window[middle]
        parts = [_fitted(window, middle, track, reach, _mean(sums[track])) for track in own.tracks]
        window[middle] = _Waiting(None, (), (), own.parts)  # neighbours are used without their pictures
        return own.item, own.tracks, _rebuilt(hand_model, own.hands, parts)

    for item, tracks, hands in frames:
        seen = {track: _Parts.of(hand) for track, hand in zip(tracks, hands, strict=True)}
        for track, parts in seen.items():
            count, betas = sums.get(track, (0, np.zeros(len(parts.betas))))
            sums[track] = (count + 1, betas + parts.betas)
        window.append(_Waiting(item, tracks, hands, seen))
        if len(window) - middle > ahead:
            yield smoothed()
            middle += 1
            if middle > ahead:
                window.popleft()
                middle -= 1
    while middle < len(window):
        yield smoothed()
        middle += 1


def _mean(entry: tuple[int, FloatArray]) -> FloatArray:
    count, total = entry
    return total / count


def _fitted(window: Sequence[_Waiting], middle: int, track: int, reach: Sequence[int], betas: FloatArray) -> _Parts:
    """A track's parts in the middle of a window."""
    near = {
        number - middle: frame.parts[track]
        for number, frame in enumerate(window)
        if track in frame.parts and abs(number - middle) <= max(reach)
    }
    times = np.array(list(near))
    directions, farness = (local_weights(times, frames, _DEGREE) for frames in reach[1:])
    return _Parts(
        _fitted_rotations(np.stack([parts.rotations for parts in near.values()]), times, reach[0]),
        directions @ np.stack([parts.direction for parts in near.values()]),
        float(farness @ np.array([parts.farness for parts in near.values()])),
        betas,
    )


def _fitted_rotations(rotations: FloatArray, times: npt.NDArray[np.int_], reach: int) -> FloatArray:
    """Rotations (J, 3, 3) of a local polynomial at time 0, fitted to rotations (T, J, 3, 3) without outliers."""
    close = np.abs(times) <= reach
    rotations, times = rotations[close], times[close]
    near, powers = _basis(times, reach, _DEGREE)
    # For each joint, the rotation with the least sum of angles to the others, so as not to start from an outlier.
    cosines = (np.einsum("tjab,sjab->jts", rotations, rotations) - 1) / 2
    centres = (np.arccos(cosines.clip(-1, 1)) @ near).argmin(-1)
    start = rotations[centres, np.arange(len(centres))]
    steps = Rotation.from_matrix((start.swapaxes(-1, -2) @ rotations).reshape(-1, 3, 3)).as_rotvec()
    steps = steps.reshape(rotations.shape[:3]).swapaxes(0, 1)  # (J, T, 3)
    # A first fit without weights would lean towards outliers, so the first distances are those from the start.
    fitted = np.zeros_like(steps)
    for _ in range(_FITS):
        residuals = np.linalg.norm(steps - fitted, axis=-1)
        limit = np.maximum(_OUTLYING * np.median(residuals, axis=-1, keepdims=True), _OUTLYING_RAD)
        roots = np.sqrt(near * (1 - (residuals / limit).clip(max=1) ** 2) ** 2)[..., None]
        coefficients = np.linalg.pinv(powers * roots) @ (steps * roots)  # (J, D, 3)
        fitted = powers @ coefficients
    return rotation_move(start, coefficients[:, 0])


def local_weights(times: npt.NDArray[np.int_], reach: int, degree: int) -> FloatArray:
    """Weights (T,) whose product with values at times is a local polynomial's value at time 0.

    Args:
        times: Times in frames relative to the frame to be smoothed, which is among them.
        reach: Number of frames considered on either side.
        degree: Degree of the polynomial; it is lowered if there are few frames.
    """
    near, powers = _basis(times, reach, degree)
    roots = np.sqrt(near)
    return np.asarray(np.linalg.pinv(powers * roots[:, None])[0] * roots, np.float64)


def _basis(times: npt.NDArray[np.int_], reach: int, degree: int) -> tuple[FloatArray, FloatArray]:
    """Cleveland's weights (T,) of times, and the powers (T, D) of a polynomial, of lower degree if few are near."""
    near = (1 - (np.abs(times) / (reach + 1)).clip(max=1) ** 3) ** 3
    degree = min(degree, max((int((near > 0).sum()) - 1) // 2, 0))
    return near, np.power.outer(times / (reach + 1), np.arange(degree + 1))


def _rebuilt(hand_model: PosedHand, hands: Sequence[HandResult], parts: Sequence[_Parts]) -> list[HandResult]:
    """Hands with other parts, and all that follows from these."""
    if not hands:
        return []
    vertices, joints = _posed(hand_model, hands, parts)
    rebuilt = []
    for i, (hand, own) in enumerate(zip(hands, parts, strict=True)):
        depth = _bone_length(joints[i]) * float(np.exp(own.farness))
        place = np.array([*(own.direction * depth), depth]) - joints[i].mean(0)
        moved = joints[i] + place
        rotvec = Rotation.from_matrix(own.rotations).as_rotvec()
        rebuilt.append(
            replace(
                hand,
                global_orient=_float32(own.rotations[0]),
                hand_pose=_float32(own.rotations[1:]),
                betas=_float32(own.betas),
                cam_t=_float32(place),
                vertices=_float32(vertices[i] + place),
                joints=_float32(moved),
                joints_2d=_float32(project(moved, hand.intrinsics.astype(np.float64))),
                global_orient_axis_angle=_float32(rotvec[0]),
                hand_pose_axis_angle_flat=_float32(rotvec[1:].reshape(-1)),
                hand_pose_axis_angle=_float32(rotvec[1:].reshape(-1) - hand.hands_mean),
            )
        )
    return rebuilt


@torch.inference_mode()
def _posed(
    hand_model: PosedHand, hands: Sequence[HandResult], parts: Sequence[_Parts]
) -> tuple[FloatArray, FloatArray]:
    """Vertices (N, V, 3) and joints (N, 21, 3), m, of hands that are not moved."""
    device = hand_model.faces.device
    vertices, joints = hand_model(
        torch.from_numpy(np.stack([own.rotations for own in parts])).float().to(device),
        torch.from_numpy(np.stack([own.betas for own in parts])).float().to(device),
        None,
        torch.tensor([hand.side == "right" for hand in hands], device=device),
    )
    return vertices.cpu().numpy().astype(np.float64), joints.cpu().numpy().astype(np.float64)


def _bone_length(joints: FloatArray) -> float:
    """Total length of all bones, m: a hand's size, which does not depend on its pose."""
    parents, children = np.array(BONES).T
    return float(np.linalg.norm(joints[children] - joints[parents], axis=-1).sum())


def _float32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(values, np.float32)
