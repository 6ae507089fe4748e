"""Charts, and pictures of datasets and predictions, and their style."""

from itertools import combinations

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from gesturehand.camera import project
from gesturehand.draw.charts import save_embedding, save_pck, save_per_gesture, save_per_joint
from gesturehand.draw.data_set import frame_sheet
from gesturehand.draw.hands import SIDE_TONES, DrawnHand, PredictionPainter
from gesturehand.draw.style import CHART_STYLE, CYCLE, FINGER_COLOURS, chart, lighter, rgb
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand


def pixels_of(path, colour):
    picture = cv2.imread(str(path))[..., ::-1].astype(int)
    return int((np.abs(picture - colour).max(-1) <= 2).sum())


def test_bar_of_a_finger_grows_with_its_error(tmp_path):
    even = [0.0, *[10.0] * 20]
    save_per_joint(tmp_path / "even.png", {"right": even}, "even")
    save_per_joint(tmp_path / "thumb.png", {"right": [0.0, *[10.0] * 4, *[2.0] * 16]}, "thumb")
    thumb, index = FINGER_COLOURS[:2]
    assert pixels_of(tmp_path / "thumb.png", thumb) == pytest.approx(pixels_of(tmp_path / "even.png", thumb), rel=0.05)
    assert pixels_of(tmp_path / "thumb.png", index) < 0.5 * pixels_of(tmp_path / "even.png", index)


def test_two_groups_have_a_bar_each(tmp_path):
    """The first group's bar is full, the other's is not: swapping the errors changes the full bars."""
    low, high = [0.0, *[4.0] * 20], [0.0, *[12.0] * 20]
    save_per_joint(tmp_path / "low.png", {"right": low, "left": high}, "title")
    save_per_joint(tmp_path / "high.png", {"right": high, "left": low}, "title")
    for colour in FINGER_COLOURS:
        full = [pixels_of(tmp_path / name, colour) for name in ("low.png", "high.png")]
        assert full[1] > 1.6 * full[0]


def test_group_that_never_occurred_changes_nothing(tmp_path):
    errors = [float(k) for k in range(21)]
    save_per_joint(tmp_path / "one.png", {"right": errors}, "title")
    save_per_joint(tmp_path / "two.png", {"right": errors, "left": [None] * 21}, "title")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_curves_and_gestures_are_written(tmp_path):
    save_pck(tmp_path / "new" / "pck.png", [0, 25, 50], {"root": [0, 0.5, 1]}, {"root": 0.5}, "title")
    save_per_gesture(tmp_path / "gesture.png", {"fist": {"samples": 3, "mpjpe_mm": 0.0}}, "title")
    assert pixels_of(tmp_path / "new" / "pck.png", [round(255 * part) for part in to_rgb(CYCLE[0])]) > 100
    assert (tmp_path / "gesture.png").is_file()


def test_every_class_has_a_separate_map(tmp_path):
    """If all samples of a class lie at one place, every map shows one coloured dot."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(27), 4)
    places = np.repeat(rng.uniform(-1, 1, (27, 2)), 4, axis=0)
    save_embedding(tmp_path / "map.png", places, labels, [f"class {k}" for k in range(27)], (0.5, 0.3), "title")
    picture = cv2.imread(str(tmp_path / "map.png")).astype(int)
    blue = ((picture[..., 0] > 130) & (picture[..., 2] < 60)).astype(np.uint8)
    assert cv2.connectedComponents(blue)[0] - 1 == 27


def test_one_class_at_one_place(tmp_path):
    save_embedding(tmp_path / "map.png", np.zeros((3, 2)), np.full(3, 1), ["a", "b"], (1.0, 0.0), "title")
    assert (tmp_path / "map.png").is_file()


# test_data_set


def test_rows_are_full_and_frames_keep_their_shapes(synthetic_root):
    sheet = frame_sheet(synthetic_root, "train", count=4, columns=2, height_px=100)
    assert sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet, frame_sheet(synthetic_root, "train", count=4, columns=2, height_px=100))
    white = (sheet == 255).all(-1)
    # Gaps are 3 px wide around and 6 px between; nothing else is white over a whole row or column.
    rows = np.flatnonzero(white.all(1))
    cuts = np.flatnonzero(np.diff(rows) > 1)
    assert len(cuts) == 2
    for top, bottom in zip(rows[cuts] + 1, rows[cuts + 1], strict=True):
        gaps = np.flatnonzero(white[top:bottom].all(0))
        sides = np.flatnonzero(np.diff(gaps) > 1)
        assert gaps[0] == 0
        assert gaps[-1] == sheet.shape[1] - 1
        shapes = (gaps[sides + 1] - gaps[sides] - 1) / (bottom - top)
        assert len(shapes) == 2
        for shape in shapes:
            assert min(abs(shape - 334 / 512), abs(shape - 512 / 334)) < 0.04


def test_gamma_brightens_what_is_dark_and_keeps_black_and_white(synthetic_root):
    plain = frame_sheet(synthetic_root, "train", count=2, columns=2, height_px=100)
    bright = frame_sheet(synthetic_root, "train", count=2, columns=2, height_px=100, gamma=2)
    assert bright.shape == plain.shape
    assert (bright.astype(int) + 1 >= plain).all()
    assert bright.mean() > plain.mean() + 10
    with pytest.raises(UserError, match="gamma is 0"):
        frame_sheet(synthetic_root, "train", count=2, columns=2, height_px=100, gamma=0)


def test_more_frames_than_there_are(synthetic_root):
    with pytest.raises(UserError, match="at most 32"):
        frame_sheet(synthetic_root, "val", count=33, columns=4, height_px=100)


# Predictions drawn over images: where meshes, joints and labels are.


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
    # The label's background, above the hand, has the side's colour too.
    assert columns.min() == pytest.approx(pixels[:, 0].min(), abs=12)
    assert columns.max() == pytest.approx(pixels[:, 0].max(), abs=12)
    assert rows.max() == pytest.approx(pixels[:, 1].max(), abs=4)
    other = "left" if side == "right" else "right"
    assert coloured(panel, other).mean() < 0.001


def test_side_view_shows_depth_to_the_right(painter):
    """The farther of two hands at the same place in the image is on the right."""
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


# Colours of charts, as colour-blind people see them, and saving charts.


#: Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as people without the red or the green cone see it.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def seen(colour, matrix):
    """CIELAB of a colour (0 … 1) after a matrix on linear RGB."""
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
