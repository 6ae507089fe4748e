"""Pictures in rows and columns with their captions."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def save_panels(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    *,
    columns: Sequence[str],
    captions: Sequence[str],
    samples_per_row: int = 2,
    title: str = "",
) -> None:
    """Saves samples as strips of equal pictures, several samples beside each other.

    Args:
        path: PNG to write.
        rows: For each sample its pictures, (S, S, 3) uint8 RGB.
        columns: What each picture of a sample shows.
        captions: For each sample a line below it.
        samples_per_row: Samples beside each other.
        title: Above everything.
    """
    lines = -(-len(rows) // samples_per_row)
    width = samples_per_row * len(columns)
    figure, axes = plt.subplots(lines, width, figsize=(1.75 * width, 2.0 * lines + 0.5), squeeze=False, dpi=130)
    for axis in axes.flat:
        axis.axis("off")
    for number, pictures in enumerate(rows):
        line, place = divmod(number, samples_per_row)
        for column, picture in enumerate(pictures):
            axis = axes[line, place * len(columns) + column]
            axis.imshow(picture)
            if line == 0:
                axis.set_title(columns[column], fontsize=8)
        middle = axes[line, place * len(columns) + len(columns) // 2]
        middle.text(0.5, -0.04, captions[number], transform=middle.transAxes, ha="center", va="top", fontsize=7)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4, h_pad=1.2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
