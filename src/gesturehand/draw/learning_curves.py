"""Learning curves of several runs, a panel for each metric."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from gesturehand.file_writing import new_file

#: Colours that colour-blind people can tell apart (Okabe and Ito), with lines that differ too.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES: Final = ("-", "--", "-.", ":")
#: Points below which each is marked.
_FEW: Final = 40


def save_curves(path: Path, curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]], names: Sequence[str]) -> None:
    """Saves a picture of the runs' metrics over the optimiser's steps.

    Args:
        path: Picture to write; its suffix says which format.
        curves: By metric, a curve for every run: steps and values; an empty one is left out.
        names: Of the runs, for the legend.

    Raises:
        UserError: The picture cannot be written.
    """
    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(5.5 * columns, 3.1 * rows + 0.3 * len(names)),
        dpi=110,
        layout="constrained",
        squeeze=False,
    )
    for axis, (metric, of_runs) in zip(axes.flat, curves.items(), strict=False):
        for number, curve in enumerate(of_runs):
            steps, values = [step for step, _ in curve], [value for _, value in curve]
            axis.plot(
                steps,
                values,
                _LINES[number % len(_LINES)],
                color=_COLOURS[number % len(_COLOURS)],
                marker="o" if len(curve) < _FEW else None,
                markersize=3.5,
                linewidth=1.6,
                label=names[number],
            )
        axis.set_title(metric, fontsize=10)
        axis.set_xlabel("step", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(curves) :]:
        axis.set_axis_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1, fontsize=9, frameon=False)
    with new_file(path) as part:
        figure.savefig(part, facecolor="white")
    plt.close(figure)
