"""A check of whether parts of a posed hand pass through each other.

Parts are the five fingers and the palm; a vertex belongs to the part whose joints move it most. The winding number of a
part's triangles tells what is inside it: it is nearly 1 there, even where the part is cut off from the rest
(generalised winding number, Jacobson et al. 2013). Vertices that already lie near the other part at rest, in the webs
between fingers and at a finger's base, are left out.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from gesturehand.hand.mano_file import ManoData
from gesturehand.skeleton import MANO_JOINT_NAMES

FloatArray = npt.NDArray[np.float64]

#: Depth to which the skin of two parts may overlap, m: when real fingers press on each other, their pads give way by
#: millimetres; the mesh does not, and overlaps instead. A finger is at least 14 mm thick.
TOLERANCE_M: Final = 0.005
PARTS: Final = ("palm", "thumb", "index", "middle", "ring", "pinky")
#: Vertices nearer than this to the other part at rest are left out.
_NEAR_AT_REST_M: Final = 0.008


@dataclass(frozen=True, eq=False)
class PenetrationCheck:
    """The parts of a hand model at rest, mean shape.

    Attributes:
        data: the hand model.
    """

    data: ManoData

    def depths(self, vertices: FloatArray) -> dict[tuple[str, str], float]:
        """The depth to which each finger enters each other part.

        Args:
            vertices: (V, 3) m, the posed hand.

        Returns:
            For every finger and part that overlap, the distance of the finger's deepest vertex from the part's nearest
            one, m.
        """
        deepest = {}
        for b, faces in enumerate(self._faces):
            skin = vertices[self._part_of_vertex == b]
            tree, low, high = cKDTree(skin), skin.min(0), skin.max(0)
            for a in range(1, len(PARTS)):
                if a == b:
                    continue
                points = vertices[self._checked[a, b]]
                points = points[((points > low) & (points < high)).all(1)]
                points = points[winding_number(points, vertices[faces]) > 0.5]
                if len(points):
                    deepest[PARTS[a], PARTS[b]] = float(tree.query(points)[0].max())
        return deepest

    @cached_property
    def _part_of_vertex(self) -> npt.NDArray[np.int64]:
        names = [name.rstrip("123") for name in MANO_JOINT_NAMES]
        return np.array([PARTS.index(name) if name in PARTS else 0 for name in names])[self.data.weights.argmax(1)]

    @cached_property
    def _faces(self) -> list[npt.NDArray[np.int64]]:
        parts = self._part_of_vertex[self.data.faces]
        return [self.data.faces[(parts == part).sum(1) >= 2] for part in range(len(PARTS))]

    @cached_property
    def _checked(self) -> dict[tuple[int, int], npt.NDArray[np.int64]]:
        """For each finger and other part, the finger's vertices that are examined."""
        rest, out = self.data.v_template, {}
        beyond = np.array([name[-1] in "23" for name in MANO_JOINT_NAMES])[self.data.weights.argmax(1)]
        for b in range(len(PARTS)):
            tree = cKDTree(rest[self._part_of_vertex == b])
            for a in range(1, len(PARTS)):
                # A finger's first bone, and with it the ball of the thumb, is joined to the palm.
                free = (self._part_of_vertex == a) & (beyond if b == 0 else True)
                vertices = np.flatnonzero(free)
                out[a, b] = vertices[tree.query(rest[vertices])[0] > _NEAR_AT_REST_M]
        return out


def winding_number(points: FloatArray, triangles: FloatArray) -> FloatArray:
    """The number of times that a surface goes around points: 1 inside, 0 outside, and in between near holes.

    The sum of the triangles' solid angles (Van Oosterom and Strackee, 1983) over that of a sphere.

    Args:
        points: (N, 3).
        triangles: (F, 3, 3) corners, counter-clockwise seen from outside.

    Returns:
        (N,).
    """
    a, b, c = (triangles[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
    volume = (a * np.cross(b, c)).sum(-1)
    below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.asarray(np.arctan2(volume, below).sum(1) / (2 * np.pi))
