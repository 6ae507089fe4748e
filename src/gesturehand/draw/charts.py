"""The charts of reports: errors by joint and gesture, confusion, embedding, learning curves, sweeps, picture rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from gesturehand.draw.style import (
    BLUE,
    CYCLE,
    DASHES,
    FINGER_COLOURS,
    LIGHT,
    SEQUENTIAL,
    VERMILION,
    chart,
    finger_legend,
    lighter,
    rgb,
)
from gesturehand.skeleton import JOINT_NAMES

#: Colour of the wrist's bar.
_GREY: Final = (0.55, 0.55, 0.55)
#: Lightening and hatching of the bars of each group of hands.
_GROUPS: Final = ((0.0, ""), (0.6, "////"), (0.35, "...."), (0.8, "xxxx"))
#: Number of panels in a row.
_COLUMNS: Final = 6
#: With fewer points than this, each one is marked.
_FEW: Final = 40


def save_per_joint(path: Path, errors_mm: Mapping[str, Sequence[float | None]], title: str) -> None:
    """Saves a bar for every joint and group of hands, coloured by finger: the first group full, the others hatched.

    Args:
        path: PNG to write.
        errors_mm: The 21 mean errors by group of hands, mm; None if nothing was counted.
        title: Above the picture.
    """
    rows = {name: np.array([np.nan if e is None else e for e in row]) for name, row in errors_mm.items()}
    rows = {name: row for name, row in rows.items() if not np.isnan(row).all()}
    colours = [_GREY, *(rgb(FINGER_COLOURS[joint // 4]) for joint in range(20))]
    place, width = np.arange(len(JOINT_NAMES)), 0.8 / max(1, len(rows))
    with chart(path, figsize=(9, 3.8)) as (_, (axis,)):
        sides: list[Any] = []
        for number, ((name, row), (share, hatch)) in enumerate(zip(rows.items(), _GROUPS, strict=False)):
            axis.bar(
                place + (number - (len(rows) - 1) / 2) * width,
                row,
                width,
                color=[lighter(colour, share) for colour in colours],
                edgecolor=colours if hatch else "none",
                linewidth=0.6,
                hatch=hatch,
            )
            face = lighter(_GREY, share)
            sides.append(Patch(facecolor=face, edgecolor=_GREY if hatch else face, hatch=hatch, label=f"{name} hands"))
        axis.set_xticks(place, JOINT_NAMES, rotation=45, ha="right", rotation_mode="anchor")
        axis.set_xlim(-0.7, len(JOINT_NAMES) - 0.3)
        axis.set_ylabel("mean error, mm")
        axis.grid(axis="y")
        fingers = [Patch(color=rgb(colour), label=name) for name, colour in finger_legend()]
        axis.legend(handles=[*fingers, *(sides if len(sides) > 1 else [])], loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.set_title(title)


def save_per_gesture(path: Path, classes: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Saves a bar for every gesture with the number of its samples.

    Args:
        path: PNG to write.
        classes: ``samples`` and ``mpjpe_mm`` by name, in the order of the bars from the top.
        title: Above the picture.
    """
    errors = [row["mpjpe_mm"] for row in classes.values()]
    with chart(path, figsize=(7, 1.3 + 0.22 * len(classes))) as (_, (axis,)):
        axis.barh(range(len(classes)), errors, color=BLUE, height=0.72)
        axis.set_yticks(range(len(classes)), list(classes))
        axis.tick_params(axis="y", length=0)
        for place, row in enumerate(classes.values()):
            text = f" {row['mpjpe_mm']:.1f} (n={row['samples']})"
            axis.text(row["mpjpe_mm"], place, text, va="center", fontsize=7)
        axis.set_ylim(len(classes) - 0.5, -0.5)
        axis.set_xlim(0, 1.2 * max(errors) or 1)
        axis.set_xlabel("mean error, mm (n = samples)")
        axis.grid(axis="x")
        axis.set_title(title)


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
        curves: The fraction of joints within each threshold, by protocol.
        areas: The area under each protocol's curve, between 0 and 1.
        title: Above the picture.
    """
    with chart(path, figsize=(5.5, 4)) as (_, (axis,)):
        for number, (name, curve) in enumerate(curves.items()):
            line = DASHES[number % len(DASHES)]
            axis.plot(thresholds_mm, curve, line, label=f"{name}, AUC {areas[name]:.3f}")
        axis.set_xlim(thresholds_mm[0], thresholds_mm[-1])
        axis.set_ylim(0, 1.01)
        axis.set_xlabel("threshold, mm")
        axis.set_ylabel("share of joints within it")
        axis.grid()
        axis.legend(loc="best")
        axis.set_title(title)


def save_confusion(path: Path, counts: np.ndarray, names: Sequence[str], title: str) -> None:
    """Saves the matrix with rows normalised to shares of the true class.

    Args:
        path: PNG to write.
        counts: (C, C); the rows are the true classes.
        names: Names of the C classes.
        title: Above the picture.
    """
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = 2.5 + 0.2 * len(names)
    with chart(path, figsize=(size + 0.6, size)) as (figure, (axis,)):
        picture = axis.imshow(shares, vmin=0, vmax=1, cmap=SEQUENTIAL)
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axis.set_yticks(range(len(names)), names, fontsize=7)
        axis.tick_params(length=0)
        # Thin lines between the cells, along which a row is followed to its name.
        axis.set_xticks(np.arange(len(names)) - 0.5, minor=True)
        axis.set_yticks(np.arange(len(names)) - 0.5, minor=True)
        axis.tick_params(which="minor", length=0)
        axis.grid(which="minor", linewidth=0.4)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true")
        axis.set_title(title)
        figure.colorbar(picture, ax=axis, fraction=0.04, pad=0.02, label="share of the true class")


def save_embedding(
    path: Path,
    points: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    shares: Sequence[float],
    title: str,
) -> None:
    """Saves one small map for every class: its own samples in colour over all the others in grey.

    So many classes cannot be told apart by colours in one map. All maps have the same axes.

    Args:
        path: PNG to write.
        points: (N, 2).
        labels: (N,) int, class of each point.
        names: Names of the classes.
        shares: Shares of the variance that the two axes show.
        title: Above the picture.
    """
    classes = np.unique(labels)
    columns = min(_COLUMNS, len(classes))
    rows = -(-len(classes) // columns)
    middle, reach = (points.max(0) + points.min(0)) / 2, 0.55 * np.maximum(np.ptp(points, axis=0), 1e-6)
    size = (max(5.0, 1.6 * columns), 1.5 * rows + 0.8)
    with chart(path, rows, columns, figsize=size, sharex=True, sharey=True) as (figure, axes):
        for axis, label in zip(axes, classes, strict=False):
            own = labels == label
            axis.scatter(points[~own, 0], points[~own, 1], s=3, color=LIGHT, linewidths=0, rasterized=True)
            axis.scatter(points[own, 0], points[own, 1], s=11, color=BLUE, linewidths=0, alpha=0.85)
            heading = f"{names[label]} ({own.sum()})"
            # A title is as wide as its map at about 27 characters of this size.
            axis.set_title(heading, fontsize=7.5 * min(1.0, 25 / len(heading)), fontweight="normal")
        for axis in axes:
            axis.set(xlim=middle[0] + reach[0] * np.array([-1, 1]), ylim=middle[1] + reach[1] * np.array([-1, 1]))
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_color(LIGHT)
            axis.spines[:].set_visible(True)
        for axis in axes[len(classes) :]:
            axis.set_visible(False)
        figure.suptitle(title, x=0.01, ha="left")
        figure.supxlabel(f"first principal component ({100 * shares[0]:.0f} % of the variance)", fontsize=8.5)
        figure.supylabel(f"second principal component ({100 * shares[1]:.0f} %)", fontsize=8.5)


def save_curves(path: Path, curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]], names: Sequence[str]) -> None:
    """Saves a picture of the runs' metrics over the optimiser's steps.

    Args:
        path: Picture to write; its suffix determines the format.
        curves: A curve per run by metric: steps and values; an empty one is left out.
        names: Names of the runs, for the legend.

    Raises:
        UserError: The picture cannot be written.
    """
    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    size = (5.5 * columns, 3.1 * rows + 0.3 * len(names))
    with chart(path, rows, columns, figsize=size) as (figure, axes):
        for axis, (metric, of_runs) in zip(axes, curves.items(), strict=False):
            for number, (name, curve) in enumerate(zip(names, of_runs, strict=True)):
                colour, dash = CYCLE[number % len(CYCLE)], DASHES[number % len(DASHES)]
                marker = "o" if len(curve) < _FEW else None
                steps, values = [step for step, _ in curve], [value for _, value in curve]
                axis.plot(steps, values, dash, color=colour, marker=marker, markersize=3.5, linewidth=1.6, label=name)
            axis.set_title(metric)
            axis.set_xlabel("step")
            axis.grid(visible=True)
        for axis in axes[len(curves) :]:
            axis.set_axis_off()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=1)


def save_panels(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    *,
    columns: Sequence[str],
    captions: Sequence[str],
    samples_per_row: int = 2,
    title: str = "",
) -> None:
    """Saves samples as strips of equal pictures, several samples in a row.

    Args:
        path: PNG to write.
        rows: The pictures of each sample, (S, S, 3) uint8 RGB.
        columns: The title of each picture of a sample.
        captions: A line below each sample.
        samples_per_row: Number of samples in a row.
        title: Title of the whole picture.
    """
    lines = -(-len(rows) // samples_per_row)
    side = 1.5  # inches per picture
    width, height = side * len(columns) * samples_per_row, (side + 0.22) * lines + 0.6
    with chart(path, lines, samples_per_row, figsize=(width, height), layout="none") as (figure, axes):
        for axis in axes:
            axis.axis("off")
        for number, pictures in enumerate(rows):
            axis = axes[number]
            axis.imshow(np.hstack(pictures), aspect="auto", interpolation="lanczos")
            axis.text(0.5, -0.02, captions[number], transform=axis.transAxes, ha="center", va="top", fontsize=8)
            if number < samples_per_row:
                for column, name in enumerate(columns):
                    place = (column + 0.5) / len(columns)
                    axis.text(place, 1.02, name, transform=axis.transAxes, ha="center", va="bottom", fontsize=8)
        figure.suptitle(title, y=1 - 0.1 / height)
        figure.subplots_adjust(
            left=0.005, right=0.995, top=1 - 0.5 / height, bottom=0.2 / height, wspace=0.015, hspace=0.22 / side
        )


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
    """Saves parallel coordinates, the best trial in bold, and a bar for every setting's importance if it is known.

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
    # From light for the worst to dark; the best stands out in a colour that the scale does not contain.
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
