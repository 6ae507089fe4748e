import numpy as np
import scipy.sparse
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.synthetic.render import (
    Light,
    Mesh,
    Surface,
    boundary_loops,
    label_meshes,
    render_hands,
    render_meshes,
    surface_of,
)


def test_the_surface_is_closed():
    surface = surface_of(open_hand("right").faces, open_hand("right").num_vertices)
    edges = {(int(a), int(b)) for face in surface.faces for a, b in zip(face, np.roll(face, -1), strict=True)}
    assert len(edges) == 3 * len(surface.faces)
    assert all((b, a) in edges for a, b in edges)


def test_the_only_hole_of_the_hand_is_its_wrist():
    hand = open_hand("right")
    (loop,) = boundary_loops(hand.faces)
    assert len(loop) == len(set(loop)) == 20
    # All of it lies behind the wrist joint, and neighbours along it are neighbours on the mesh.
    assert (hand.v_template[loop, 0] > hand.joints[0, 0]).all()
    edges = {frozenset(pair) for face in hand.faces for pair in zip(face, np.roll(face, -1), strict=True)}
    assert all(frozenset(pair) in edges for pair in zip(loop, np.roll(loop, -1), strict=True))
    assert boundary_loops(surface_of(hand.faces, hand.num_vertices).faces) == []


INTRINSICS = np.array([[100.0, 0, 31.5], [0, 100.0, 23.5], [0, 0, 1]])
FRONT = Light(np.array([0.0, 0.0, -1.0]), diffuse=1.0, ambient=0.0)
WHITE = np.array([255.0, 255.0, 255.0])


def square(depth: float, half: float, shift: float = 0.0) -> tuple[np.ndarray, Surface]:
    """A square that faces the camera, counter-clockwise seen from it."""
    vertices = np.array([[-half, -half, depth], [-half, half, depth], [half, half, depth], [half, -half, depth]])
    vertices[:, 0] += shift
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    incidence = scipy.sparse.csr_matrix((np.ones(6), (faces.ravel(), [0, 0, 0, 1, 1, 1])), shape=(4, 2))
    return vertices, Surface(faces, incidence)


def draw(*shapes: tuple[np.ndarray, Surface], tones: list[np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
    image = np.zeros((48, 64, 3), np.uint8)
    vertices, surfaces = [list(column) for column in zip(*shapes, strict=True)]
    mask = render_hands(image, vertices, surfaces, tones or [WHITE] * len(shapes), INTRINSICS, FRONT)
    return image, mask


def test_a_square_covers_its_pixels():
    # ±10 px about (31.5, 23.5): pixel centres 21.5 … 41.5 horizontally, so columns 22 to 41 are inside.
    image, mask = draw(square(1.0, 0.1))
    rows, columns = np.nonzero(mask)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (22, 41, 14, 33)
    assert len(rows) == 400
    assert image[24, 32].min() > 240
    assert image[0, 0].max() == 0


def test_the_back_of_a_surface_is_not_drawn():
    vertices, surface = square(1.0, 0.1)
    image, mask = draw((vertices[::-1], surface))
    assert not mask.any()
    assert not image.any()


def test_the_nearer_hand_hides_the_farther_one():
    for order in (1, -1):
        shapes = [square(0.8, 0.06, -0.02), square(1.0, 0.1, 0.05)][::order]
        red, blue = np.array([0.0, 0, 255]), np.array([255.0, 0, 0])
        image, mask = draw(*shapes, tones=[red, blue][::order])
        near = 1 if order == 1 else 2
        assert mask[24, 29] == near
        assert mask[24, 44] == 3 - near
        assert image[24, 29, 2] > 200 > image[24, 29, 0]
        assert image[24, 44, 0] > 200 > image[24, 44, 2]


def test_a_surface_outside_the_image_leaves_it_alone():
    image, mask = draw(square(1.0, 0.1, 5.0))
    assert not mask.any()
    assert not image.any()


def test_turned_away_from_the_lamp_is_darker():
    image = np.zeros((48, 64, 3), np.uint8)
    vertices, surface = square(1.0, 0.1)
    side = Light(np.array([0.8, 0.0, -0.6]), diffuse=1.0, ambient=0.0)
    render_hands(image, [vertices], [surface], [WHITE], INTRINSICS, side)
    assert 0.5 * 255 < image[24, 32, 1] < 0.65 * 255


def test_labels_are_the_same_with_and_without_drawing():
    hand, rng = open_hand("right"), np.random.default_rng(0)
    surface = surface_of(hand.faces, hand.num_vertices)
    meshes = []
    for number in range(2):
        turned = (hand.v_template - hand.v_template.mean(0)) @ Rotation.random(random_state=number).as_matrix().T
        points = turned + np.array([0.02 * number, 0, 0.4 + 0.1 * number])
        meshes.append(Mesh(points, surface, rng.integers(0, 3, len(surface.faces))))
    image = np.zeros((48, 64, 3), np.uint8)
    drawn = render_meshes(image, meshes, [WHITE] * 3, INTRINSICS, FRONT)
    assert len(np.unique(drawn)) == 4
    np.testing.assert_array_equal(label_meshes(meshes, INTRINSICS, 64, 48), drawn)
