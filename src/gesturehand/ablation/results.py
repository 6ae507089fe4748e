"""All results of a comparison as one dictionary, and the statistics over its seeds."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import stats

from gesturehand.ablation.grid import Grid
from gesturehand.ablation.job import RESULT_FILE, Place
from gesturehand.ablation.schedule import Folders, Training, is_done, jobs_of
from gesturehand.text_file import read_json

#: Metrics whose differences are shown.
DIFFERENCES: Final = (
    ("mpjpe_mm", "Δ MPJPE"),
    ("pa_mpjpe_mm", "Δ PA-MPJPE"),
    ("mpjpe_true_rotation_mm", "Δ MPJPE, true rotation"),
)
Results = dict[str, Any]


def collect(grid: Grid, place: Place) -> Results:
    """Reads the existing results.

    Returns:
        ``size`` (its settings), ``jobs`` and ``done`` (numbers), and ``runs``: what each job wrote, by the name of its
        arm or pretraining and by seed. JSON can hold it.
    """
    return {"size": asdict(grid.size), **results_of(jobs_of(grid), place)}


def results_of(jobs: Sequence[Training], place: Folders) -> Results:
    """``jobs``, ``done`` and ``runs`` as in :func:`collect`, by the names that the results state."""
    runs: dict[str, dict[str, Any]] = {}
    for job in jobs:
        if is_done(job, place):
            content = read_json(place.folder(job) / RESULT_FILE, "The result", "remove it, and its training runs again")
            runs.setdefault(content["name"], {})[str(content["seed"])] = content
    return {"jobs": len(jobs), "done": sum(len(seeds) for seeds in runs.values()), "runs": runs}


def values_of(results: Results, name: str, metric: str, part: str = "metrics") -> dict[str, float]:
    """A metric by seed, for the seeds that have it.

    Args:
        results: What :func:`collect` returned.
        name: Name of an arm or pretraining.
        metric: Its name.
        part: ``metrics`` (single-hand test frames) or ``two_hands``.
    """
    seeds = results["runs"].get(name, {})
    found = {seed: run.get(part, {}).get(metric) for seed, run in seeds.items()}
    return {seed: value for seed, value in found.items() if value is not None}


class Mean(NamedTuple):
    """Mean over seeds, and their standard deviation (n - 1), NaN for one."""

    mean: float
    deviation: float
    number: int


def mean_of(values: dict[str, float]) -> Mean | None:
    """The mean over seeds; None if there are none.

    Example:
        >>> mean_of({"0": 1.0, "1": 3.0})
        Mean(mean=2.0, deviation=1.4142135623730951, number=2)
    """
    if not values:
        return None
    array = np.array(list(values.values()))
    deviation = float(array.std(ddof=1)) if len(array) > 1 else math.nan
    return Mean(float(array.mean()), deviation, len(array))


class Difference(NamedTuple):
    """A paired difference: its mean, the ends of its 95 % interval (NaN for one pair), and the number of pairs."""

    mean: float
    low: float
    high: float
    number: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def paired_difference(arm: dict[str, float], reference: dict[str, float]) -> Difference | None:
    """Mean of arm - reference over the seeds that both have, with Student's 95 % interval; None if there are none.

    Example:
        >>> paired_difference({"0": 1.0, "1": 3.0}, {"0": 2.0, "2": 9.0})
        Difference(mean=-1.0, low=nan, high=nan, number=1)
    """
    seeds = sorted(arm.keys() & reference.keys())
    if not seeds:
        return None
    differences = np.array([arm[seed] - reference[seed] for seed in seeds])
    mean, number = float(differences.mean()), len(differences)
    if number == 1:
        return Difference(mean, math.nan, math.nan, 1)
    interval = stats.ttest_1samp(differences, 0.0).confidence_interval(0.95)
    low, high = float(interval.low), float(interval.high)
    if math.isnan(low):  # all differences are the same
        low = high = mean
    return Difference(mean, low, high, number)
