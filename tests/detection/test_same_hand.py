import numpy as np
import pytest

from gesturehand.detection.landmarks import Landmarks
from gesturehand.detection.same_hand import each_once

HAND = np.random.default_rng(0).uniform(0, 100, (21, 2))


def hands(*each):
    """Of joints, presence, and the probability of a right hand."""
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


def test_a_part_of_a_hand_is_no_hand():
    part = HAND.mean(0) + 0.4 * (HAND - HAND.mean(0)) + 5
    assert each_once(hands((part, 0.8, 0.1), (HAND, 0.9, 0.9))).presence.tolist() == [0.9]
    assert len(each_once(hands((part + 150, 0.8, 0.1), (HAND, 0.9, 0.9))).presence) == 2


def test_the_most_certain_come_first_and_none_is_none():
    far = [(HAND + 300 * number, score, 0.9) for number, score in enumerate((0.6, 0.9, 0.7))]
    assert each_once(hands(*far)).presence.tolist() == [0.9, 0.7, 0.6]
    empty = Landmarks(np.zeros((0, 21, 2)), np.zeros(0), np.zeros(0))
    assert each_once(empty).joints.shape == (0, 21, 2)
