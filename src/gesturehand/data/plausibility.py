"""Impossible annotations, and what bones reveal about them: one set of rules for checking and for importing."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from gesturehand.skeleton import BONES, FINGERS, INTERHAND_JOINT_NAMES, JOINT_NAMES, MANO_JOINT_NAMES

#: An adult's bones, in the order of :data:`~gesturehand.skeleton.BONES`, m: about those of InterHand2.6M's subjects.
REFERENCE_BONES_M: Final = (
    np.array([40, 34, 31, 28, 92, 42, 24, 23, 90, 43, 29, 23, 84, 38, 26, 22, 80, 30, 20, 19]) / 1000
)
#: From the wrist to the middle finger's tip, m.
REFERENCE_HAND_M: Final = 0.185
#: A newborn's hand is 0.35 times an adult's, the largest ones 1.3 times; inches and feet lie outside, too.
SMALLEST_HAND: Final = 0.3
LARGEST_HAND: Final = 2.5
#: Fewer bones are not enough to judge.
_FEWEST_BONES: Final = 3

#: Orders of other projects by name, each as the names of the joints at its places.
OTHER_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "InterHand2.6M's order (tips first, wrist last)": INTERHAND_JOINT_NAMES,
    "MANO's order (16 joints, then the tips)": (*MANO_JOINT_NAMES, *(f"{finger}4" for finger in FINGERS)),
    "an order from the tips to the palm": ("wrist", *(f"{finger}{k}" for finger in FINGERS for k in (4, 3, 2, 1))),
    "an order from the pinky to the thumb": (
        "wrist",
        *(f"{finger}{k}" for finger in reversed(FINGERS) for k in (1, 2, 3, 4)),
    ),
    "an order with the wrist last": (*JOINT_NAMES[1:], "wrist"),
    "an order by knuckles (all first joints, then all second ones)": (
        "wrist",
        *(f"{finger}{k}" for k in (1, 2, 3, 4) for finger in FINGERS),
    ),
}
#: How much better another order must fit the reference, and how badly the given one, for the given one to be wrong.
_BETTER: Final = 1.5
_BAD_SPREAD: Final = 0.25

_PARENTS, _CHILDREN = (list(ends) for ends in zip(*BONES, strict=True))
#: A hand whose coordinates are all this close to the first pixel, or that is smaller, is not given in pixels.
_SMALLEST_HAND_PX: Final = 2.0
#: How close to a labelling tool's marker for missing joints a coordinate counts as one, px (projections are inexact).
_MARKER_TOLERANCE_PX: Final = 1e-3
_MARKERS: Final = ((0.0, 0.0), (-1.0, -1.0))
#: Focal lengths relative to the image's longer side: shorter than a fisheye's, and longer than a telescope's crop.
_SHORTEST_FOCAL: Final = 0.1
_LONGEST: Final = 1e4
#: The two focal lengths of a camera hardly differ; if they do, one of them is something else.
_MOST_FOCAL_RATIO: Final = 2.0
#: Beyond these a fit is not a hand: standard deviations of the shape, radians of a joint, metres from the origin.
_MAX_BETA: Final = 15.0
_MAX_ANGLE_RAD: Final = 2 * np.pi
_MAX_TRANSLATION_M: Final = 20.0


def places_of(order: Sequence[str]) -> list[int]:
    """For each of the papers' joints, its index in another order."""
    return [order.index(name) for name in JOINT_NAMES]


def bone_ratios(joints: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Bone lengths over an adult's.

    Args:
        joints: (..., 21, D) in any unit.
        valid: (..., 21) bool.

    Returns:
        (..., 20) float64; NaN for a bone without both ends.
    """
    # An absurd length overflows to infinity, which is just as absurd.
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(np.asarray(joints, np.float64)[..., _CHILDREN, :] - joints[..., _PARENTS, :], axis=-1)
    return np.where(valid[..., _PARENTS] & valid[..., _CHILDREN], lengths / REFERENCE_BONES_M, np.nan)


def hand_scale(joints: np.ndarray, valid: np.ndarray) -> float | None:
    """A hand's size relative to an adult's: the median of its bones' ratios, or None if too few are known.

    Args:
        joints: (21, 3) m.
        valid: (21,) bool.

    Example:
        >>> import numpy as np
        >>> line = np.concatenate([np.zeros((1, 3)), np.cumsum(np.ones((20, 3)), 0)])
        >>> hand_scale(line, np.arange(21) < 3) is None
        True
    """
    ratios = bone_ratios(joints, valid)
    known = ratios[~np.isnan(ratios)]
    return float(np.median(known)) if len(known) >= _FEWEST_BONES else None


def is_hand(scale: float) -> bool:
    """Whether a hand can have this size, relative to an adult's."""
    return SMALLEST_HAND <= scale <= LARGEST_HAND


def in_words(scale: float) -> str:
    """A hand's length in a unit that reads well."""
    length = scale * REFERENCE_HAND_M
    return f"{length:.3g} m" if length >= 0.01 else f"{length * 1000:.3g} mm"


def better_order(joints: np.ndarray, valid: np.ndarray) -> str | None:
    """Another order in which the joints form hands although they do not in the given one.

    Each bone's median over all hands is compared with an adult's, so that noise and single bad hands do not matter.

    Args:
        joints: (N, 21, D), D of 2 or 3, in any unit and supposedly in the papers' order.
        valid: (N, 21) bool.

    Returns:
        Its name among :data:`OTHER_ORDERS`, or None if the order is right or cannot be judged.
    """
    given = _spread(joints, valid)
    spreads = {}
    for name, order in OTHER_ORDERS.items():
        places = places_of(order)
        spreads[name] = _spread(joints[:, places], valid[:, places])
    best = min(spreads, key=spreads.__getitem__)
    # NaN, for which no bone is known, compares as False.
    return best if given > max(_BAD_SPREAD, _BETTER * spreads[best]) else None


def right_bend(joints: np.ndarray) -> float:
    """The bend of a hand's fingers in the direction of a right hand's, which is towards its palm.

    This is the mean sine of the bend at the middle joints of the four fingers, about the line of the knuckles. It is
    negative for a left hand, and for a right one in a mirrored frame, and about 0 for a straight hand.

    Args:
        joints: (21, 3), x right, y down, z forward, in any unit; NaN for a joint that is not known.

    Returns:
        From -1 to 1; 0 if it cannot be determined.
    """
    points = np.asarray(joints, np.float64)[1:].reshape(len(FINGERS), 4, 3)[1:]
    bones = _unit(np.diff(points, axis=1))
    across = _unit(points[-1, 0] - points[0, 0])
    sines = -np.cross(bones[:, :-1], bones[:, 1:]) @ across
    known = np.isfinite(sines)
    return float(sines[known].mean()) if known.any() else 0.0


def _unit(vectors: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _spread(joints: np.ndarray, valid: np.ndarray) -> float:
    """Distance of the proportions from an adult's: standard deviation of the logarithms of the bones' ratios."""
    ratios = bone_ratios(joints, valid)
    known = ~np.isnan(ratios)
    ratios = ratios[known.sum(-1) > len(BONES) // 2]
    if not len(ratios):
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.log(ratios / np.nanmedian(ratios, axis=-1, keepdims=True))
    shares = np.where(np.isfinite(shares), shares, np.nan)
    enough = (~np.isnan(shares)).any(0)
    return float(np.nanstd(np.nanmedian(shares[:, enough], axis=0))) if enough.any() else float("nan")


class Implausible(NamedTuple):
    """Something impossible.

    Attributes:
        kind: The problem, always in the same words.
        detail: The same with numbers.
        remedy: The remedy.
    """

    kind: str
    detail: str
    remedy: str


def implausible_pixels(points: np.ndarray, valid: np.ndarray, size: Sequence[float]) -> Iterator[Implausible]:
    """The problems of a hand's joints in the image; none for a hand without valid joints.

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
            "joints in fractions of the image",
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
    """The problems of a hand's bones: whether they can be those of a hand.

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
    """The problems of intrinsics: whether a camera can have them.

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
    """The problems of MANO's parameters: whether they can be those of a hand.

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
