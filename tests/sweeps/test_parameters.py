"""Parameters against SciPy's distributions, by the documented definitions."""

import math

import numpy as np
import optuna
import pytest
from scipy import stats

from gesturehand.errors import UserError
from gesturehand.sweeps.parameters import arguments, grid_points, read_parameters

DRAWS = 2000


def draw(spec, number=DRAWS):
    """Values as a random sweep draws them."""
    (parameter,) = read_parameters({"x": spec})
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Straight from the sampler: a study of thousands of trials is slow.
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    study.ask()
    (trial,) = study.trials
    return [
        parameter.value(sampler.sample_independent(study, trial, "x", parameter.distribution)) for _ in range(number)
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"distribution": "uniform", "min": -1, "max": 3}, stats.uniform(-1, 4)),
        ({"min": -1.0, "max": 3}, stats.uniform(-1, 4)),
        ({"distribution": "log_uniform", "min": -3, "max": 2}, stats.loguniform(math.exp(-3), math.exp(2))),
        ({"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1}, stats.loguniform(1e-4, 0.1)),
        ({"distribution": "normal", "mu": 2, "sigma": 0.5}, stats.norm(2, 0.5)),
        ({"mu": 2}, stats.norm(2, 1)),
    ],
    ids=lambda value: value.get("distribution", "inferred") if isinstance(value, dict) else "",
)
def test_continuous_distribution(spec, expected):
    assert stats.kstest(draw(spec), expected.cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("spec", "continuous"),
    [
        ({"distribution": "q_uniform", "min": 0, "max": 10, "q": 4}, stats.uniform(0, 10)),
        ({"distribution": "q_log_uniform_values", "min": 16, "max": 200, "q": 16}, stats.loguniform(16, 200)),
    ],
    ids=lambda value: value["distribution"] if isinstance(value, dict) else "",
)
def test_rounded_distribution(spec, continuous):
    """round(X / q) · q: the share of each value is what the continuous distribution has around it."""
    step, values = spec.get("q", 1), draw(spec)
    assert all(isinstance(value, type(step)) for value in values)
    for value in set(values):
        share = continuous.cdf(value + step / 2) - continuous.cdf(value - step / 2)
        assert np.mean(np.array(values) == value) == pytest.approx(share, abs=0.035)


def test_whole_numbers_and_choices_occur_equally_often():
    values = draw({"min": 2, "max": 6})
    assert stats.chisquare([values.count(number) for number in range(2, 7)]).pvalue > 0.01
    values = draw({"values": [None, True, "a", [1, 2], {"b": 1}]})
    assert (
        stats.chisquare(
            [
                sum(v == option and type(v) is type(option) for v in values)
                for option in (None, True, "a", [1, 2], {"b": 1})
            ]
        ).pvalue
        > 0.01
    )


def test_one_and_true_are_two_choices():
    values = draw({"values": [1, True, 0.0, False]}, 200)
    assert {(type(value), value) for value in values} == {(int, 1), (bool, True), (float, 0.0), (bool, False)}


def test_grid_is_every_combination():
    specs = {
        "a": {"values": ["x", "y"]},
        "b": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.5},
        "c": {"min": 1, "max": 2},
        "d": {"value": 7},
    }
    parameters = read_parameters(specs)
    points = [tuple(arguments(parameters, point).values()) for point in grid_points(parameters)]
    assert points == [(a, b, c, 7) for a in "xy" for b in (0.0, 0.5, 1.0) for c in (1, 2)]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"distribution": "cauchy", "mu": 1}, "cauchy"),
        ({"distribution": "beta", "a": 2, "b": 5}, "beta"),
        ({"distribution": "inv_log_uniform_values", "min": 1, "max": 5}, "inv_log_uniform_values"),
        ({"distribution": "q_log_normal", "mu": 1, "sigma": 1}, "q_log_normal"),
        ({"parameters": {"name": {"values": ["adam"]}}}, "parameters"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "q_uniform"),
        ({"distribution": "q_log_uniform_values", "min": 0, "max": 1}, "q_log_uniform_values"),
        ({"min": 1, "max": 2, "step": 1}, "step"),
        ({"distribution": "log_uniform_values", "min": 1}, "max"),
        ({"distribution": "uniform", "min": 2, "max": 1}, "uniform"),
        ({"distribution": "q_uniform", "min": 2, "max": 1}, "q_uniform"),
        ({"values": ["a", "b"], "probabilities": [0.5, 0.5]}, "probabilities"),
        ({"values": []}, "categorical"),
        ({}, "gives no values"),
        (3, "not a mapping"),
    ],
)
def test_mistake_is_named(spec, named):
    with pytest.raises(UserError, match=named) as error:
        read_parameters({"learning_rate": spec})
    assert "learning_rate" in str(error.value)


def test_same_space_as_wandbs_own_optuna_scheduler():
    """W&B has a translation of its own since 0.2x; where it has one, ours is the same."""
    scheduler = pytest.importorskip("wandb.sdk.sweeps.scheduler.optuna")
    specs = {
        "a": {"values": ["x", "y"]},
        "b": {"min": 1, "max": 4},
        "c": {"min": 0.5, "max": 4},
        "d": {"distribution": "log_uniform_values", "min": 0.001, "max": 1.0},
    }
    ours = {parameter.name: parameter.distribution for parameter in read_parameters(specs)}
    assert ours == scheduler.search_space_from_sweep_config(specs)
