"""What annotations cannot be, entry by entry: the same rules for checking a set and for importing one."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from gesturehand.data.bone_lengths import REFERENCE_HAND_M, hand_scale, in_words, is_hand
from gesturehand.skeleton import JOINT_NAMES

#: A hand whose coordinates are all this close to the first pixel, or that is smaller, is not given in pixels.
_SMALLEST_HAND_PX: Final = 2.0
#: How close to a labelling tool's marker for missing joints a coordinate counts as one, px (projections are inexact).
_MARKER_TOLERANCE_PX: Final = 1e-3
_MARKERS: Final = ((0.0, 0.0), (-1.0, -1.0))
#: Focal lengths relative to the image's longer side: shorter than a fisheye's, and longer than a telescope's crop.
_SHORTEST_FOCAL: Final = 0.1
_LONGEST: Final = 1e4
#: The two focal lengths of a camera hardly differ; where they do, one of them is something else.
_MOST_FOCAL_RATIO: Final = 2.0
#: Beyond these a fit is not a hand: standard deviations of the shape, radians of a joint, metres from the origin.
_MAX_BETA: Final = 15.0
_MAX_ANGLE_RAD: Final = 2 * np.pi
_MAX_TRANSLATION_M: Final = 20.0


class Implausible(NamedTuple):
    """Something that cannot be.

    Attributes:
        kind: What it is, always in the same words.
        detail: The same with numbers.
        remedy: What to do about it.
    """

    kind: str
    detail: str
    remedy: str


def implausible_pixels(points: np.ndarray, valid: np.ndarray, size: Sequence[float]) -> Iterator[Implausible]:
    """What is wrong with a hand's joints in the image; nothing for a hand without valid joints.

    Args:
        points: (21, 2) px.
        valid: (21,) bool.
        size: Width and height of the image, px.
    """
    shown = np.flatnonzero(valid)
    if not len(shown):
        return
    px, limit = points[shown].astype(np.float64), np.array(size, np.float64)
    # An absurd coordinate may overflow, but is found all the same.
    with np.errstate(over="ignore", invalid="ignore"):
        beyond = np.maximum(-px, px - (limit - 1)).max(-1)
        extent = (px.max(0) - px.min(0)).max()
    marked = [
        joint
        for joint, point in zip(shown, px, strict=True)
        if any(np.abs(point - marker).max() <= _MARKER_TOLERANCE_PX for marker in _MARKERS)
    ]
    if np.abs(px).max() <= _SMALLEST_HAND_PX and len(marked) < len(shown):
        yield Implausible(
            "joints in shares of the image",
            f"every coordinate of the hand is within {_SMALLEST_HAND_PX:g} px of the first pixel",
            "give pixels, that is, multiply x by the image's width and y by its height",
        )
    elif marked:
        x, y = points[marked[0]]
        yield Implausible(
            "joints that are not labelled",
            f"{JOINT_NAMES[marked[0]]} at ({round(float(x), 2):g}, {round(float(y), 2):g}), which tools write for a "
            "joint without a label",
            "mark such joints as not annotated (null)",
        )
    elif not (beyond <= limit.max()).all():
        worst = int(np.nanargmax(np.where(np.isnan(beyond), np.inf, beyond)))
        yield Implausible(
            "joints far outside the image",
            f"{JOINT_NAMES[shown[worst]]} at ({px[worst, 0]:.6g}, {px[worst, 1]:.6g}) px of an image of {limit[0]:g} x "
            f"{limit[1]:g}",
            "check unit and order of the coordinates, and that it is this image",
        )
    elif len(shown) > 1 and extent < _SMALLEST_HAND_PX:
        yield Implausible(
            "joints all at one place",
            f"{len(shown)} joints within {extent:.3g} px",
            "annotate the joints or leave the hand out",
        )
    elif (beyond > 0).all():
        yield Implausible(
            "hand outside the image",
            f"none of {len(shown)} joints is within {limit[0]:g} x {limit[1]:g} px",
            "leave the hand out, or check that it is this image",
        )


def implausible_size(joints: np.ndarray, valid: np.ndarray) -> Iterator[Implausible]:
    """Whether a hand's bones are those of a hand.

    Args:
        joints: (21, 3) m, any frame.
        valid: (21,) bool.
    """
    scale = hand_scale(joints, valid)
    if scale is not None and not is_hand(scale):
        yield Implausible(
            "hand of impossible size",
            f"its bones are those of a hand {in_words(scale)} long, and an adult's is {REFERENCE_HAND_M:g} m",
            "check the unit of the 3D joints",
        )


def implausible_camera(focal: Sequence[float], centre: Sequence[float], size: Sequence[float]) -> Iterator[Implausible]:
    """Whether a camera can have these intrinsics.

    Args:
        focal: fx, fy px.
        centre: cx, cy px.
        size: Width and height of the image, px.
    """
    longer = max(size)
    numbers = np.array([*focal, *centre], np.float64)
    shown = ", ".join(f"{number:.4g}" for number in numbers)
    possible = (
        bool(np.isfinite(numbers).all())
        and min(focal) >= _SHORTEST_FOCAL * longer
        and bool((np.abs(numbers) <= _LONGEST * longer).all())
        and max(focal) <= _MOST_FOCAL_RATIO * min(focal)
    )
    if not possible:
        yield Implausible(
            "intrinsics of no camera",
            f"fx, fy, cx, cy of {shown} for an image of {size[0]:g} x {size[1]:g} px",
            "give them in pixels of this image and in this order",
        )


def implausible_fit(pose: np.ndarray, betas: np.ndarray, trans: np.ndarray) -> Iterator[Implausible]:
    """Whether MANO's parameters are those of a hand.

    Args:
        pose: (48,) rad, axis-angle.
        betas: (10,).
        trans: (3,) m.
    """
    numbers = np.concatenate([pose, betas, trans])
    if not np.isfinite(numbers).all():
        yield Implausible("MANO parameters absurd", "not 48 + 10 + 3 finite numbers", "correct or remove the fit")
        return
    with np.errstate(over="ignore"):
        angle = np.linalg.norm(pose.reshape(-1, 3), axis=-1).max()
    beta, far = np.abs(betas).max(), np.abs(trans).max()
    limits = {
        f"joint angle {angle:.3g} rad": angle > _MAX_ANGLE_RAD,
        f"beta {beta:.3g}": beta > _MAX_BETA,
        f"translation {far:.3g} m": far > _MAX_TRANSLATION_M,
    }
    wrong = [text for text, is_wrong in limits.items() if is_wrong]
    if wrong:
        yield Implausible("MANO parameters absurd", ", ".join(wrong), "give radians and metres, or remove the fit")
