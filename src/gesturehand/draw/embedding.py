"""A two-dimensional map of embedded samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from gesturehand.draw.style import BLUE, LIGHT, chart

#: Panels beside each other.
_COLUMNS: Final = 6


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
