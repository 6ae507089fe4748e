"""Sizes and joint orders of hands, judged by their bones: on the real frames, the open hand, and in closed form."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.data.index import read_index
from gesturehand.data.plausibility import OTHER_ORDERS, better_order, hand_scale, in_words, is_hand, right_bend
from gesturehand.skeleton import JOINT_NAMES


def hands_of(root, split):
    index = read_index(root, split, mano_fits=False)
    joints, valid = index.joints_world.reshape(-1, 21, 3), index.joint_valid_frame.reshape(-1, 21)
    shown = valid.sum(-1) > 10
    return np.asarray(joints)[shown], np.asarray(valid)[shown]


def test_real_hands_are_about_an_adults_size_and_in_order(real_sample):
    joints, valid = hands_of(real_sample, "test")
    scales = [hand_scale(*hand) for hand in zip(joints, valid, strict=True)]
    assert len(scales) == 6
    assert 0.9 < min(scales) < max(scales) < 1.1
    assert better_order(joints, valid) is None


@pytest.mark.parametrize("factor", [0.01, 0.2, 0.5, 1.0, 2.0, 3.28, 1000.0])
def test_scale_is_a_factor(real_sample, factor):
    """A metre has 3.28 feet; half or twice the size of a hand may be a child's or a giant's."""
    joints, valid = hands_of(real_sample, "test")
    scale = hand_scale(joints[0] * factor, valid[0])
    assert scale == pytest.approx(factor * hand_scale(joints[0], valid[0]))
    assert is_hand(scale) == (0.3 < factor < 3)


def test_few_bones_say_nothing(real_sample):
    joints, valid = hands_of(real_sample, "test")
    assert hand_scale(joints[0], valid[0] & (np.arange(21) % 2 == 0)) is None
    assert better_order(joints, np.zeros_like(valid)) is None


def test_right_order_with_noise_is_right(synthetic_root):
    """With 2 cm of noise on every joint, the proportions of each hand are lost, but not those of all hands together."""
    joints, valid = hands_of(synthetic_root, "train")
    noise = np.random.default_rng(0).normal(0, 0.02, joints.shape)
    assert better_order(joints + noise, valid) is None


@pytest.mark.parametrize("order", OTHER_ORDERS)
@pytest.mark.parametrize("axes", [2, 3])
def test_each_order_is_recognised(synthetic_root, order, axes):
    joints, valid = hands_of(synthetic_root, "train")
    places = [JOINT_NAMES.index(name) for name in OTHER_ORDERS[order]]
    assert sorted(places) == list(range(21))
    assert better_order(joints[:, places, :axes], valid[:, places]) == order


def test_lengths_in_words():
    assert in_words(1000.0) == "185 m"
    assert in_words(1.0) == "0.185 m"
    assert in_words(0.001) == "0.185 mm"


def curled(degrees):
    """A right hand with its palm to the camera and fingers up; each middle joint bends by this angle to the palm."""
    joints = np.zeros((21, 3))
    for finger in range(1, 5):
        angles = np.radians([0, degrees, 2 * degrees])
        # Up is -y; the palm looks to -z.
        bones = 0.03 * np.stack([np.zeros(3), -np.cos(angles), -np.sin(angles)], -1)
        base = np.array([0.04 - 0.02 * finger, -0.09, 0])
        joints[1 + 4 * finger : 5 + 4 * finger] = base + np.concatenate([np.zeros((1, 3)), np.cumsum(bones, 0)])
    return joints


@pytest.mark.parametrize("degrees", [0, 10, 45, 80])
def test_bend_is_the_sine_of_each_joints_and_changes_its_sign_with_the_side(degrees):
    hand = curled(degrees)
    assert right_bend(hand) == pytest.approx(np.sin(np.radians(degrees)))
    assert right_bend(hand * [-1, 1, 1]) == pytest.approx(-np.sin(np.radians(degrees)))
    turned = hand @ Rotation.from_rotvec([0.4, -1.2, 2.0]).as_matrix().T * 1000
    assert right_bend(turned) == pytest.approx(np.sin(np.radians(degrees)))


def test_bend_of_a_hand_without_joints_is_nothing():
    assert right_bend(np.full((21, 3), np.nan)) == right_bend(np.zeros((21, 3))) == 0
