"""Boxes and sides as users give them."""

import json

import numpy as np
import pytest

from gesturehand.data.crop import crop_affine
from gesturehand.errors import UserError
from gesturehand.inference.boxes import (
    BoxFile,
    HandBox,
    box_around_joints,
    check_inside,
    parse_box,
    parse_hand,
    square_of,
)


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_box_from_text_and_numbers():
    assert parse_box("1, 2,30.5,4", "--box") == (1, 2, 30.5, 4) == parse_box([1, 2, 30.5, 4], "--box")


@pytest.mark.parametrize(
    "value", ["1,2,3", "1,2,3,x", "1,2,0,4", "1,2,3,-4", "1,2,nan,4", [1, 2], None, 5, "", [[1]] * 4]
)
def test_values_that_are_not_boxes(value):
    with pytest.raises(UserError, match=r"--box is .*: give x,y,w,h"):
        parse_box(value, "--box")


def test_a_box_around_joints_surrounds_their_pixels_by_a_twentieth_of_its_sides(rng):
    """The half pixel lies between the centres, which joints count, and the edges, which boxes count."""
    joints = rng.uniform(-30, 400, (21, 2))
    x, y, width, height = box_around_joints(joints)
    for start, side, points in ((x, width, joints[:, 0]), (y, height, joints[:, 1])):
        extent = points.max() - points.min()
        assert start == pytest.approx(points.min() + 0.5 - extent / 20)
        assert start + side == pytest.approx(points.max() + 0.5 + extent / 20)


def test_sides():
    assert [parse_hand(side, "--hand") for side in ("right", "left", "both", None)] == ["right", "left", "both", None]
    with pytest.raises(UserError, match="--hand is 'Right': choose right, left or both"):
        parse_hand("Right", "--hand")


def test_file_by_name(tmp_path):
    file = BoxFile(write(tmp_path / "b.json", {"a.jpg": [{"box": [1, 2, 3, 4], "hand": "left"}, {}], "b.jpg": []}))
    assert file.of("a.jpg") == [HandBox((1, 2, 3, 4), "left"), HandBox()]
    assert file.of("b.jpg") == file.of("other.jpg") == []
    file.check_names({"a.jpg", "b.jpg", "c.jpg"})
    with pytest.raises(UserError, match=r"boxes for 1 of 2 images that are not there \(the first: 'b.jpg'\)"):
        file.check_names({"a.jpg"})


def test_file_may_know_turns(tmp_path):
    file = BoxFile(write(tmp_path / "b.json", [{"turn_deg": -30}, {"box": [1, 2, 3, 4], "turn_deg": None}]))
    assert file.of("any.png") == [HandBox(None, None, -30), HandBox((1, 2, 3, 4))]


def test_file_for_every_image(tmp_path):
    file = BoxFile(write(tmp_path / "b.json", [{"box": [1, 2, 3, 4]}]))
    assert file.of("any.png") == file.of("clip.mp4", 7) == [HandBox((1, 2, 3, 4))]
    file.check_names(set())


def test_file_by_frame(tmp_path):
    file = BoxFile(write(tmp_path / "b.json", {"clip.mp4": {"0": [{"hand": "right"}], "2": []}, "all.mp4": [{}]}))
    assert file.of("clip.mp4", 0) == [HandBox(None, "right")]
    assert file.of("clip.mp4", 1) == file.of("clip.mp4", 2) == []
    assert file.of("all.mp4", 5) == [HandBox()]
    with pytest.raises(UserError, match="are by frame"):
        file.of("clip.mp4")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("3", "neither an object nor a list"),
        ({"a.jpg": 3}, "'a.jpg' in .* is not a list of"),
        ({"a.jpg": [[1, 2, 3, 4]]}, "'a.jpg' in .* is not a list of"),
        ({"a.jpg": [{"box": [1, 2, 3]}]}, "The box of hand 0 of 'a.jpg' in .* is \\[1, 2, 3\\]"),
        ({"a.jpg": [{}, {"hand": "up"}]}, "The side of hand 1 of 'a.jpg' in .* is 'up'"),
        ([{"turn_deg": "up"}], "The turn of hand 0 of the list in .* is 'up': give the degrees"),
        ({"a.mp4": {"first": []}}, "keys that are not frame numbers"),
    ],
)
def test_files_that_are_not_boxes(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        BoxFile(write(tmp_path / "b.json", content))


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="does not exist: check the path"):
        BoxFile(tmp_path / "b.json")


def test_box_may_stick_out_but_not_lie_outside():
    check_inside((-10, -10, 11, 11), 100, 50, "it")
    for box in ((100, 0, 5, 5), (0, 50, 5, 5), (-5, 0, 5, 5), (0, -9, 5, 9)):
        with pytest.raises(UserError, match="lies outside it, which has 100 × 50 px"):
            check_inside(box, 100, 50, "it")


def test_square_has_the_boxes_middle():
    """A box covers whole pixels: x = 10, w = 3 are the pixels 10, 11, 12, and 11 is its middle."""
    square = square_of((10, 20, 3, 7), 0, 0, 2.0)
    assert square.tolist() == [11, 23, 14]
    np.testing.assert_allclose(crop_affine(square, 65) @ [11, 23, 1], [32, 32])


def test_whole_image_is_taken_as_it_is():
    square = square_of(None, 64, 64, 1.4)
    np.testing.assert_allclose(crop_affine(square, 64), np.eye(3)[:2], atol=1e-12)
    assert square_of(None, 64, 32, 1.4).tolist() == [31.5, 15.5, 64]
