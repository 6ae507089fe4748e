"""Tracking of hands through a video: each keeps its number and its side from one frame to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from gesturehand.detection import HandDetection, HandDetector
from gesturehand.detection.detector import MIN_SCORE, first_of_each
from gesturehand.detection.landmarks import Landmarks
from gesturehand.inference.boxes import Hand, HandBox
from gesturehand.inference.result import HandResult
from gesturehand.settings import check_range
from gesturehand.skeleton import Side

#: Frames from one search for hands to the next, while no hand is lost.
DETECT_EVERY: Final = 10
#: A frame's longer side over the size of the smallest hands to detect, which is larger than in photos to save time.
_SMALLEST: Final = 10
#: A lost hand can come back under its number for this many frames.
_MEMORY: Final = 30
#: Joints that move further than this from one frame to the next, over the hand's size, belong to another hand.
_ASTRAY: Final = 0.6
#: How far from its last place, over its size, a lost hand may be found again, and how much further with every frame.
_REACH, _REACH_PER_FRAME = 1.5, 0.2
#: How far a given box may lie from its hand's last one, over its size.
_BOX_REACH: Final = 3.0
#: Largest number of frames that count in favour of a track's side, and how many more must be against it to end the
#: track.
_MOST_VOTES, _OUTVOTED = 5, -3
#: A hand that is lost for no more frames than these, and found no further away than this over its size, is the same one
#: whichever side is seen: the models mistake the sides of hands that are seen edge-on or half hidden.
_BRIEFLY, _NEARLY = 5, 0.5
#: A new hand whose box overlaps another one's by more than this share (intersection over the smaller box) has to be
#: seen in this many frames before it is shown, since it is mostly the same hand seen wrongly.
_CROWDED: Final = 0.3
_SURE_AFTER: Final = 4
#: Share of the newest step in a hand's velocity.
_NEWEST_STEP: Final = 0.5


class TrackedHand(NamedTuple):
    """A hand in one frame.

    Attributes:
        track: Its number, the same in all frames, from 0.
        hand: Where it is, and its side, the same in all frames.
    """

    track: int
    hand: HandBox


@dataclass(eq=False)
class _Track:
    """What is known of a hand so far.

    Attributes:
        number: None until it is shown.
        side: The same in all frames.
        seen: The hand as it was last seen.
        velocity: (2,) px a frame, smoothed.
        missed: Number of frames since then.
        votes: Number of frames in favour of its side, minus those against it.
        sightings: Number of frames in which it was seen.
    """

    number: int | None
    side: Side
    seen: HandDetection
    velocity: npt.NDArray[np.floating] = field(default_factory=lambda: np.zeros(2))
    missed: int = 0
    votes: int = 1
    sightings: int = 1

    @property
    def expected(self) -> npt.NDArray[np.floating]:
        """(21, 2) px: its joints in the next frame, if it continues to move as before."""
        return self.seen.joints_2d + self.velocity * max(self.missed, 1)

    @property
    def place(self) -> "_Place":
        """The place where it is expected now."""
        centre, size = _extent(self.seen)
        return _Place(self.side, centre + self.velocity * min(self.missed, _BRIEFLY), size)

    def see(self, now: HandDetection, *, vote: bool) -> None:
        """Updates it with what is seen of it in the next frame.

        Args:
            now: What is seen.
            vote: Whether its side counts.
        """
        if not self.missed:
            step = (now.joints_2d - self.seen.joints_2d).mean(0)
            self.velocity = self.velocity + _NEWEST_STEP * (step - self.velocity)
        elif self.missed > _BRIEFLY:
            self.velocity = np.zeros(2)
        self.seen, self.missed = now, 0
        self.sightings += 1
        if vote:
            self.votes = min(self.votes + (1 if now.side == self.side else -1), _MOST_VOTES)


class _Place(NamedTuple):
    side: Side
    centre: npt.NDArray[np.floating]
    size: float


class HandTracker:
    """Finds the hands of a video's frames, in order.

    The landmark model looks for a hand where it was in the last frame. The detector searches the whole frame every so
    often, and when a hand is lost: at once, and then after 1, 2, 4, … frames. A hand that is lost and found again near
    its last place keeps its number. A track has one side; if the model sees the other one for longer, the track ends
    and another one begins.

    Args:
        detector: Finds hands.
        hand: The side of the hands, if it is known; "both" means that it is not.
        upright: The network sees upright hands, so the rotation in the image matters.
        min_score: Hands with a lower score are left out.
        max_hands: Largest number of hands at a time.
        smallest_px: Size of the smallest hands to detect; None: a tenth of the image's longer side.
        detect_every: Frames from one search to the next.

    Raises:
        UserError: ``detect_every`` is below 1.
    """

    def __init__(
        self,
        detector: HandDetector,
        hand: Hand | None = None,
        *,
        upright: bool = True,
        min_score: float = MIN_SCORE,
        max_hands: int | None = None,
        smallest_px: float | None = None,
        detect_every: int = DETECT_EVERY,
    ) -> None:
        check_range("", 1, whole=True, detect_every=detect_every)
        self._detector = detector
        self._side: Side | None = None if hand == "both" else hand
        self._upright = upright
        self._min_score = min_score
        self._max_hands = max_hands
        self._smallest_px = smallest_px
        self._every = detect_every
        self._tracks: list[_Track] = []
        self._started = 0
        self._until_search = 0
        self._pause = 1

    def __call__(self, image: npt.NDArray[np.uint8]) -> list[TrackedHand]:
        """The hands of the next frame.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            The hands that are seen, by number.

        Raises:
            UserError: A number that the detector was given is out of its range.
        """
        for track in self._tracks:
            track.missed += track.missed > 0
        self._tracks = [track for track in self._tracks if track.missed <= _MEMORY]
        if self._follow(image):
            self._until_search, self._pause = 0, 1
        if self._until_search <= 0:
            self._search(image)
        self._until_search -= 1
        shown = []
        for track in self._tracks:
            if track.number is None and track.sightings >= _SURE_AFTER:
                track.number, self._started = self._started, self._started + 1
            if track.number is not None and not track.missed:
                hand = HandBox.of(track.seen, track.side, upright=self._upright)
                shown.append(TrackedHand(track.number, hand))
        return sorted(shown, key=lambda hand: hand.track)

    def _follow(self, image: npt.NDArray[np.uint8]) -> bool:
        """Looks for every hand where it is expected, including those just lost; returns whether one is newly lost."""
        tracks = [track for track in self._tracks if track.missed <= _BRIEFLY]
        if not tracks:
            return False
        expected = np.stack([track.expected for track in tracks])
        seen = self._detector.follow(image, expected)
        moves = [
            _distance_of_joints(where, now, track.seen)
            for where, now, track in zip(expected, seen, tracks, strict=True)
        ]
        there = [
            i
            for i, (track, now) in enumerate(zip(tracks, seen, strict=True))
            if now.score >= self._min_score
            and moves[i] < _ASTRAY
            and not (track.missed and now.side != track.side and self._side is None)
        ]
        # If two tracks have come to show one hand, the one that is shown stays, then the one of its side, then the one
        # that moved less.
        there.sort(key=lambda i: (tracks[i].number is None, seen[i].side != tracks[i].side, moves[i]))
        there = first_of_each(_landmarks(seen, [track.side for track in tracks]), there)
        newly_lost = False
        for number, (track, now) in enumerate(zip(tracks, seen, strict=True)):
            if number in there:
                track.see(now, vote=self._side is None)
            elif not track.missed:
                track.missed = 1
                newly_lost |= track.number is not None
        outvoted = [track for track in tracks if track.votes <= _OUTVOTED]
        self._tracks = [
            track for track in self._tracks if track not in outvoted and not (track.missed and track.number is None)
        ]
        return newly_lost or any(track.number is not None for track in outvoted)

    def _search(self, image: npt.NDArray[np.uint8]) -> None:
        """Finds lost hands again, and new ones."""
        found = self._detector(
            image,
            min_score=self._min_score,
            max_hands=self._max_hands,
            smallest_px=max(image.shape) / _SMALLEST if self._smallest_px is None else self._smallest_px,
        )
        followed = [track for track in self._tracks if not track.missed]
        seen, found = self._seen_anew(followed, found)
        sides = [track.side for track in followed] + [self._side or hand.side for hand in found]
        every = [*(track.seen for track in followed), *found]
        kept = first_of_each(_landmarks(every, sides), range(len(every))) if every else []
        new = [(sides[i], every[i]) for i in kept if i >= len(followed)]
        lost = [track for track in self._tracks if track.missed]
        # A hand that is watched before it is shown may also be one that has been lost meanwhile.
        watched = [track for track in followed if track.number is None]
        again = self._found_again(lost, [*((track.side, track.seen) for track in watched), *new])
        for number, track in enumerate(watched):
            if number in again:
                again[number].see(track.seen, vote=False)
                self._tracks.remove(track)
        room = len(new) if self._max_hands is None else self._max_hands - len(followed)
        known = [*seen, *(track.seen for track in self._tracks if track.missed <= _BRIEFLY)]
        for number, (side, hand) in enumerate(new[: max(room, 0)], len(watched)):
            if number in again:
                again[number].see(hand, vote=self._side is None)
                continue
            crowded = any(_shared(hand, other) > _CROWDED for other in known)
            self._tracks.append(_Track(None, side, hand, sightings=1 if crowded else _SURE_AFTER))
        if any(track.missed for track in self._tracks):
            self._until_search = self._pause
            self._pause = min(2 * self._pause, self._every)
        else:
            self._until_search, self._pause = self._every, 1

    def _seen_anew(
        self, followed: Sequence[_Track], found: Sequence[HandDetection]
    ) -> tuple[list[HandDetection], list[HandDetection]]:
        """Updates followed hands with what a search sees of them: the more certain of the two views of a hand counts.

        Each view of a followed hand starts from the one before, and can slip to wrong joints. A search does not, and
        what it sees in a hand's place is that hand, no matter how much the joints differ.

        Returns:
            The hands found that are followed ones, and the other hands found.
        """
        seen, others, left = [], [], list(followed)
        for hand in found:  # the most certain first
            place = _Place(self._side or hand.side, *_extent(hand))
            pair = _matched([track.place for track in left], [place], [_NEARLY] * len(left))
            if not pair:
                others.append(hand)
                continue
            seen.append(hand)
            track = left.pop(pair[0][0])
            if hand.score > track.seen.score:
                track.seen = hand
        return seen, others

    def _found_again(self, lost: Sequence[_Track], new: Sequence[tuple[Side, HandDetection]]) -> dict[int, _Track]:
        """Lost hands by the index of what was found: first those of their side, then those near their last place."""
        places = [_Place(side, *_extent(hand)) for side, hand in new]
        pairs = _matched(
            [track.place for track in lost], places, [_REACH + _REACH_PER_FRAME * track.missed for track in lost]
        )
        again = {j: lost[i] for i, j in pairs}
        lost = [track for track in lost if track not in again.values() and track.missed <= _BRIEFLY]
        left = [j for j in range(len(new)) if j not in again]
        # All of one side, so that sides do not count.
        pairs = _matched(
            [track.place._replace(side="right") for track in lost],
            [places[j]._replace(side="right") for j in left],
            [_NEARLY] * len(lost),
        )
        return again | {left[j]: lost[i] for i, j in pairs}


class BoxTracks:
    """Numbers hands whose boxes are given: a hand is taken for the one of its side whose last box is nearest."""

    def __init__(self) -> None:
        self._last: list[_Place] = []

    def __call__(self, hands: Sequence[HandResult]) -> list[int]:
        """The numbers of a frame's hands, in their order; frames are given in order."""
        now = [_Place(hand.side, hand.box[:2] + hand.box[2:] / 2, float(hand.box[2:].max())) for hand in hands]
        numbers = {j: i for i, j in _matched(self._last, now, [_BOX_REACH] * len(self._last))}
        for place, own in enumerate(now):
            if place in numbers:
                self._last[numbers[place]] = own
            else:
                numbers[place] = len(self._last)
                self._last.append(own)
        return [numbers[place] for place in range(len(now))]


def _matched(known: Sequence[_Place], seen: Sequence[_Place], reach: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of known and seen hands, of one side and within reach, with the least sum of distances.

    Args:
        known: Where the hands were last seen.
        seen: Where hands are seen now.
        reach: For each known hand, the largest distance of the centres over the larger size.
    """
    if not known or not seen:
        return []
    cost = np.array([[_distance(before, now) for now in seen] for before in known])
    out_of_reach = cost > np.array(reach)[:, None]
    rows, columns = linear_sum_assignment(np.where(out_of_reach, 1e6, cost))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if not out_of_reach[i, j]]


def _distance(before: _Place, now: _Place) -> float:
    if before.side != now.side:
        return float("inf")
    return float(np.linalg.norm(before.centre - now.centre)) / max(before.size, now.size)


def _extent(hand: HandDetection) -> tuple[npt.NDArray[np.floating], float]:
    """Centre (2,) and size, px."""
    x, y, width, height = hand.box
    return np.array([x + width / 2, y + height / 2]), max(width, height)


def _distance_of_joints(expected: npt.NDArray[np.floating], now: HandDetection, before: HandDetection) -> float:
    """Mean distance of the joints from where they were expected (21, 2), over the hand's previous size."""
    return float(np.linalg.norm(now.joints_2d - expected, axis=-1).mean() / max(*before.box[2:], 1.0))


def _shared(hand: HandDetection, other: HandDetection) -> float:
    """Area of the intersection of two boxes over that of the smaller one."""
    boxes = np.array([hand.box, other.box])
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    shared = np.clip(high.min(0) - low.max(0), 0, None).prod()
    return float(shared / max(boxes[:, 2:].prod(-1).min(), 1.0))


def _landmarks(hands: Sequence[HandDetection], sides: Sequence[Side]) -> Landmarks:
    return Landmarks(
        np.stack([hand.joints_2d for hand in hands]),
        np.array([hand.score for hand in hands]),
        np.array([float(side == "right") for side in sides]),
    )
