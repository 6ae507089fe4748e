"""Bones, which reveal a wrong unit, joint order or side where a projection does not."""

from collections.abc import Sequence
from typing import Final

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
#: Fewer bones do not allow a judgement.
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
#: How much better another order must fit the reference, and how badly the given one, for that to be called wrong.
_BETTER: Final = 1.5
_BAD_SPREAD: Final = 0.25

_PARENTS, _CHILDREN = (list(ends) for ends in zip(*BONES, strict=True))


def places_of(order: Sequence[str]) -> list[int]:
    """For each of the papers' joints, its place in another order."""
    return [order.index(name) for name in JOINT_NAMES]


def bone_ratios(joints: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Bone lengths over an adult's.

    Args:
        joints: (..., 21, D) in any unit.
        valid: (..., 21) bool.

    Returns:
        (..., 20) float64; NaN for a bone without both ends.
    """
    # An absurd length overflows to infinity, which is no less absurd.
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(np.asarray(joints, np.float64)[..., _CHILDREN, :] - joints[..., _PARENTS, :], axis=-1)
    return np.where(valid[..., _PARENTS] & valid[..., _CHILDREN], lengths / REFERENCE_BONES_M, np.nan)


def hand_scale(joints: np.ndarray, valid: np.ndarray) -> float | None:
    """A hand's size over an adult's: the median of its bones' ratios, or None where too few are known.

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
    """Another order of the joints that gives hands where the given one does not.

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
    # NaN, where no bone is known, compares as False.
    return best if given > max(_BAD_SPREAD, _BETTER * spreads[best]) else None


def right_bend(joints: np.ndarray) -> float:
    """How far a hand's fingers bend as a right hand's do: towards its palm.

    The sine of the bend at the middle joints of the four fingers, about the line of the knuckles, averaged; of a left
    hand, and of a right one in a mirrored frame, it is negative, and of a straight one about 0.

    Args:
        joints: (21, 3), x right, y down, z forward, in any unit; NaN for a joint that is not known.

    Returns:
        From -1 to 1; 0 where nothing can be said.
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
    """How far the proportions are from an adult's: standard deviation of the logarithms of the bones' ratios."""
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
