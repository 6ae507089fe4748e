"""A two-dimensional map of embedded samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np

from gesturehand.file_writing import new_file

matplotlib.use("Agg")
from matplotlib import pyplot as plt

_MARKERS: Final = "osD^vP"


def save_embedding(
    path: Path,
    points: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    shares: Sequence[float],
    title: str,
) -> None:
    """Saves a scatter plot, a colour and a marker for every class.

    Args:
        path: PNG to write.
        points: (N, 2).
        labels: (N,) int, class of each point.
        names: Names of the classes.
        shares: Shares of the variance that the two axes show.
        title: Above the picture.
    """
    classes = np.unique(labels)
    figure, axis = plt.subplots(figsize=(9, 6.4), dpi=110)
    palette = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for place, label in enumerate(classes):
        own = points[labels == label]
        # Dark colours first, then the light ones; a new marker with every ten.
        colour, marker = palette[2 * place % 20 + place // 10 % 2], _MARKERS[place // 10 % len(_MARKERS)]
        axis.scatter(
            own[:, 0], own[:, 1], s=26, color=colour, marker=marker, alpha=0.8, linewidths=0, label=names[label]
        )
    axis.legend(
        fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, ncols=1 + (len(classes) - 1) // 32
    )
    axis.set_xlabel(f"first principal component ({100 * shares[0]:.0f} % of the variance)")
    axis.set_ylabel(f"second principal component ({100 * shares[1]:.0f} %)")
    axis.grid(alpha=0.25)
    axis.set_title(title, fontsize=10)
    figure.tight_layout()
    with new_file(path) as part:
        figure.savefig(part)
    plt.close(figure)
