import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gesturehand.camera import transform_affine
from gesturehand.detection.detector import each_once
from gesturehand.detection.landmarks import Landmarks
from gesturehand.detection.palms import shows_something
from gesturehand.errors import UserError
from gesturehand.skeleton import MIDDLE_MCP, WRIST

REAL_HANDS = Path(__file__).parents[3] / "shared" / "data" / "real_hands"


@pytest.fixture(scope="module")
def joints(detector, reference):
    """Joints of the photo's hand, px."""
    (hand,) = detector(reference["photo"])
    return hand.joints_2d


def pasted(canvas, photo, joints, place, scale, turns=0, mirror=False):
    """Pastes the photo into the canvas, and returns the new places of its joints."""
    if mirror:
        photo, joints = photo[:, ::-1], [photo.shape[1] - 1, 0] + joints * [-1, 1]
    for _ in range(turns):
        photo, joints = np.rot90(photo, -1), np.stack([photo.shape[0] - 1 - joints[:, 1], joints[:, 0]], -1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    photo = cv2.resize(np.ascontiguousarray(photo), None, fx=scale, fy=scale, interpolation=method)
    x, y = place
    canvas[y : y + photo.shape[0], x : x + photo.shape[1]] = photo
    return (joints + 0.5) * scale - 0.5 + place


def test_several_hands_of_either_side_any_turn_and_size_each_once(detector, reference, joints):
    canvas = np.full((700, 1000, 3), 215, np.uint8)
    small = 40 / np.ptp(joints, 0).max()
    wanted = [
        (pasted(canvas, reference["photo"], joints, place, scale, turns, mirror), mirror)
        for place, scale, turns, mirror in (
            ((20, 30), 3.0, 0, False),
            ((340, 30), 3.0, 0, True),
            ((700, 40), 2.0, 1, False),
            ((30, 400), 2.0, 2, True),
            ((300, 420), 2.0, 3, False),
            ((700, 500), small, 0, False),
            ((850, 600), small, 1, True),
        )
    ]
    found = detector(canvas)
    assert len(found) == len(wanted)
    assert [hand.score for hand in found] == sorted((hand.score for hand in found), reverse=True)
    for points, left in wanted:
        size = np.ptp(points, 0).max()
        distances = [np.linalg.norm(hand.joints_2d - points, axis=-1).mean() / size for hand in found]
        hand = found[int(np.argmin(distances))]
        assert min(distances) < 0.1
        assert hand.side == ("left" if left else "right")
        x, y, width, height = hand.box
        low, high = hand.joints_2d.min(0), hand.joints_2d.max(0)
        np.testing.assert_allclose([x + width / 2 - 0.5, y + height / 2 - 0.5], (low + high) / 2, atol=1e-9)
        np.testing.assert_allclose([width, height], 1.1 * (high - low))
        turn = np.radians(hand.turn_deg)
        up = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0]])
        wrist, knuckle = transform_affine(hand.joints_2d[[WRIST, MIDDLE_MCP]], up)
        assert abs(wrist[0] - knuckle[0]) < 1e-6 < wrist[1] - knuckle[1]
    assert len(detector(canvas, max_hands=3)) == 3
    assert detector(canvas, min_score=1) == []


def test_a_hand_that_fills_the_picture_is_found(detector, reference, joints):
    low, high = np.floor(joints.min(0)).astype(int), np.ceil(joints.max(0)).astype(int)
    tight = reference["photo"][max(low[1] - 3, 0) : high[1] + 4, max(low[0] - 3, 0) : high[0] + 4]
    (hand,) = detector(tight)
    distance = np.linalg.norm(hand.joints_2d + np.maximum(low - 3, 0) - joints, axis=-1).mean()
    assert distance < 0.1 * np.ptp(joints, 0).max()


@pytest.mark.parametrize("size", [(1, 1), (300, 400), (3, 900)])
def test_no_hand_is_an_empty_list(detector, size):
    assert detector(np.zeros((*size, 3), np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert detector(noise) == []


def test_plain_views_are_distinguished_from_views_of_hands(reference):
    """A hand of the smallest size counts as something in the faintest light; noise and slow gradients do not."""
    photo = cv2.resize(reference["photo"], (36, 36), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    plain = np.clip(120 + rng.normal(0, 5, (192, 192, 3)) + np.linspace(0, 2, 192)[:, None], 0, 255).astype(np.uint8)
    assert not shows_something(plain)
    for light in (0.15, 0.4, 1.0):
        view = (plain * light).astype(np.uint8)
        view[80:116, 90:126] = (photo * light).astype(np.uint8)
        assert shows_something(view)


@pytest.mark.parametrize(
    "wrong",
    [
        {"smallest_px": 0},
        {"smallest_px": float("nan")},
        {"min_score": 1.1},
        {"max_hands": 0},
        {"max_hands": 1.5},
        {"min_score": "0.5"},
    ],
    ids=str,
)
def test_numbers_out_of_their_range_are_refused(detector, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        detector(np.zeros((9, 9, 3), np.uint8), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((9, 9, 3)),
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((0, 9, 3), np.uint8),
        "a",
    ],
    ids=["float", "grey", "four channels", "empty", "a path"],
)
def test_what_is_no_rgb_image_is_refused(detector, wrong):
    with pytest.raises(UserError, match=r"give \(height, width, 3\) uint8 in RGB"):
        detector(wrong)


@pytest.mark.skipif(not REAL_HANDS.is_dir(), reason="the folder of real hands is not here")
def test_labelled_photos_of_either_side(detector):
    """Photos of `fingers`, whose sides are known from the capture, and of `digits`, which are right hands."""
    labels = json.loads((REAL_HANDS / "labels.json").read_text(encoding="utf-8"))[::190]
    found = right_side = 0
    for label in labels:
        image = cv2.imread(str(REAL_HANDS / label["image"]), cv2.IMREAD_COLOR_RGB)
        joints = np.array(label["joints_2d"])
        near = [
            hand
            for hand in detector(image)
            if np.linalg.norm(hand.joints_2d - joints, axis=-1).mean() < 0.2 * np.ptp(joints, 0).max()
        ]
        found += len(near) == 1
        right_side += [hand.side for hand in near] == [label["hand"]]
    assert {label["hand"] for label in labels} == {"right", "left"}
    assert found >= 0.9 * len(labels)
    assert right_side >= 0.9 * len(labels)


# Which of several crops' landmarks are one hand.

HAND = np.random.default_rng(0).uniform(0, 100, (21, 2))


def hands(*each):
    """Landmarks from joints, presence, and the probability of a right hand."""
    return Landmarks(*(np.array(column) for column in zip(*each, strict=True)))


@pytest.mark.parametrize("right", [0.9, 0.1])
def test_two_crops_of_one_hand_are_one_whatever_their_sides(right):
    both = hands((HAND, 0.7, 0.9), (HAND + 8, 0.9, right))
    (kept,) = each_once(both).presence
    assert kept == 0.9


def test_an_arm_has_one_right_hand_but_two_hands_may_touch():
    mirrored = HAND[0] + (HAND - HAND[0]) * [-1, 1]
    assert len(each_once(hands((HAND, 0.9, 0.8), (mirrored, 0.8, 0.7))).presence) == 1
    assert len(each_once(hands((HAND, 0.9, 0.8), (mirrored, 0.8, 0.2))).presence) == 2


def test_a_part_of_a_hand_is_not_a_hand():
    part = HAND.mean(0) + 0.4 * (HAND - HAND.mean(0)) + 5
    assert each_once(hands((part, 0.8, 0.1), (HAND, 0.9, 0.9))).presence.tolist() == [0.9]
    assert len(each_once(hands((part + 150, 0.8, 0.1), (HAND, 0.9, 0.9))).presence) == 2


def test_the_most_certain_come_first_and_none_is_none():
    far = [(HAND + 300 * number, score, 0.9) for number, score in enumerate((0.6, 0.9, 0.7))]
    assert each_once(hands(*far)).presence.tolist() == [0.9, 0.7, 0.6]
    empty = Landmarks(np.zeros((0, 21, 2)), np.zeros(0), np.zeros(0))
    assert each_once(empty).joints.shape == (0, 21, 2)
