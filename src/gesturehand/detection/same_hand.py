"""Which of several crops' landmarks are one hand."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from gesturehand.detection.landmarks import Landmarks
from gesturehand.skeleton import WRIST

#: Mean distance of the joints over the larger hand's size: nearer than this is the same hand, whatever its side.
_SAME_JOINTS: Final = 0.2
#: Distance of the wrists over the same: an arm has one right hand.
_SAME_WRIST: Final = 0.25
#: A smaller hand that lies within a larger one's box to this share, and has this share of its size, is a part of it.
_INSIDE: Final = 0.7
_PART: Final = 0.6


def each_once(hands: Landmarks) -> Landmarks:
    """Drops every hand that a more certain one (by presence) already shows.

    Returns:
        The others, the most certain first.
    """
    order = np.argsort(-hands.presence, kind="stable")
    return hands.part(np.array(first_of_each(hands, order.tolist()), int))


def first_of_each(hands: Landmarks, order: Sequence[int]) -> list[int]:
    """The hands that none before them in an order shows.

    Args:
        hands: N of them.
        order: Numbers of those that are looked at, the one to keep of two that are the same hand first.

    Returns:
        Their numbers, in that order.
    """
    kept: list[int] = []
    for number in order:
        if not any(_same(hands, number, other) for other in kept):
            kept.append(number)
    return kept


def _same(hands: Landmarks, number: int, other: int) -> bool:
    a, b = hands.joints[number], hands.joints[other]
    low, high = (np.stack([pick(joints, 0) for joints in (a, b)]) for pick in (np.min, np.max))
    sizes = (high - low).max(-1)
    larger = float(sizes.max())
    if np.linalg.norm(a - b, axis=-1).mean() < _SAME_JOINTS * larger:
        return True
    same_side = (hands.right[number] > 0.5) == (hands.right[other] > 0.5)
    if same_side and np.linalg.norm(a[WRIST] - b[WRIST]) < _SAME_WRIST * larger:
        return True
    shared = np.prod(np.clip(high.min(0) - low.max(0), 0, None))
    smaller = int(sizes.argmin())
    return bool(sizes.min() < _PART * larger and shared > _INSIDE * np.prod(high[smaller] - low[smaller]))
