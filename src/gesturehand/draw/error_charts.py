"""Charts of errors: by joint, by gesture, and the PCK curve."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.patches import Patch

from gesturehand.draw.skeleton import FINGER_COLOURS, finger_legend
from gesturehand.draw.style import BLUE, DASHES, chart, lighter, rgb
from gesturehand.skeleton import JOINT_NAMES

#: Of the wrist's bar.
_GREY: Final = (0.55, 0.55, 0.55)
#: How much lighter, and hatched how, the bars of each group of hands are.
_GROUPS: Final = ((0.0, ""), (0.6, "////"), (0.35, "...."), (0.8, "xxxx"))


def save_per_joint(path: Path, errors_mm: Mapping[str, Sequence[float | None]], title: str) -> None:
    """Saves a bar for every joint and group of hands, coloured by finger: the first group full, the others hatched.

    Args:
        path: PNG to write.
        errors_mm: By group of hands the 21 mean errors, mm; None where nothing was counted.
        title: Above the picture.
    """
    rows = {name: np.array([np.nan if e is None else e for e in row]) for name, row in errors_mm.items()}
    rows = {name: row for name, row in rows.items() if not np.isnan(row).all()}
    colours = [_GREY, *(rgb(FINGER_COLOURS[joint // 4]) for joint in range(20))]
    place, width = np.arange(len(JOINT_NAMES)), 0.8 / max(1, len(rows))
    with chart(path, figsize=(9, 3.8)) as (_, (axis,)):
        sides: list[Any] = []
        for number, ((name, row), (share, hatch)) in enumerate(zip(rows.items(), _GROUPS, strict=False)):
            axis.bar(
                place + (number - (len(rows) - 1) / 2) * width,
                row,
                width,
                color=[lighter(colour, share) for colour in colours],
                edgecolor=colours if hatch else "none",
                linewidth=0.6,
                hatch=hatch,
            )
            face = lighter(_GREY, share)
            sides.append(Patch(facecolor=face, edgecolor=_GREY if hatch else face, hatch=hatch, label=f"{name} hands"))
        axis.set_xticks(place, JOINT_NAMES, rotation=45, ha="right", rotation_mode="anchor")
        axis.set_xlim(-0.7, len(JOINT_NAMES) - 0.3)
        axis.set_ylabel("mean error, mm")
        axis.grid(axis="y")
        fingers = [Patch(color=rgb(colour), label=name) for name, colour in finger_legend()]
        axis.legend(handles=[*fingers, *(sides if len(sides) > 1 else [])], loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.set_title(title)


def save_per_gesture(path: Path, classes: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Saves a bar for every gesture with the number of its samples.

    Args:
        path: PNG to write.
        classes: By name ``samples`` and ``mpjpe_mm``, in the order of the bars from the top.
        title: Above the picture.
    """
    errors = [row["mpjpe_mm"] for row in classes.values()]
    with chart(path, figsize=(7, 1.3 + 0.22 * len(classes))) as (_, (axis,)):
        axis.barh(range(len(classes)), errors, color=BLUE, height=0.72)
        axis.set_yticks(range(len(classes)), list(classes))
        axis.tick_params(axis="y", length=0)
        for place, row in enumerate(classes.values()):
            text = f" {row['mpjpe_mm']:.1f} (n={row['samples']})"
            axis.text(row["mpjpe_mm"], place, text, va="center", fontsize=7)
        axis.set_ylim(len(classes) - 0.5, -0.5)
        axis.set_xlim(0, 1.2 * max(errors) or 1)
        axis.set_xlabel("mean error, mm (n = samples)")
        axis.grid(axis="x")
        axis.set_title(title)


def save_pck(
    path: Path,
    thresholds_mm: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    areas: Mapping[str, float | None],
    title: str,
) -> None:
    """Saves PCK curves with the areas under them.

    Args:
        path: PNG to write.
        thresholds_mm: Thresholds of the curves.
        curves: By protocol the fraction of joints within each threshold.
        areas: By protocol the area under its curve, between 0 and 1.
        title: Above the picture.
    """
    with chart(path, figsize=(5.5, 4)) as (_, (axis,)):
        for number, (name, curve) in enumerate(curves.items()):
            line = DASHES[number % len(DASHES)]
            axis.plot(thresholds_mm, curve, line, label=f"{name}, AUC {areas[name]:.3f}")
        axis.set_xlim(thresholds_mm[0], thresholds_mm[-1])
        axis.set_ylim(0, 1.01)
        axis.set_xlabel("threshold, mm")
        axis.set_ylabel("share of joints within it")
        axis.grid()
        axis.legend(loc="best")
        axis.set_title(title)
