"""Draws meshes on the CPU: painter's algorithm in OpenCV, smooth shading per pixel.

Every triangle is painted as its own number, far ones first, at twice the image's resolution and within the hands' box;
each pixel then interpolates its triangle's shading. Pixels are OpenCV's: the centre of the first one is 0.0.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import scipy.sparse


@dataclass(frozen=True)
class Surface:
    """A surface of triangles.

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
    """The surface with faces (F, 3), whose holes and seams stay open."""
    columns = np.repeat(np.arange(len(faces)), 3)
    ones = np.ones(len(columns))
    shape = (num_vertices, len(faces))
    return Surface(faces, scipy.sparse.csr_matrix((ones, (faces.ravel(), columns)), shape=shape))


def boundary_loops(faces: npt.NDArray[np.int64]) -> list[list[int]]:
    """Vertices around each hole of a surface, in the order in which faces that close the hole use them."""
    edges = set(zip(faces.ravel().tolist(), np.roll(faces, -1, axis=1).ravel().tolist(), strict=True))
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
    """Faces with a fan over each hole, so that no view shows the inside of the open wrist."""
    caps = [(loop[0], loop[k], loop[k + 1]) for loop in boundary_loops(faces) for k in range(1, len(loop) - 1)]
    return np.concatenate([faces, np.array(caps, np.int64).reshape(-1, 3)])


FloatArray = npt.NDArray[np.float64]

#: Images are painted at this many times the resolution and averaged.
_FINER: Final = 2
#: Bits of a sub-pixel position in OpenCV's drawing functions.
_SHIFT: Final = 4
#: Skin turns redder as it gets darker: exponents of the shade for blue, green and red.
_SKIN_GAMMA: Final = (1.25, 1.1, 0.9)


@dataclass(frozen=True)
class Light:
    """A distant lamp and the light from all around.

    Attributes:
        direction: (3,) unit vector from the hand towards the lamp, camera frame.
        diffuse: brightness that the lamp adds to a surface that faces it.
        ambient: brightness of every surface.
        gloss: brightness of the lamp's reflection.
        wrap: how far the lamp's light reaches around a surface, 0 for a point, 1 for a lamp as wide as half the sky.
    """

    direction: FloatArray
    diffuse: float
    ambient: float
    gloss: float = 0.0
    wrap: float = 0.0


@dataclass(frozen=True, eq=False)
class Mesh:
    """Something to draw.

    Attributes:
        vertices: (V, 3) m, camera frame, in front of the camera.
        surface: its faces.
        material: (F,) int64, for each face its row of the tones.
        albedo: (V,) factor on the shade; 1 everywhere if None.
    """

    vertices: FloatArray
    surface: Surface
    material: npt.NDArray[np.int64]
    albedo: FloatArray | None = None


def render_hands(
    image: npt.NDArray[np.uint8],
    vertices: list[FloatArray],
    surfaces: list[Surface],
    tones: list[FloatArray],
    intrinsics: FloatArray,
    light: Light,
) -> npt.NDArray[np.uint8]:
    """Draws hands into an image, each in its own tone.

    Args:
        image: (H, W, 3) uint8 BGR, changed in place.
        vertices: (V, 3) m per hand, camera frame, in front of the camera.
        surfaces: one per hand.
        tones: (3,) BGR 0-255 per hand, the skin in full light.
        intrinsics: (3, 3) px.
        light: lights all hands.

    Returns:
        (H, W) uint8: 0 where no hand covers more than half of the pixel, else 1 for the first hand, 2 for the second.
    """
    meshes = [
        Mesh(points, surface, np.full(len(surface.faces), number))
        for number, (points, surface) in enumerate(zip(vertices, surfaces, strict=True))
    ]
    return render_meshes(image, meshes, tones, intrinsics, light)


def render_meshes(
    image: npt.NDArray[np.uint8], meshes: list[Mesh], tones: list[FloatArray], intrinsics: FloatArray, light: Light
) -> npt.NDArray[np.uint8]:
    """Draws meshes into an image, each hiding everything behind it.

    Args:
        image: (H, W, 3) uint8 BGR, changed in place.
        meshes: the meshes to draw.
        tones: (3,) BGR 0-255 per material, its colour in full light.
        intrinsics: (3, 3) px.
        light: lights everything.

    Returns:
        (H, W) uint8: 0 where nothing covers more than half of the pixel, else the material's number plus 1.
    """
    height, width = image.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    shaded = [_shade(mesh, light) for mesh in meshes]
    points = np.concatenate([m.vertices[m.surface.faces[seen]] for m, (_, seen) in zip(meshes, shaded, strict=True)])
    shade = np.concatenate([brightness for brightness, _ in shaded])
    material = np.concatenate([mesh.material[seen] for mesh, (_, seen) in zip(meshes, shaded, strict=True)])
    projected = points @ intrinsics.T
    pixels = projected[..., :2] / projected[..., 2:]
    inside = ((pixels.max(1) > -1) & (pixels.min(1) < [width, height])).all(1)
    points, shade, material, pixels = points[inside], shade[inside], material[inside], pixels[inside]
    if not len(points):
        return labels

    low, high = _box(pixels, width, height)
    if (high <= low).any():
        return labels
    numbers = _paint(pixels - low, points[..., 2].sum(1), *(high - low))

    alpha, value = _interpolate(numbers, pixels - low, shade)
    first, last = slice(low[1], high[1]), slice(low[0], high[0])
    material_of_pixel = _material_of_pixel(numbers, material)
    labels[first, last] = np.where(alpha > 0.5, material_of_pixel + 1, 0)

    ramp = np.linspace(0, 1, 256)[:, None] ** np.array(_SKIN_GAMMA)
    palette = np.clip(np.stack(tones)[:, None] * ramp + 0.5, 0, 255).astype(np.uint8)
    drawn = palette.reshape(-1, 3).take(material_of_pixel.astype(np.int32) * 256 + value, axis=0)
    region = image[first, last]
    edge = np.nonzero((alpha > 0) & (alpha < 1))
    share = alpha[edge][:, None]
    blended = region[edge] * (1 - share) + drawn[edge] * share
    np.copyto(region, drawn, where=(alpha == 1)[..., None])
    region[edge] = (blended + 0.5).astype(np.uint8)
    return labels


def label_meshes(meshes: list[Mesh], intrinsics: FloatArray, width: int, height: int) -> npt.NDArray[np.uint8]:
    """The result of :func:`render_meshes`, without drawing.

    Args:
        meshes: as there.
        intrinsics: (3, 3) px.
        width: of the image.
        height: of the image.

    Returns:
        (H, W) uint8: 0 where nothing covers more than half of the pixel, else the material's number plus 1.
    """
    labels = np.zeros((height, width), np.uint8)
    corners = np.concatenate([mesh.vertices[mesh.surface.faces] for mesh in meshes])
    material = np.concatenate([mesh.material for mesh in meshes])
    projected = corners @ intrinsics.T
    pixels = projected[..., :2] / projected[..., 2:]
    a, b = pixels[:, 1] - pixels[:, 0], pixels[:, 2] - pixels[:, 0]
    # Seen from outside a face is counter-clockwise, which is a negative area where y points down.
    seen = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) < 0
    seen &= ((pixels.max(1) > -1) & (pixels.min(1) < [width, height])).all(1)
    low, high = _box(pixels[seen], width, height) if seen.any() else (np.zeros(2, int), np.zeros(2, int))
    if (high <= low).any():
        return labels
    numbers = _paint(pixels[seen] - low, corners[seen][..., 2].sum(1), *(high - low))
    painted = (numbers >= 0).astype(np.float32)
    covered = cv2.resize(painted, (int(high[0] - low[0]), int(high[1] - low[1])), interpolation=cv2.INTER_AREA) > 0.5
    of_pixel = _material_of_pixel(numbers, material[seen])
    labels[low[1] : high[1], low[0] : high[0]] = np.where(covered, of_pixel + 1, 0)
    return labels


def _box(pixels: FloatArray, width: int, height: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Top left and bottom right corner, (2,) each, of the part of the image that faces (F, 3, 2) touch."""
    flat = pixels.reshape(-1, 2)
    low = np.clip(np.floor(flat.min(0)).astype(int) - 1, 0, [width, height])
    return low, np.clip(np.ceil(flat.max(0)).astype(int) + 2, 0, [width, height])


def _shade(mesh: Mesh, light: Light) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Brightness at the corners of the faces that are turned to the camera, (F', 3), and which those are, (F,)."""
    vertices, faces = mesh.vertices, mesh.surface.faces
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    visible = (normals * corners[:, 0]).sum(1) < 0
    smooth = mesh.surface.face_to_vertex @ normals
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True) + 1e-12
    towards = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    facing = np.clip((smooth * towards).sum(1), 0, 1)
    # Surfaces that turn away are darker, so that fingers stand out from each other in any light.
    lit = np.clip((smooth @ light.direction + light.wrap) / (1 + light.wrap), 0, 1)
    brightness = (light.ambient + light.diffuse * lit) * (0.55 + 0.45 * facing)
    if mesh.albedo is not None:
        brightness *= mesh.albedo
    if light.gloss:
        half = towards + light.direction
        half /= np.linalg.norm(half, axis=1, keepdims=True) + 1e-12
        brightness += light.gloss * np.clip((smooth * half).sum(1), 0, 1) ** 16
    return brightness[faces[visible]], visible


def _paint(pixels: FloatArray, depth: FloatArray, width: int, height: int) -> npt.NDArray[np.int32]:
    """The number of the nearest face at each fine pixel, -1 for none; (2H, 2W)."""
    numbers = np.full((height * _FINER, width * _FINER), -1, np.int32)
    # The centre of the first fine pixel lies a quarter of a pixel before the centre of the first pixel.
    fine = (pixels + 0.5) * _FINER - 0.5
    polygons = np.round(fine * (1 << _SHIFT)).astype(np.int32)
    for face in np.argsort(-depth, kind="stable").tolist():
        cv2.fillConvexPoly(numbers, polygons[face], face, cv2.LINE_8, _SHIFT)
    return numbers


def _interpolate(
    numbers: npt.NDArray[np.int32], pixels: FloatArray, shade: FloatArray
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Coverage, 0 to 1, and shading, 0 to 255, of each pixel, (H, W) each, from its fine pixels' faces."""
    height, width = numbers.shape
    painted = numbers >= 0
    where = np.flatnonzero(painted)
    face = numbers.ravel()[where]
    # Within a face, shade(x, y) = constant + gx x + gy y.
    a, b = pixels[:, 1] - pixels[:, 0], pixels[:, 2] - pixels[:, 0]
    da, db = shade[:, 1] - shade[:, 0], shade[:, 2] - shade[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    gx, gy = (da * b[:, 1] - db * a[:, 1]) / area, (db * a[:, 0] - da * b[:, 0]) / area
    constant = shade[:, 0] - gx * pixels[:, 0, 0] - gy * pixels[:, 0, 1]
    planes = np.stack([constant, gx, gy, shade.min(1), shade.max(1)]).astype(np.float32)
    x = ((np.arange(width, dtype=np.float32) + 0.5) / _FINER - 0.5)[where % width]
    y = ((np.arange(height, dtype=np.float32) + 0.5) / _FINER - 0.5)[where // width]
    value = planes[0].take(face) + planes[1].take(face) * x + planes[2].take(face) * y
    fine = np.zeros(numbers.size, np.float32)
    # OpenCV also paints pixels that an edge merely touches: keep them within their face's range.
    fine[where] = np.clip(value, planes[3].take(face), planes[4].take(face))
    size = width // _FINER, height // _FINER
    alpha = cv2.resize(painted.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(fine.reshape(numbers.shape), size, interpolation=cv2.INTER_AREA)
    value_of_pixel = 255 * total / np.maximum(alpha, 1e-6)
    return np.asarray(alpha, np.float32), np.clip(value_of_pixel, 0, 255).astype(np.uint8)


def _material_of_pixel(numbers: npt.NDArray[np.int32], material: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """The material that covers each pixel, (H, W); 0 for none. On an edge between two it is one of them."""
    face = np.zeros((numbers.shape[0] // _FINER, numbers.shape[1] // _FINER), np.int32)
    for row in range(_FINER):
        for column in range(_FINER):
            np.maximum(face, numbers[row::_FINER, column::_FINER], out=face)
    return material.astype(np.uint8).take(face)
