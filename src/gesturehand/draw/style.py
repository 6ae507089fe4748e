"""One style for all charts: colours that colour-blind people can tell apart, type, lines, and saving."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gesturehand.file_writing import new_file
from gesturehand.skeleton import FINGERS

# Okabe and Ito's palette (Color Universal Design, 2008), which can be told apart even without red and green.
BLUE: Final = "#0072b2"
VERMILION: Final = "#d55e00"
GREEN: Final = "#009e73"
ORANGE: Final = "#e69f00"
SKY: Final = "#56b4e9"
PURPLE: Final = "#cc79a7"
#: Text and frames.
INK: Final = "#2e3440"
#: Colour of less important things.
GREY: Final = "#6b7280"
LIGHT: Final = "#d5d9df"

#: Colours of things without a fixed colour, in order of use.
CYCLE: Final = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
#: Line styles that can be told apart even in print without colours, in addition to :data:`CYCLE`.
DASHES: Final = ("-", "--", "-.", ":")
#: RGB of the fingers, thumb … pinky (Okabe and Ito's palette, which also works for the colour-blind).
FINGER_COLOURS: Final = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
#: Colour map from low to high values, on white.
SEQUENTIAL: Final = "Blues"

#: matplotlib's settings; ``matplotlib.rcParams.update(CHART_STYLE)`` brings a notebook's charts into the same style.
CHART_STYLE: Final[dict[Any, Any]] = {
    "figure.dpi": 130,
    "savefig.dpi": 130,
    "figure.facecolor": "white",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": LIGHT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 2.0,
    "figure.titlesize": 9.5,
    "figure.titleweight": "bold",
}


@contextmanager
def chart(path: Path, rows: int = 1, columns: int = 1, **settings: Any) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure in the package's style, which is saved at the end of the block, whole or not at all.

    It is drawn without pyplot, so that the caller's backend and open figures are left alone.

    Args:
        path: Picture to write, PNG or SVG by its suffix.
        rows: Number of rows of axes.
        columns: Number of columns of axes.
        **settings: ``figsize`` in inches, ``layout`` (``constrained``), and arguments of
            ``matplotlib.figure.Figure.subplots``.

    Yields:
        The figure and its axes, row by row.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, chart(Path(folder) / "line.png") as (figure, (axis,)):
        ...     lines = axis.plot([1, 2, 3])
        >>> lines[0].get_color() == BLUE
        True
    """
    with mpl.rc_context(CHART_STYLE):
        figure = Figure(figsize=settings.pop("figsize", (6, 4)), layout=settings.pop("layout", "constrained"))
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False, **settings)
        yield figure, list(axes.flat)
        with new_file(path) as part:
            kind = path.suffix.removeprefix(".") or "png"
            figure.savefig(part, format=kind, metadata={"Date": None} if kind == "svg" else None)


def rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """A colour of the drawings (0 … 255) in matplotlib's form (0 … 1)."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def lighter(colour: tuple[float, float, float], share: float) -> tuple[float, float, float]:
    """A colour (0 … 1) mixed with white.

    Example:
        >>> lighter((0.0, 0.5, 1.0), 0.5)
        (0.5, 0.75, 1.0)
    """
    red, green, blue = (part + share * (1 - part) for part in colour)
    return red, green, blue


def finger_legend() -> list[tuple[str, tuple[int, int, int]]]:
    """Finger names with their colours, for a legend."""
    return list(zip(FINGERS, FINGER_COLOURS, strict=True))
