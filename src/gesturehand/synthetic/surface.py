"""Surfaces of triangles: their holes, and what drawing needs of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse


@dataclass(frozen=True)
class Surface:
    """What drawing needs of a hand model.

    Attributes:
        faces: (F, 3) vertex indices, counter-clockwise seen from outside; the open wrist is closed.
        face_to_vertex: (V, F) sparse, 1 where the face has the vertex.
    """

    faces: npt.NDArray[np.int64]
    face_to_vertex: scipy.sparse.csr_matrix


def surface_of(faces: npt.NDArray[np.int64], num_vertices: int) -> Surface:
    """The closed surface of a hand model with faces (F, 3)."""
    return surface_as_it_is(_closed(faces), num_vertices)


def surface_as_it_is(faces: npt.NDArray[np.int64], num_vertices: int) -> Surface:
    """A surface with faces (F, 3), whose holes and seams stay open."""
    columns = np.repeat(np.arange(len(faces)), 3)
    ones = np.ones(len(columns))
    shape = (num_vertices, len(faces))
    return Surface(faces, scipy.sparse.csr_matrix((ones, (faces.ravel(), columns)), shape=shape))


def boundary_loops(faces: npt.NDArray[np.int64]) -> list[list[int]]:
    """Vertices around each hole of a surface, in the order in which faces that fill the hole go through them."""
    edges = {(int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)}
    following = {b: a for a, b in sorted(edges) if (b, a) not in edges}
    loops = []
    while following:
        start, current = following.popitem()
        loop = [start]
        while current != start:
            loop.append(current)
            current = following.pop(current)
        loops.append(loop)
    return loops


def _closed(faces: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Faces with a fan over each hole, so that no view looks into the open wrist."""
    caps = [(loop[0], loop[k], loop[k + 1]) for loop in boundary_loops(faces) for k in range(1, len(loop) - 1)]
    return np.concatenate([faces, np.array(caps, np.int64).reshape(-1, 3)])
