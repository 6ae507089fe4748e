"""Charts of errors: by joint, by gesture, and the PCK curve."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gesturehand.draw.skeleton import FINGER_COLOURS, finger_legend
from gesturehand.file_writing import new_file
from gesturehand.skeleton import JOINT_NAMES

#: Of the wrist's bar.
_GREY: Final = (0.55, 0.55, 0.55)
_MARKERS: Final = ("4", "3", "2", "1")


def save_per_joint(path: Path, errors_mm: Mapping[str, Sequence[float | None]], title: str) -> None:
    """Saves a bar for every joint, coloured by finger: the mean of the groups of hands, each group a mark on it.

    Args:
        path: PNG to write.
        errors_mm: By group of hands the 21 mean errors, mm; None where nothing was counted.
        title: Above the picture.
    """
    rows = {name: np.array([np.nan if e is None else e for e in row]) for name, row in errors_mm.items()}
    rows = {name: row for name, row in rows.items() if not np.isnan(row).all()}
    stacked = np.stack(list(rows.values()))
    occurred = ~np.isnan(stacked)
    mean = np.where(occurred, stacked, 0).sum(0) / np.maximum(occurred.sum(0), 1)
    colours = [_GREY, *(_rgb(FINGER_COLOURS[joint // 4]) for joint in range(20))]
    figure, axis = plt.subplots(figsize=(9, 3.8), dpi=110)
    place = np.arange(len(JOINT_NAMES))
    axis.bar(place, mean, color=colours, width=0.75)
    handles: list[Any] = [Patch(color=_rgb(colour), label=name) for name, colour in finger_legend()]
    if len(rows) > 1:
        for (name, row), marker in zip(rows.items(), _MARKERS, strict=False):
            handles += axis.plot(place, row, marker, color="black", markersize=9, label=f"{name} hands")
    axis.set_xticks(place, JOINT_NAMES, rotation=45, ha="right", fontsize=8)
    axis.set_ylabel("mean error, mm")
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axis.set_title(title, fontsize=10)
    _save(figure, path)


def save_per_gesture(path: Path, classes: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Saves a bar for every gesture with the number of its samples.

    Args:
        path: PNG to write.
        classes: By name ``samples`` and ``mpjpe_mm``, in the order of the bars from the top.
        title: Above the picture.
    """
    errors = [row["mpjpe_mm"] for row in classes.values()]
    figure, axis = plt.subplots(figsize=(7, 1.3 + 0.22 * len(classes)), dpi=110)
    axis.barh(range(len(classes)), errors, color=_rgb(FINGER_COLOURS[1]), height=0.75)
    axis.set_yticks(range(len(classes)), list(classes), fontsize=8)
    for place, row in enumerate(classes.values()):
        text = f" {row['mpjpe_mm']:.1f} (n={row['samples']})"
        axis.text(row["mpjpe_mm"], place, text, va="center", fontsize=7)
    axis.set_ylim(len(classes) - 0.5, -0.5)
    axis.set_xlim(0, 1.2 * max(errors) or 1)
    axis.set_xlabel("mean error, mm (n = samples)")
    axis.set_title(title, fontsize=10)
    _save(figure, path)


def save_pck(
    path: Path,
    thresholds_mm: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    areas: Mapping[str, float | None],
    title: str,
) -> None:
    """Saves PCK curves with the areas under them.

    Args:
        path: PNG to write.
        thresholds_mm: Thresholds of the curves.
        curves: By protocol the fraction of joints within each threshold.
        areas: By protocol the area under its curve, between 0 and 1.
        title: Above the picture.
    """
    figure, axis = plt.subplots(figsize=(5.5, 4), dpi=110)
    for number, (name, curve) in enumerate(curves.items()):
        colour = _rgb(FINGER_COLOURS[(0, 1, 2, 4)[number % 4]])
        axis.plot(thresholds_mm, curve, color=colour, label=f"{name}, AUC {areas[name]:.3f}")
    axis.set_xlim(thresholds_mm[0], thresholds_mm[-1])
    axis.set_ylim(0, 1.01)
    axis.set_xlabel("threshold, mm")
    axis.set_ylabel("share of joints within it")
    axis.grid(alpha=0.3)
    axis.legend(loc="best")
    axis.set_title(title, fontsize=10)
    _save(figure, path)


def _rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    with new_file(path) as part:
        figure.savefig(part)
    plt.close(figure)
