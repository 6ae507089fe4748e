"""The One-Euro filter against the plain filters that it is made of."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from gesturehand.inference.one_euro import OneEuro, rotation_difference, rotation_move


def filtered(one_euro, values, passed=1 / 30):
    return np.stack([one_euro(value, passed) for value in values])


def test_without_slope_it_is_an_exponential_filter():
    values = np.random.default_rng(0).normal(size=(40, 3, 2))
    alpha = 1 / (1 + 30 / (2 * math.pi * 1.5))
    start = (1 - alpha) * values[:1]  # the state with which the first value is given back
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
    # Of an exponential filter: a step's length times (1 − α) / α.
    assert lags[0] == pytest.approx(10 / 199 * 30 / (2 * math.pi), rel=1e-3)
    assert abs(lags[1]) < 1e-3


@pytest.mark.parametrize("passed", [1e-3, 1.0, 1000.0])
def test_after_a_long_time_the_new_value_counts(passed):
    one_euro = OneEuro(1.0, 0.0)
    one_euro(np.zeros((1, 1)), passed)
    share = float(one_euro(np.ones((1, 1)), passed)[0, 0])
    assert share == pytest.approx(2 * math.pi * passed / (1 + 2 * math.pi * passed))
