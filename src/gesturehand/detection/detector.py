"""Finds the hands in a photo: palms at several scales, then landmarks in two passes, each hand once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gesturehand.data.image_file import rgb_array
from gesturehand.detection.landmarks import LandmarkNetwork, Landmarks, crops_of_joints, crops_of_palms, upright_angles
from gesturehand.detection.palms import SURE_PALM, PalmNetwork, Palms
from gesturehand.detection.views import ImagePyramid, views_of
from gesturehand.settings import check_range
from gesturehand.skeleton import MIDDLE_MCP, SIDES, WRIST, Side

#: Size of the smallest hands to detect.
SMALLEST_PX: Final = 40.0
#: Hands are reported from this score on.
MIN_SCORE: Final = 0.5
#: If the first pass, whose crop is based only on a palm, is not certain, the second may still find a hand.
_FIRST_PRESENCE: Final = 0.2
#: If the palm is uncertain, the landmark model must be at least this certain of a hand.
_SURE_HAND: Final = 0.7
#: A second pass that moves further than this, relative to the hand's size, has jumped to another hand.
_LOST: Final = 0.5
#: Side of a hand's box relative to that of its joints' box.
BOX_OVER_JOINTS: Final = 1.1
#: Mean distance of the joints over the larger hand's size: nearer than this is the same hand, whatever its side.
_SAME_JOINTS: Final = 0.2
#: Distance of the wrists over the same: an arm has one right hand.
_SAME_WRIST: Final = 0.25
#: A smaller hand that lies within a larger one's box to this share, and has this share of its size, is a part of it.
_INSIDE: Final = 0.7
_PART: Final = 0.6


@dataclass(frozen=True)
class HandDetection:
    """A hand in a photo.

    Attributes:
        box: x, y, width, height px: the joints' box widened by a tenth, roughly the visible part of the hand.
        side: Its side as the picture shows it; a mirrored selfie gives the opposite side.
        score: 0…1, the probability of a hand.
        joints_2d: (21, 2) px float64, the papers' order.
        turn_deg: Rotation of a crop, clockwise as seen, that makes the line from wrist to middle knuckle point up.
    """

    box: tuple[float, float, float, float]
    side: Side
    score: float
    joints_2d: npt.NDArray[np.float64]
    turn_deg: float


def check_detection(
    *, min_score: float = MIN_SCORE, max_hands: int | None = None, smallest_px: float | None = None
) -> None:
    """Checks the settings of a search for hands.

    Raises:
        UserError: A number is out of its range.
    """
    check_range("", 0, open_ends="low", smallest_px=smallest_px)
    check_range("", 0, 1, min_score=min_score)
    check_range("", 1, whole=True, max_hands=max_hands)


class HandDetector:
    """Finds any number of hands in photos, in any orientation, down to a given size.

    Example::

        for hand in HandDetector()(image):
            print(hand.side, hand.box, hand.score)

    Args:
        threads: Number of threads of a network's call.

    Raises:
        UserError: ONNX Runtime is not installed.
    """

    def __init__(self, threads: int = 1) -> None:
        self._palms = PalmNetwork(threads)
        self._landmarks = LandmarkNetwork(threads)

    def __call__(
        self,
        image: npt.NDArray[np.uint8],
        *,
        min_score: float = MIN_SCORE,
        max_hands: int | None = None,
        smallest_px: float = SMALLEST_PX,
    ) -> list[HandDetection]:
        """The hands of an image.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_score: Leave out hands with a lower score.
            max_hands: Keep at most this many, the most certain ones.
            smallest_px: Size (the longer side of the box) of the smallest hands to detect. The time grows with the
                number of tiles that this requires, see :func:`~gesturehand.detection.views.views_of`.

        Returns:
            Hands, the most certain first.

        Raises:
            UserError: A number is out of its range, or the image is something else.
        """
        check_detection(min_score=min_score, max_hands=max_hands, smallest_px=smallest_px)
        pyramid = ImagePyramid(rgb_array(image))
        palms = self._palms(pyramid, views_of(pyramid.width, pyramid.height, smallest_px))
        sure = palms.scores >= SURE_PALM
        parts = [
            self._hands_of(pyramid, palms.part(sure), min_score),
            self._hands_of(pyramid, palms.part(~sure), max(min_score, _SURE_HAND)),
        ]
        hands = Landmarks(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        # If two detections are the same hand, the one with a certain palm is kept over the one with an uncertain palm.
        found = _detections(hands.part(np.array(first_of_each(hands, range(len(hands.presence))), int)))
        return sorted(found, key=lambda hand: -hand.score)[:max_hands]

    def follow(self, image: npt.NDArray[np.uint8], joints: npt.NDArray[np.float64]) -> list[HandDetection]:
        """Looks for hands where they were a moment ago, with one call of the landmark model each and no palm search.

        Args:
            image: (H, W, 3) uint8 RGB.
            joints: (N, 21, 2) px: where the hands' joints were.

        Returns:
            The hands seen there now, in the same order. The score says whether there is a hand; it is 0 if the joints'
            mean lies outside the image.

        Raises:
            UserError: The image is something else.
        """
        pyramid = ImagePyramid(rgb_array(image))
        hands = self._landmarks(pyramid, crops_of_joints(joints))
        return _detections(hands._replace(presence=hands.presence * _inside(pyramid, hands)))

    def _hands_of(self, pyramid: ImagePyramid, palms: Palms, min_score: float) -> Landmarks:
        """The hands that belong to palms, each once, in two passes."""
        hands = self._landmarks(pyramid, crops_of_palms(palms))
        hands = each_once(hands.part(hands.presence >= _FIRST_PRESENCE))
        hands = each_once(self._second_pass(pyramid, hands))
        return hands.part((hands.presence >= min_score) & _inside(pyramid, hands))

    def _second_pass(self, pyramid: ImagePyramid, first: Landmarks) -> Landmarks:
        """Looks again, at the upright crop around the first pass's joints; keeps the first pass if that goes astray."""
        second = self._landmarks(pyramid, crops_of_joints(first.joints))
        moved = np.linalg.norm(second.joints - first.joints, axis=-1).mean(-1)
        worse = (second.presence < MIN_SCORE) & (second.presence < first.presence)
        astray = worse | (moved > _LOST * np.ptp(first.joints, axis=1).max(-1))
        chosen = (np.where(astray.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(first, second, strict=True))
        return Landmarks(*chosen)


def each_once(hands: Landmarks) -> Landmarks:
    """Drops every hand that a more certain one (by presence) already shows.

    Returns:
        The others, the most certain first.
    """
    order = np.argsort(-hands.presence, kind="stable")
    return hands.part(np.array(first_of_each(hands, order.tolist()), int))


def first_of_each(hands: Landmarks, order: Sequence[int]) -> list[int]:
    """The hands that no earlier one in an order already shows.

    Args:
        hands: N hands.
        order: Numbers of the hands to consider; of two that are the same hand, the one to keep comes first.

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


def _inside(pyramid: ImagePyramid, hands: Landmarks) -> npt.NDArray[np.bool_]:
    """(N,) whether the joints' mean lies in the image."""
    centres = hands.joints.mean(1)
    return np.asarray(((centres >= 0) & (centres < [pyramid.width, pyramid.height])).all(-1))


def _detections(hands: Landmarks) -> list[HandDetection]:
    low, high = hands.joints.min(1), hands.joints.max(1)
    # Joints refer to pixel centres, boxes to pixel edges.
    centres, sizes = (low + high) / 2 + 0.5, BOX_OVER_JOINTS * (high - low)
    turns = np.degrees(upright_angles(hands.joints[:, WRIST], hands.joints[:, MIDDLE_MCP]))
    return [
        HandDetection(
            (*(centres[i] - sizes[i] / 2).tolist(), *sizes[i].tolist()),
            SIDES[int(hands.right[i] < 0.5)],
            float(hands.presence[i]),
            hands.joints[i],
            float(turns[i]),
        )
        for i in range(len(hands.joints))
    ]
