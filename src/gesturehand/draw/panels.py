"""Pictures in rows and columns with their captions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gesturehand.draw.style import chart


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
        rows: The pictures of each sample, (S, S, 3) uint8 RGB.
        columns: What each picture of a sample shows.
        captions: A line below each sample.
        samples_per_row: Samples beside each other.
        title: Title of the whole picture.
    """
    lines = -(-len(rows) // samples_per_row)
    side = 1.5  # inches a picture
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
