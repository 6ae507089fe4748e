"""The comparison's pictures: differences with their intervals, and learning curves where fits are few."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from gesturehand.ablation.grid import Arm, Grid
from gesturehand.ablation.results import DIFFERENCES, Results, paired_difference, values_of
from gesturehand.draw.style import BLUE, GREEN, GREY, VERMILION, chart


def save_differences(path: Path, grid: Grid, results: Results) -> None:
    """Draws every contrast's paired difference with its 95 % interval; left of zero, the first arm is better."""
    shown = [contrast for contrast in grid.contrasts if values_of(results, contrast.arm, "pa_mpjpe_mm")]
    draw_differences(
        path,
        [(f"{contrast.label}  ({contrast.equal})", contrast.arm, contrast.reference) for contrast in shown],
        [(metric, f"{heading}, mm") for metric, heading in DIFFERENCES],
        results,
        f"Paired differences over {grid.size.seeds} seeds with 95 % intervals: left of zero, the first is better "
        "(hollow and grey: the interval holds zero)",
    )


def draw_differences(
    path: Path,
    contrasts: Sequence[tuple[str, str, str]],
    columns: Sequence[tuple[str, str]],
    results: Results,
    title: str,
) -> None:
    """Draws paired differences with their 95 % intervals, a row for each contrast and a panel for each metric.

    Args:
        path: Picture to write.
        contrasts: A label, the name of an arm, and that of the arm which is subtracted.
        columns: A metric's name and its heading.
        results: What the comparison has collected.
        title: Title of the picture.
    """
    height = 1.6 + 0.3 * max(1, len(contrasts))
    with chart(path, 1, len(columns), figsize=(12.5, height), sharey=True) as (figure, axes):
        for axis, (metric, heading) in zip(axes, columns, strict=True):
            axis.axvline(0, color=GREY, linewidth=1)
            for row, (_, *names) in enumerate(contrasts):
                found = paired_difference(*(values_of(results, name, metric) for name in names))
                if found is None:
                    continue
                colour = GREY if not found.is_clear else BLUE if found.mean < 0 else VERMILION
                if not math.isnan(found.low):
                    axis.plot([found.low, found.high], [row, row], color=colour, solid_capstyle="butt")
                # Hollow where the interval holds zero: told apart without colours too.
                axis.plot(found.mean, row, "o", color=colour, markersize=6, mfc=None if found.is_clear else "white")
            axis.set_title(heading)
            axis.grid(axis="x")
            axis.spines["left"].set_visible(False)
            axis.tick_params(axis="y", length=0)
        axes[0].set_yticks(range(len(contrasts)), [label for label, *_ in contrasts])
        axes[0].set_ylim(max(len(contrasts), 1) - 0.5, -0.5)
        figure.suptitle(title)


def save_curves(path: Path, grid: Grid, results: Results) -> None:
    """Draws validation PA-MPJPE over all steps, stage 1's included, with every fit and with few."""
    base = next(arm for arm in grid.arms if arm.pretrain is not None)
    shares = (1.0, *(share for share, _ in grid.size.few_fits))
    styles = {
        "from scratch": (GREY, "--"),
        "pretrained": (BLUE, "-"),
        "equal total": (VERMILION, ":"),
        "shuffled labels": (GREEN, "-."),
    }
    with chart(path, 1, len(shares), figsize=(12.5, 4.6)) as (figure, axes):
        for axis, share in zip(axes, shares, strict=True):
            arms = [
                arm
                for arm in grid.arms
                if (arm.architecture, arm.backbone, arm.fit_share) == (base.architecture, base.backbone, share)
                and arm.section in ("main", "fits", "controls")
            ]
            for arm in arms:
                colour, line = styles[next(name for name in reversed(styles) if arm.label.endswith(name))]
                name = arm.label.split("fits, ")[-1]
                _curve(axis, arm, results, colour, line, f"{name}, {arm.pretrain_steps} + {arm.steps} steps")
            axis.set_title(f"{100 * share:g} % of the frames with MANO fits")
            axis.set_xlabel("steps, stage 1 included")
            axis.grid()
            if arms:
                axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))
        axes[0].set_ylabel("validation PA-MPJPE, mm")
        figure.suptitle(
            f"{base.architecture}, {base.backbone}: mean over seeds, band from the smallest to the largest",
        )


def _curve(axis: Axes, arm: Arm, results: Results, colour: str, line: str, label: str) -> None:
    runs = list(results["runs"].get(arm.name, {}).values())
    if not runs:
        axis.plot([], [], line, color=colour, label=f"{label} (missing)")
        return
    steps = np.array([point["step"] for point in runs[0]["curve"]]) + arm.pretrain_steps
    values = np.array([[point["pa_mpjpe_mm"] for point in run["curve"]] for run in runs])
    axis.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axis.plot(steps, values.mean(0), line, color=colour, marker="o", markersize=3, label=label)
