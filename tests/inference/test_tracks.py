"""Tracks on films of a photo's hand that is moved about."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gesturehand.detection import HandDetection, HandDetector
from gesturehand.errors import UserError
from gesturehand.inference.tracks import BoxTracks, HandTracker

pytest.importorskip("onnxruntime", reason="the detector runs on ONNX Runtime")


class CountingDetector(HandDetector):
    """A detector that counts its searches of the whole image."""

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
    """A picture of hands at (x, y); a third number makes a left one."""
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
    for _ in range(6):
        tracker(picture(photo))
    assert [one.track for one in tracker(picture(photo, (5, 5, "left")))] == [1]
    tracker = HandTracker(detector, detect_every=1)
    tracker(picture(photo, (0, 0)))
    tracker(picture(photo))
    assert [one.track for one in tracker(picture(photo, (330, 80)))] == [1]


def test_settings_are_respected(detector, photo):
    both = picture(photo, (20, 20), (300, 40, "left"))
    (one,) = HandTracker(detector, max_hands=1)(both)
    assert one.hand.turn_deg is not None
    found = HandTracker(detector, "left", upright=False)(both)
    assert [(one.track, one.hand.side, one.hand.turn_deg) for one in found] == [(0, "left", None), (1, "left", None)]
    assert HandTracker(detector, min_score=1.0)(both) == []
    with pytest.raises(UserError, match="detect_every is 0: give a whole number"):
        HandTracker(detector, detect_every=0)


SIZE = 100
#: An open right hand of that size, pointing up, its thumb to the left.
OPEN_HAND = np.array(
    [[0, 50]]
    + [[x * (1 + k) / 4, 20 - y * k] for x, y in ((-50, 5), (-25, 19), (0, 23), (18, 20), (35, 14)) for k in range(4)]
)


def seen_hand(x, y, side="right", score=0.9):
    """A hand as a detector returns it."""
    joints = OPEN_HAND * [1 if side == "right" else -1, 1] + [float(x), float(y)]
    low, high = joints.min(0), joints.max(0)
    return HandDetection((*low.tolist(), *(high - low).tolist()), side, score, joints, 0.0)


class Acted(HandDetector):
    """A detector that sees what a script has for each frame; the frame's number is the image's colour.

    Looking for a hand where it is expected shows the nearest one whose middle lies within half a hand of it, and
    nothing else; a search shows all that are not hidden from it, in an order that changes from frame to frame.
    """

    def __init__(self, script, found=lambda frame, hands: hands):
        self.script, self.found = script, found

    def __call__(self, image, **_):
        frame = int(image[0, 0, 0])
        hands = self.found(frame, self.script(frame))
        return hands[::-1] if frame % 2 else hands

    def follow(self, image, joints):
        hands = self.script(int(image[0, 0, 0]))
        shown = []
        for expected in joints:
            distances = [np.linalg.norm((hand.joints_2d - expected).mean(0)) for hand in hands]
            near = int(np.argmin(distances)) if hands else None
            nothing = replace(seen_hand(*expected.mean(0)), score=0.0)
            shown.append(hands[near] if near is not None and distances[near] < SIZE / 2 else nothing)
        return shown


def watched(detector, frames, **settings):
    """For every frame, {track: (side, middle of its box)}."""
    tracker = HandTracker(detector, **settings)
    seen = []
    for number in range(frames):
        found = tracker(np.full((400, 1200, 3), number, np.uint8))
        seen.append({one.track: (one.hand.side, one.hand.box[0] + one.hand.box[2] / 2) for one in found})
    return seen


def test_hands_that_pass_each_other_fast_keep_their_numbers():
    """After a slow start, both move by half a hand per frame, with room for one hand between them."""

    def script(frame):
        way = 50 * max(frame - 3, 0) ** 2 / 10 if frame < 8 else 125 + 45 * (frame - 8)
        return [seen_hand(100 + way, 90), seen_hand(1100 - way, 310, "left")]

    seen = watched(Acted(script), 25, detect_every=3)
    numbers = {side: number for number, (side, _) in seen[0].items()}
    for frame, hands in enumerate(seen):
        right, left = script(frame)
        assert set(hands) == {0, 1}
        assert hands[numbers["right"]] == ("right", right.box[0] + right.box[2] / 2)
        assert hands[numbers["left"]] == ("left", left.box[0] + left.box[2] / 2)


def test_a_moving_hand_is_looked_for_where_it_goes():
    """It moves by 0.7 of its size per frame: it is not seen where it was, and a search never shows it again."""

    def script(frame):
        speeds = np.minimum(np.arange(frame) * 10, 70)
        return [seen_hand(80 + speeds.sum(), 100)]

    seen = watched(Acted(script, lambda frame, hands: hands if frame == 0 else []), 20)
    assert [list(hands) for hands in seen] == [[0]] * 20


def test_a_hand_seen_as_the_other_one_for_some_frames_keeps_its_side():
    """It is also lost in the first of them, so that the search finds a hand of the other side in its place."""

    def script(frame):
        wrong = 10 <= frame < 14
        return [seen_hand(300 + 6 * frame, 100, "left" if wrong else "right", 0.2 if frame == 10 else 0.9)]

    seen = watched(Acted(script, lambda frame, hands: [replace(hand, score=0.9) for hand in hands]), 30, detect_every=5)
    assert [[(number, side) for number, (side, _) in hands.items()] for hands in seen] == [[(0, "right")]] * 30


def test_a_hand_that_stays_the_other_one_becomes_another_track():
    seen = watched(Acted(lambda frame: [seen_hand(300, 100, "right" if frame < 10 else "left")]), 30)
    assert list(seen[9]) == [0]
    assert [(number, side) for number, (side, _) in seen[29].items()] == [(1, "left")]


@pytest.mark.parametrize(("lasts", "shown"), [(3, 0), (20, 17)])
def test_a_new_hand_on_another_one_is_shown_once_it_lasts(lasts, shown):
    """A second hand of the other side over half of the first: a mistake of three frames, or a hand that has come."""

    def script(frame):
        second = [seen_hand(330, 130, "left")] if 10 <= frame < 10 + lasts else []
        return [seen_hand(300, 100), *second]

    seen = watched(Acted(script), 30, detect_every=5)
    assert all(0 in hands for hands in seen)
    assert sum(len(hands) - 1 for hands in seen) == shown
    assert sum(hands.get(1, ("",))[0] == "left" for hands in seen) == shown


@pytest.mark.parametrize(("gone", "number"), [(3, 0), (12, 0), (45, 1)])
def test_a_hand_that_leaves_comes_back_under_its_number_for_a_while(gone, number):
    def script(frame):
        return [] if 10 <= frame < 10 + gone else [seen_hand(300, 100)]

    seen = watched(Acted(script), 10 + gone + 12, detect_every=4)
    assert list(seen[9]) == [0]
    assert all(not hands for hands in seen[10 : 10 + gone])
    assert list(seen[-1]) == [number]


def test_a_hand_that_is_lost_for_a_moment_is_found_where_it_goes_without_a_search():
    def script(frame):
        return [] if 10 <= frame < 13 else [seen_hand(100 + 20 * frame, 100)]

    seen = watched(Acted(script, lambda frame, hands: hands if frame == 0 else []), 20)
    assert [list(hands) for hands in seen] == [[0]] * 10 + [[]] * 3 + [[0]] * 7


class Slipping(Acted):
    """As above, but from frame 10 on, following a hand shows it turned by 60° about its middle."""

    def follow(self, image, joints):
        hands = super().follow(image, joints)
        return hands if int(image[0, 0, 0]) < 10 else [slipped(hand) for hand in hands]


def slipped(hand):
    """The hand with wrong joints: on average a quarter of its size away from the right ones, and more at the wrist."""
    sin, cos = np.sin(np.pi / 3), np.cos(np.pi / 3)
    middle = hand.joints_2d.mean(0)
    joints = (hand.joints_2d - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle
    low, high = joints.min(0), joints.max(0)
    return replace(hand, joints_2d=joints, box=(*low.tolist(), *(high - low).tolist()))


@pytest.mark.parametrize(("certain", "taken"), [(0.95, True), (0.85, False)])
def test_a_search_puts_a_hand_right_that_following_has_slipped_on(certain, taken):
    """The search's view counts if it is more certain than the 0.9 of the followed view."""
    hand = seen_hand(300, 100)
    detector = Slipping(lambda _: [hand], lambda _, hands: [replace(one, score=certain) for one in hands])
    seen = watched(detector, 30, detect_every=10)
    assert [list(hands) for hands in seen] == [[0]] * 30

    def middle(one):
        return one.box[0] + one.box[2] / 2

    assert middle(hand) != pytest.approx(middle(slipped(hand)), abs=2)
    for frame, hands in enumerate(seen):
        right = frame < 10 or (taken and frame % 10 == 0)
        assert hands[0] == ("right", pytest.approx(middle(hand if right else slipped(hand))))


def test_a_new_hand_on_the_searchs_view_of_a_followed_hand_is_doubted():
    """It lies apart from the wrong joints that are followed, but not from the hand."""
    hand, wrong = seen_hand(300, 100), seen_hand(300, 155, "left", 0.85)

    class Higher(Acted):
        """A detector that shows only the upper part of a hand that is followed."""

        def follow(self, image, joints):
            upper = replace(hand, box=(hand.box[0], hand.box[1], hand.box[2], 40.0))
            return [upper for _ in joints]

    detector = Higher(lambda _: [hand], lambda frame, hands: [*hands, *[wrong] * (frame == 10)])
    assert [list(hands) for hands in watched(detector, 20, detect_every=10)] == [[0]] * 20


def test_a_view_that_is_doubted_gets_the_number_of_the_hand_when_that_is_lost():
    """Two right hands half cover each other; the first leaves two frames after the second has come."""

    def script(frame):
        first, second = seen_hand(300, 100), seen_hand(340, 140)
        return [first] * (frame < 12) + [second] * (frame >= 10)

    seen = watched(Acted(script), 30, detect_every=10)
    assert [list(hands) for hands in seen] == [[0]] * 30
    assert seen[12][0][1] - seen[11][0][1] == 40


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
