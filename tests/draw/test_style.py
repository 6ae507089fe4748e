"""Colours of charts, as colour-blind people see them, and how charts are saved."""

from itertools import combinations

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from gesturehand.draw.style import CHART_STYLE, CYCLE, FINGER_COLOURS, chart, lighter, rgb

#: Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as people without the red or the green cone see it.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def seen(colour, matrix):
    """CIELAB of a colour (0 … 1) behind a matrix on linear RGB."""
    value = np.asarray(colour)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(matrix) @ linear, 0, 1)
    back = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(back.astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2LAB)[0, 0]


@pytest.mark.parametrize("matrix", [np.eye(3), *BLINDNESS.values()], ids=["all cones", *BLINDNESS])
def test_colours_are_told_apart(matrix):
    fingers = [rgb(colour) for colour in FINGER_COLOURS]
    for palette in ([to_rgb(colour) for colour in CYCLE[:4]], fingers):
        for one, other in combinations(palette, 2):
            assert np.linalg.norm(seen(one, matrix) - seen(other, matrix)) > 15


def test_a_chart_leaves_matplotlib_as_it_was(tmp_path):
    before = dict(mpl.rcParams)
    backend, figures = mpl.get_backend(), plt.get_fignums()
    with chart(tmp_path / "new" / "chart.png", figsize=(3, 2)) as (_, (axis,)):
        axis.plot([0, 1])
    assert dict(mpl.rcParams) == before
    assert (mpl.get_backend(), plt.get_fignums()) == (backend, figures)
    dpi = CHART_STYLE["savefig.dpi"]
    assert cv2.imread(str(tmp_path / "new" / "chart.png")).shape == (2 * dpi, 3 * dpi, 3)


def test_a_chart_that_fails_is_not_written(tmp_path):
    with pytest.raises(ZeroDivisionError), chart(tmp_path / "chart.png"):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_lighter_ends_in_white():
    assert lighter((0.2, 0.4, 0.6), 0.0) == (0.2, 0.4, 0.6)
    assert lighter((0.2, 0.4, 0.6), 1.0) == (1.0, 1.0, 1.0)
