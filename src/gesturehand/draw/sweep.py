"""A sweep at a glance: every trial as a line through its settings, and how much each setting mattered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from gesturehand.draw.style import BLUE, SEQUENTIAL, VERMILION, chart


def save_parallel_coordinates(
    path: Path,
    trials: Sequence[Mapping[str, Any]],
    values: Sequence[float],
    *,
    metric: str,
    maximise: bool,
    importances: Mapping[str, float],
    title: str,
) -> None:
    """Saves parallel coordinates, the best trial in bold, and a bar for every setting's importance where it is known.

    Args:
        path: PNG to write.
        trials: Settings of each trial by name.
        values: The metric of each trial.
        metric: Its name.
        maximise: Whether more is better.
        importances: Shares by name; may be empty.
        title: Above the picture.
    """
    names = list(trials[0])
    width = 3.2 + 1.7 * len(names) + (2.6 if importances else 0)
    ratios = {"width_ratios": [1.7 * len(names) + 2, 2.6]} if importances else None
    with chart(path, 1, 2 if importances else 1, figsize=(width, 4.6), gridspec_kw=ratios) as (figure, axes):
        _lines(axes[0], names, trials, np.asarray(values, float), metric, maximise)
        if importances:
            shown = sorted(importances, key=lambda name: importances[name])
            axes[1].barh([_short(name) for name in shown], [importances[name] for name in shown], color=BLUE)
            axes[1].set_xlim(0, 1)
            axes[1].set_xlabel("importance (PED-ANOVA)")
            axes[1].grid(axis="x")
        figure.suptitle(f"{title}; the best in bold", x=0.01, ha="left")


def _lines(
    axis: Axes, names: list[str], trials: Sequence[Mapping[str, Any]], values: np.ndarray, metric: str, maximise: bool
) -> None:
    columns = [_places([trial[name] for trial in trials]) for name in names]
    columns.append(_places(values.tolist()))
    heights = np.array([places for places, _ in columns])
    best = int(values.argmax() if maximise else values.argmin())
    order = np.argsort(values if maximise else -values, kind="stable")
    # From light, the worst, to dark; the best stands out in a colour that the scale does not have.
    goodness = heights[-1] if maximise else 1 - heights[-1]
    colours = mpl.colormaps[SEQUENTIAL](0.3 + 0.6 * goodness)
    for trial in order:
        bold = trial == best
        axis.plot(heights[:, trial], color=VERMILION if bold else colours[trial], linewidth=3.2 if bold else 1.4)
    for place, (_, ticks) in enumerate(columns):
        axis.axvline(place, color="0.25", linewidth=0.8)
        for height, text in ticks:
            axis.annotate(
                text,
                (place, height),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
            )
    axis.set_xticks(range(len(columns)), [*(_short(name) for name in names), metric], fontsize=8.5)
    axis.set_yticks([])
    axis.set_xlim(-0.15, len(columns) - 0.6)
    axis.set_ylim(-0.06, 1.06)
    axis.spines[:].set_visible(False)


def _places(values: list[Any]) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Heights 0 … 1 of values on their axis, and the axis's marks."""
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numeric or len(set(values)) <= 4:
        options = sorted(set(values)) if numeric else list(dict.fromkeys(sorted(map(str, values))))
        keys = values if numeric else [str(value) for value in values]
        heights = {option: 0.5 if len(options) == 1 else k / (len(options) - 1) for k, option in enumerate(options)}
        return np.array([heights[key] for key in keys]), [(h, _text(option)) for option, h in heights.items()]
    numbers = np.array(values, float)
    logarithmic = numbers.min() > 0 and numbers.max() > 8 * numbers.min()
    scaled = np.log(numbers) if logarithmic else numbers
    low, high = scaled.min(), scaled.max()
    marks = np.linspace(low, high, 5)
    texts = [_text(float(mark)) for mark in (np.exp(marks) if logarithmic else marks)]
    return (scaled - low) / (high - low), list(zip(np.linspace(0, 1, 5).tolist(), texts, strict=True))


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _short(name: str) -> str:
    """The last part of a dotted key."""
    return name.rpartition(".")[2]
