"""A confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gesturehand.draw.style import SEQUENTIAL, chart


def save_confusion(path: Path, counts: np.ndarray, names: Sequence[str], title: str) -> None:
    """Saves the matrix with rows normalised to shares of the true class.

    Args:
        path: PNG to write.
        counts: (C, C), rows the truth.
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
