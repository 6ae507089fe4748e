"""A confusion matrix as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from gesturehand.file_writing import new_file

matplotlib.use("Agg")
from matplotlib import pyplot as plt


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
    figure, axis = plt.subplots(figsize=(size, size), dpi=110)
    picture = axis.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(title, fontsize=10)
    figure.colorbar(picture, ax=axis, fraction=0.04, pad=0.02, label="share of the true class")
    figure.tight_layout()
    with new_file(path) as part:
        figure.savefig(part)
    plt.close(figure)
