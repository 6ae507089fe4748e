"""Charts hold what they are given."""

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gesturehand.draw.charts import save_embedding, save_pck, save_per_gesture, save_per_joint
from gesturehand.draw.style import CYCLE, FINGER_COLOURS


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


def test_every_class_has_a_map_of_its_own(tmp_path):
    """Where all samples of a class lie at one place, every map shows one coloured dot."""
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
