"""Predictions drawn over images: where meshes, joints and labels are."""

import numpy as np
import pytest

from gesturehand.camera import project
from gesturehand.draw.hands import SIDE_TONES, DrawnHand, PredictionPainter
from gesturehand.hand.load import open_hand

K = np.array([[600.0, 0, 200], [0, 600, 150], [0, 0, 1]])


@pytest.fixture(scope="module")
def painter():
    hands = [open_hand(side) for side in ("right", "left")]
    return PredictionPainter(np.stack([hand.faces for hand in hands]), hands[0].num_vertices)


def hand_at(side, place, label="x"):
    data = open_hand(side)
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    vertices = (data.v_template - data.v_template.mean(0)) @ turn.T + place
    joints = project(np.repeat(vertices[:21], 1, 0), K)
    return DrawnHand(vertices, joints, np.array([10.0, 10, 50, 60]), side, label)


def coloured(panel, side):
    """Pixels whose hue is the side's: red above blue for right hands, blue above red for left ones."""
    difference = panel[..., 0].astype(int) - panel[..., 2]
    return difference > 15 if side == "right" else difference < -15


@pytest.mark.parametrize("side", ["right", "left"])
def test_mesh_lies_where_it_projects_to(painter, side):
    image = np.full((300, 400, 3), 128, np.uint8)
    hand = hand_at(side, [0.05, -0.02, 0.6], label="")
    picture = painter(image, [hand], K)
    scale = picture.shape[0] / 300
    panel = picture[:, : round(400 * scale)]
    rows, columns = np.nonzero(coloured(panel, side))
    pixels = project(hand.vertices, K) * scale
    # The label's ground has the side's colour too, above the hand.
    assert columns.min() == pytest.approx(pixels[:, 0].min(), abs=12)
    assert columns.max() == pytest.approx(pixels[:, 0].max(), abs=12)
    assert rows.max() == pytest.approx(pixels[:, 1].max(), abs=4)
    other = "left" if side == "right" else "right"
    assert coloured(panel, other).mean() < 0.001


def test_side_view_shows_depth_to_the_right(painter):
    """Of two hands at the same place in the image the far one is on the right."""
    image = np.zeros((400, 400, 3), np.uint8)
    hands = [hand_at("right", [0, 0, 0.6]), hand_at("left", [0, 0, 0.9])]
    picture = painter(image, hands, K)
    side = picture[: picture.shape[0] - 40, -picture.shape[0] :]
    near, far = (np.nonzero(coloured(side, which))[1].mean() for which in ("right", "left"))
    assert near + 50 < far


def test_labels_do_not_cover_each_other(painter):
    image = np.zeros((400, 400, 3), np.uint8)
    hands = [hand_at("right", [0, 0, 0.6], "right: one"), hand_at("left", [0.01, 0, 0.6], "left: two")]
    panel = painter(image, hands, K)[:, :400]
    grounds = [(panel == SIDE_TONES[side].astype(np.uint8)).all(-1) for side in ("right", "left")]
    boxes = [np.nonzero(ground) for ground in grounds]
    assert all(len(rows) > 200 for rows, _ in boxes)
    assert np.median(boxes[0][0]) + 10 < np.median(boxes[1][0])


@pytest.mark.parametrize("size", [(33, 57), (301, 403), (2000, 1500)])
def test_sizes(painter, size):
    image = np.full((*size, 3), 90, np.uint8)
    before = image.copy()
    picture = painter(image, [hand_at("right", [0, 0, 0.6])], K)
    assert 360 <= picture.shape[0] <= 720
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    np.testing.assert_array_equal(image, before)


def test_no_hands_and_hands_at_the_lens(painter):
    image = np.full((360, 360, 3), 77, np.uint8)
    assert (painter(image, [], K)[:300, :360] == 77).all()
    near = hand_at("right", [0, 0, 0.05], label="")
    assert painter(image, [near], K).shape[0] == 360
