"""Smoothed hands, against NumPy's skinning and the network's own hands."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from gesturehand.camera import project
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.inference.smoothing import (
    HandSmoother,
    OneEuro,
    local_weights,
    rotation_difference,
    rotation_move,
    smooth_both_ways,
)


@pytest.fixture(scope="module")
def pair(predictor, frame_with_both):
    boxes = [hand["box"] for hand in frame_with_both["hands"]]
    return predictor(frame_with_both["file"], boxes, ["right", "left"], frame_with_both["intrinsics"])


@pytest.fixture
def smoother(predictor):
    return HandSmoother(predictor.model.hand_model, 30)


def noisy(hand, rng, size=0.08):
    """The hand with another pose and place, and everything that follows from them."""
    rotations = np.concatenate([hand.global_orient[None], hand.hand_pose])
    rotations = rotations @ Rotation.from_rotvec(rng.normal(0, size, (16, 3))).as_matrix()
    cam_t = hand.cam_t * (1 + rng.normal(0, 0.02, 3))
    betas = hand.betas + rng.normal(0, 0.3, 10)
    joints = hand.joints - hand.cam_t + cam_t
    return replace(
        hand, global_orient=rotations[0], hand_pose=rotations[1:], betas=betas, cam_t=cam_t, joints=joints.astype("f4")
    )


def test_a_hand_that_does_not_change_stays_as_it_is(smoother, pair):
    for frame in range(4):
        for before, after in zip(pair, smoother(frame, [3, 1], pair), strict=True):
            for name in ("vertices", "joints", "cam_t", "hand_pose", "global_orient", "betas", "hand_pose_axis_angle"):
                np.testing.assert_allclose(getattr(after, name), getattr(before, name), atol=2e-5, err_msg=name)
            np.testing.assert_allclose(after.joints_2d, before.joints_2d, atol=0.05)
            assert after.gesture_fine is before.gesture_fine


def test_smoothed_parts_fit_together(smoother, pair):
    """Mesh and joints are those of the smoothed parameters, and shapes are the mean of the frames so far."""
    rng = np.random.default_rng(0)
    frames = [[noisy(hand, rng) for hand in pair] for _ in range(5)]
    for number, hands in enumerate(frames):
        smooth = smoother(number, [0, 1], hands)
    for place, hand in enumerate(smooth):
        rotations = np.concatenate([hand.global_orient[None], hand.hand_pose]).astype(np.float64)
        mesh, _ = skin(open_hand(hand.side), rotations[None], hand.betas[None].astype(float), hand.cam_t[None])
        np.testing.assert_allclose(mesh[0], hand.vertices, atol=1e-5)
        np.testing.assert_allclose(hand.betas, np.mean([hands[place].betas for hands in frames], 0), atol=1e-5)
        np.testing.assert_allclose(hand.joints_2d, project(hand.joints, hand.intrinsics), atol=0.01)
        np.testing.assert_allclose(
            Rotation.from_rotvec(hand.hand_pose_axis_angle_flat.reshape(15, 3)).as_matrix(), hand.hand_pose, atol=1e-5
        )


def test_noise_is_at_least_halved(smoother, pair):
    rng = np.random.default_rng(1)
    raw, smooth = [], []
    for number in range(40):
        hands = [noisy(hand, rng) for hand in pair]
        raw.append([np.concatenate([[hand.global_orient], hand.hand_pose]) for hand in hands])
        smooth.append([np.concatenate([[h.global_orient], h.hand_pose]) for h in smoother(number, [0, 1], hands)])
    steps = [np.linalg.norm(np.diff(rotations, axis=0), axis=(-2, -1)).mean() for rotations in (raw, smooth)]
    assert steps[1] < steps[0] / 2


def test_tracks_are_smoothed_apart_and_a_new_one_starts_as_it_is(smoother, pair):
    right = pair[0]
    smoother(0, [0], [right])
    other = noisy(right, np.random.default_rng(2))
    (found,) = smoother(1, [7], [other])
    np.testing.assert_allclose(found.hand_pose, other.hand_pose, atol=1e-5)
    (found,) = smoother(2, [0], [other])
    assert np.abs(found.hand_pose - other.hand_pose).max() > 0.01
    assert smoother(3, [], []) == []


def both_ways(predictor, frames, fps=30):
    numbered = ((number, tracks, hands) for number, (tracks, hands) in enumerate(frames))
    return list(smooth_both_ways(predictor.model.hand_model, fps, numbered))


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("times", [range(-4, 5), range(9), (-4, -3, 0, 1, 4)], ids=["middle", "end", "gaps"])
def test_weights_are_those_of_a_weighted_polynomial(times, degree):
    times = np.array(times)
    values = np.random.default_rng(0).normal(size=len(times))
    near = (1 - np.minimum(np.abs(times) / 5, 1) ** 3) ** 3
    wanted = np.polyfit(times[near > 0], values[near > 0], degree, w=np.sqrt(near[near > 0]))[-1]
    assert local_weights(times, 4, degree) @ values == pytest.approx(wanted, abs=1e-9)


def test_steady_motion_does_not_lag(predictor, pair):
    """A rotation at constant speed and a place on a parabola stay as they are, in the frames' order.

    At the ends, where few frames are near, only straight motion does.
    """
    frames, hand = [], pair[0]
    for number in range(24):
        turned = Rotation.from_rotvec([0.02 * number, 0.05 * number, 0]).as_matrix()
        middle = hand.joints.mean(0)
        moved = middle[:2] / middle[2] + [0.004 * number - 0.0001 * number**2, 0.002 * number]
        shift = np.array([*(moved * middle[2]), middle[2]]) - middle
        frames.append(([5], [replace(hand, hand_pose=hand.hand_pose @ turned, joints=hand.joints + shift)]))
    found = both_ways(predictor, frames)
    assert [number for number, _, _ in found] == list(range(24))
    for (_, (given,)), (number, tracks, (smooth,)) in zip(frames, found, strict=True):
        assert tracks == [5]
        np.testing.assert_allclose(smooth.hand_pose, given.hand_pose, atol=1e-4)
        middle = smooth.joints.mean(0), given.joints.mean(0)
        np.testing.assert_allclose(
            middle[0][:2] / middle[0][2], middle[1][:2] / middle[1][2], atol=1e-5 if 3 <= number < 21 else 2e-4
        )


def test_looking_both_ways_quarters_noise_and_keeps_tracks_apart(predictor, pair):
    rng = np.random.default_rng(1)
    frames = []
    for number in range(40):
        hands = [noisy(hand, rng) for hand in pair]
        # The second hand is lost for a while, and seen again.
        frames.append(([0, 1], hands) if not 10 < number < 20 else ([0], hands[:1]))
    found = both_ways(predictor, frames)
    assert [(tracks, [hand.side for hand in hands]) for _, tracks, hands in found] == [
        (tracks, [hand.side for hand in hands]) for tracks, hands in frames
    ]
    for place, true in enumerate(pair):
        raw = [hands[place].hand_pose for _, hands in frames if place < len(hands)]
        smooth = [hands[place].hand_pose for _, _, hands in found if place < len(hands)]
        steps = [np.linalg.norm(np.diff(poses, axis=0), axis=(-2, -1)).mean() for poses in (raw, smooth)]
        errors = [np.linalg.norm(poses - true.hand_pose, axis=(-2, -1)).mean() for poses in (raw, smooth)]
        assert steps[1] < steps[0] / 4
        assert errors[1] < errors[0] / 1.5


@pytest.mark.parametrize("wrong", [(10,), (9, 10, 11)])
def test_a_hand_seen_the_wrong_way_round_for_some_frames_is_turned_back(predictor, pair, wrong):
    """It turns steadily, and in some frames it is turned by 150° about its own axis."""
    hand = pair[0]
    turns = [Rotation.from_rotvec([0, 0, 0.03 * number]).as_matrix() for number in range(21)]
    flip = Rotation.from_rotvec([0, np.radians(150), 0]).as_matrix()
    true = [turn @ hand.global_orient for turn in turns]
    seen = [
        replace(hand, global_orient=(orient @ flip if number in wrong else orient).astype("f4"))
        for number, orient in enumerate(true)
    ]
    frames = ((number, [0], [own]) for number, own in enumerate(seen))
    smooth = [hands[0] for _, _, hands in smooth_both_ways(predictor.model.hand_model, 30, frames)]
    off = [Rotation.from_matrix(a.T @ b.global_orient).magnitude() for a, b in zip(true, smooth, strict=True)]
    assert max(off) < 0.01


def test_a_single_frame_and_none_stay_as_they_are(predictor, pair):
    assert both_ways(predictor, []) == []
    assert both_ways(predictor, [([], [])]) == [(0, [], [])]
    ((_, _, hands),) = both_ways(predictor, [([0, 1], pair)])
    for before, after in zip(pair, hands, strict=True):
        np.testing.assert_allclose(after.vertices, before.vertices, atol=2e-5)


def filtered(one_euro, values, passed=1 / 30):
    return np.stack([one_euro(value, passed) for value in values])


def test_without_slope_it_is_an_exponential_filter():
    values = np.random.default_rng(0).normal(size=(40, 3, 2))
    alpha = 1 / (1 + 30 / (2 * math.pi * 1.5))
    start = (1 - alpha) * values[:1]  # the state after the first value, which is returned as it is
    expected = lfilter([alpha], [1, alpha - 1], values, axis=0, zi=start)[0]
    np.testing.assert_allclose(filtered(OneEuro(1.5, 0.0), values), expected, atol=1e-12)


def test_it_is_the_papers_algorithm():
    """A plain version of algorithms 1 and 2 of the paper, for one number at irregular times."""
    rng = np.random.default_rng(1)
    values, times = rng.normal(size=30).cumsum(), rng.uniform(0.01, 0.1, 30)

    def alpha(cutoff, passed):
        return 1 / (1 + 1 / (2 * math.pi * cutoff) / passed)

    smooth, speed, expected = values[0], 0.0, [values[0]]
    for before, value, passed in zip(values, values[1:], times[1:], strict=False):
        a = alpha(1.0, passed)
        speed = a * (value - before) / passed + (1 - a) * speed
        a = alpha(0.8 + 0.3 * abs(speed), passed)
        smooth = a * value + (1 - a) * smooth
        expected.append(smooth)
    one_euro = OneEuro(0.8, 0.3)
    found = [float(one_euro(np.array([[v]]), t)[0, 0]) for v, t in zip(values, times, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_rotations_about_one_axis_are_their_angles():
    angles = np.random.default_rng(2).normal(0, 0.3, 30).cumsum()
    axis = np.array([0.6, 0.0, 0.8])
    rotations = Rotation.from_rotvec(angles[:, None] * axis).as_matrix()[:, None]
    found = filtered(OneEuro(1.0, 0.4, rotation_difference, rotation_move), rotations)
    expected = filtered(OneEuro(1.0, 0.4), angles[:, None, None])[:, 0, 0]
    wanted = Rotation.from_rotvec(expected[:, None] * axis).as_matrix()
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-9)


def test_rotations_stay_rotations_and_do_not_depend_on_the_frame():
    rng = np.random.default_rng(3)
    raw = Rotation.random(20 * 16, random_state=4).as_matrix().reshape(20, 16, 3, 3)
    turn = Rotation.from_rotvec(rng.normal(size=3)).as_matrix()
    found = filtered(OneEuro(1.0, 0.2, rotation_difference, rotation_move), raw)
    np.testing.assert_allclose(found @ found.swapaxes(-1, -2), np.broadcast_to(np.eye(3), found.shape), atol=1e-9)
    turned = filtered(OneEuro(1.0, 0.2, rotation_difference, rotation_move), turn @ raw)
    np.testing.assert_allclose(turned, turn @ found, atol=1e-9)


def test_fast_motion_lags_less_with_a_slope():
    ramp = np.linspace(0, 10, 60)[:, None, None]
    lags = [float((ramp - filtered(OneEuro(1.0, slope), ramp))[-1, 0, 0]) for slope in (0.0, 0.5, 5.0)]
    assert lags[0] > 2 * lags[1] > 4 * lags[2] > 0


def test_a_leading_filter_follows_a_steady_motion_without_lag():
    ramp = np.linspace(0, 10, 200)[:, None, None]
    lags = [float((ramp - filtered(OneEuro(1.0, 0.0, leading=lead), ramp))[-1, 0, 0]) for lead in (False, True)]
    # The lag of an exponential filter: a step's length times (1 − α) / α.
    assert lags[0] == pytest.approx(10 / 199 * 30 / (2 * math.pi), rel=1e-3)
    assert abs(lags[1]) < 1e-3


@pytest.mark.parametrize("passed", [1e-3, 1.0, 1000.0])
def test_after_a_long_time_the_new_value_counts(passed):
    one_euro = OneEuro(1.0, 0.0)
    one_euro(np.zeros((1, 1)), passed)
    share = float(one_euro(np.ones((1, 1)), passed)[0, 0])
    assert share == pytest.approx(2 * math.pi * passed / (1 + 2 * math.pi * passed))
