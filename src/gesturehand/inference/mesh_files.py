"""Meshes of an image's hands as Wavefront OBJ and as binary PLY, metres, in the camera's frame."""

from collections.abc import Sequence

import numpy as np

from gesturehand.draw.prediction import SIDE_TONES
from gesturehand.inference.result import HandResult


def object_name(number: int, hand: HandResult) -> str:
    """Name of a hand's object in an OBJ file."""
    return f"hand{number}_{hand.side}"


def obj_bytes(hands: Sequence[HandResult]) -> bytes:
    """One OBJ file with an object a hand.

    Vertices have seven decimals, a tenth of a micrometre.
    """
    lines = ["# metres, camera frame: x right, y down, z forward"]
    first = 1
    for number, hand in enumerate(hands):
        lines.append(f"o {object_name(number, hand)}")
        lines += [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in hand.vertices.tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (hand.faces + first).tolist()]
        first += len(hand.vertices)
    return ("\n".join(lines) + "\n").encode()


def ply_bytes(hands: Sequence[HandResult]) -> bytes:
    """One binary PLY file with all hands as one mesh, coloured by side."""
    vertex = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    face = np.dtype([("count", "u1"), ("corners", "<i4", 3)])
    vertices, faces, first = [], [], 0
    for hand in hands:
        rows = np.zeros(len(hand.vertices), vertex)
        rows["xyz"], rows["rgb"] = hand.vertices, SIDE_TONES[hand.side].astype(np.uint8)
        triangles = np.zeros(len(hand.faces), face)
        triangles["count"], triangles["corners"] = 3, hand.faces + first
        first += len(rows)
        vertices.append(rows)
        faces.append(triangles)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment metres, camera frame: x right, y down, z forward",
        f"element vertex {first}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
        f"element face {sum(map(len, faces))}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    body = b"".join(array.tobytes() for array in (*vertices, *faces))
    return ("\n".join(header) + "\n").encode() + body
