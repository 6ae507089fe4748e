"""Statistics over seeds, against SciPy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from gesturehand.ablation.results import mean_of, paired_difference


def by_seed(values):
    return {str(seed): float(value) for seed, value in enumerate(values)}


def test_difference_agrees_with_scipys_paired_test():
    rng = np.random.default_rng(0)
    one, other = rng.normal(10, 1, 5), rng.normal(12, 1, 5)
    found = paired_difference(by_seed(one), by_seed(other))
    expected = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx((one - other).mean())
    assert found.number == 5
    assert found.is_clear == (stats.ttest_rel(one, other).pvalue < 0.05)


def test_interval_of_three_seeds_by_hand():
    """Differences -3, -2, -1: mean -2, standard error 1/√3, Student's t with two degrees of freedom 4.3027."""
    found = paired_difference(by_seed([1, 2, 3]), by_seed([4, 4, 4]))
    half = 4.302653 / math.sqrt(3)
    assert found.mean == -2
    assert (found.low, found.high) == pytest.approx((-2 - half, -2 + half), abs=1e-4)
    assert not found.is_clear


def test_only_seeds_that_both_have_are_paired():
    found = paired_difference({"0": 1.0, "1": 5.0, "2": 2.0}, {"0": 2.0, "2": 4.0, "3": 100.0})
    assert (found.mean, found.number) == (-1.5, 2)
    assert paired_difference({"0": 1.0}, {"1": 1.0}) is None


def test_one_pair_has_no_interval_and_is_not_clear():
    found = paired_difference({"0": 1.0}, {"0": 3.0})
    assert found.mean == -2
    assert math.isnan(found.low)
    assert not found.is_clear


def test_equal_differences_have_an_interval_without_width():
    found = paired_difference(by_seed([1, 2]), by_seed([3, 4]))
    assert (found.low, found.high) == (-2, -2)


def test_mean_over_seeds():
    values = [3.0, 4.0, 8.0]
    assert mean_of(by_seed(values)) == pytest.approx((5, np.std(values, ddof=1), 3))
    assert mean_of({}) is None
    assert math.isnan(mean_of({"0": 1.0}).deviation)
