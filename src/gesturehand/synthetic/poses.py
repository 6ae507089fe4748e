"""The hand pose of each gesture: package data ``assets/gesture_poses.csv``, in degrees.

A row is a fine class of the vocabulary, or ``neutral``, the relaxed hand from which a recording starts. What an angle
means is written in :mod:`gesturehand.synthetic.articulation`.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from gesturehand.gestures import vocabulary
from gesturehand.synthetic.articulation import ANGLE_NAMES

NEUTRAL: Final = "neutral"


@cache
def pose_table() -> dict[str, npt.NDArray[np.float64]]:
    """Angles of every pose by name, (21,) degrees each in the order of ``ANGLE_NAMES``.

    Example:
        >>> table = pose_table()
        >>> len(table), table["fist"][ANGLE_NAMES.index("ring_mcp")] > 60
        (36, np.True_)
    """
    table = (files("gesturehand.assets") / "gesture_poses.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(table.replace(" ", "").splitlines())
    poses = {row["gesture"]: np.array([float(row[name]) for name in ANGLE_NAMES]) for row in rows}
    for angles in poses.values():
        angles.setflags(write=False)
    return poses


def gesture_poses() -> npt.NDArray[np.float64]:
    """(35, 21) degrees: the pose of each fine class, by class index."""
    return np.stack([pose_table()[name] for name in vocabulary().fine])


def neutral_pose() -> npt.NDArray[np.float64]:
    """(21,) degrees: the relaxed hand."""
    return pose_table()[NEUTRAL]
