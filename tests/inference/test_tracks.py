"""Tracks on films of a photo's hand that is moved about."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gesturehand.detection import HandDetector
from gesturehand.errors import UserError
from gesturehand.inference.tracks import BoxTracks, HandTracker

pytest.importorskip("onnxruntime", reason="the detector runs on ONNX Runtime")


class CountingDetector(HandDetector):
    """Counts how often it searches the whole image."""

    searches = 0

    def __call__(self, *args, **kwargs):
        self.searches += 1
        return super().__call__(*args, **kwargs)


@pytest.fixture
def detector():
    return CountingDetector()


@pytest.fixture(scope="module")
def photo():
    """A right hand, (150, 150, 3)."""
    with np.load(Path(__file__).parents[1] / "detection" / "mediapipe_reference.npz") as file:
        return cv2.resize(file["photo"], (150, 150), interpolation=cv2.INTER_CUBIC)


def picture(photo, *places):
    """Hands at (x, y), left ones where a third number is there."""
    canvas = np.full((240, 480, 3), 215, np.uint8)
    for x, y, *left in places:
        canvas[y : y + 150, x : x + 150] = photo[:, ::-1] if left else photo
    return canvas


def test_hands_keep_their_numbers_and_sides_without_further_searches(detector, photo):
    tracker = HandTracker(detector, detect_every=100)
    seen = []
    for step in range(12):
        found = tracker(picture(photo, (12 * step, 10 + 4 * step), (310 - 6 * step, 40, "left")))
        seen.append([(one.track, one.hand.side) for one in found])
        centres = {one.hand.side: one.hand.box[0] + one.hand.box[2] / 2 for one in found}
        assert abs(centres["right"] - (12 * step + 75)) < 25
        assert abs(centres["left"] - (310 - 6 * step + 75)) < 25
    assert {tuple(sorted(frame)) for frame in seen} in ({((0, "right"), (1, "left"))}, {((0, "left"), (1, "right"))})
    assert detector.searches == 1


def test_a_lost_hand_is_searched_for_less_and_less_and_keeps_its_number(detector, photo):
    tracker = HandTracker(detector, detect_every=8)
    assert [one.track for one in tracker(picture(photo, (20, 20)))] == [0]
    searches = []
    for _ in range(12):
        before = detector.searches
        assert tracker(picture(photo)) == []
        searches.append(detector.searches - before)
    # At once, then after 1, 2, 4 and 8 frames.
    assert searches == [1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]
    found = [tracker(picture(photo, (60, 30))) for _ in range(8)]
    assert found[0] == []
    assert [one.track for one in found[-1]] == [0]


def test_a_hand_that_comes_is_found_at_the_next_search(detector, photo):
    tracker = HandTracker(detector, detect_every=4)
    tracker(picture(photo, (20, 20)))
    tracks = [[one.track for one in tracker(picture(photo, (20, 20), (300, 40, "left")))] for _ in range(5)]
    assert tracks == [[0], [0], [0], [0, 1], [0, 1]]


def test_a_lost_hand_far_away_or_of_the_other_side_is_another_one(detector, photo):
    tracker = HandTracker(detector, detect_every=1)
    tracker(picture(photo, (0, 0)))
    tracker(picture(photo))
    assert [one.track for one in tracker(picture(photo, (5, 5, "left")))] == [1]
    tracker(picture(photo))
    assert [one.track for one in tracker(picture(photo, (330, 80)))] == [2]


def test_what_is_asked_for(detector, photo):
    both = picture(photo, (20, 20), (300, 40, "left"))
    (one,) = HandTracker(detector, max_hands=1)(both)
    assert one.hand.turn_deg is not None
    found = HandTracker(detector, "left", upright=False)(both)
    assert [(one.track, one.hand.side, one.hand.turn_deg) for one in found] == [(0, "left", None), (1, "left", None)]
    assert HandTracker(detector, min_score=1.0)(both) == []
    with pytest.raises(UserError, match="detect_every is 0: give 1 or more"):
        HandTracker(detector, detect_every=0)


def test_given_boxes_are_numbered_by_side_and_place(predictor, frame_with_both):
    boxes = [hand["box"] for hand in frame_with_both["hands"]]
    right, left = predictor(frame_with_both["file"], boxes, ["right", "left"])

    def at(hand, x, y=0):
        return replace(hand, box=np.array([x, y, 100, 100], np.float32))

    tracks = BoxTracks()
    assert tracks([at(right, 0), at(right, 300), at(left, 0)]) == [0, 1, 2]
    assert tracks([at(left, 20), at(right, 280), at(right, 30)]) == [2, 1, 0]
    assert tracks([]) == []
    assert tracks([at(right, 250)]) == [1]
    assert tracks([at(right, 250), at(right, 260), at(right, 900)]) == [1, 0, 3]
