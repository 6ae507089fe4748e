"""Queries: images, boxes and sides of a call, intrinsics, and the crops that follow from them."""

import json
import math

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from refusals import refused

from gesturehand.camera import px_to_normalised, transform_affine
from gesturehand.data import image_file
from gesturehand.errors import UserError
from gesturehand.inference.boxes import BOX_SCALE, HandBox
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import Settings
from gesturehand.inference.query import (
    ImageQuery,
    camera_of,
    crops_of,
    exif_intrinsics,
    hands_from,
    image_of,
    intrinsics_matrix,
    read_image,
)

IMAGE = np.zeros((200, 300, 3), np.uint8)
Base = ExifTags.Base


def test_hands_of_a_call():
    assert hands_from(None, None) == (HandBox(),)
    assert hands_from(None, "left") == (HandBox(None, "left"),)
    assert hands_from([1, 2, 3, 4], None) == (HandBox((1, 2, 3, 4)),)
    assert hands_from(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), "left") == (
        HandBox((1, 2, 3, 4), "left"),
        HandBox((5, 6, 7, 8), "left"),
    )
    assert hands_from([[1, 2, 3, 4], [5, 6, 7, 8]], ["left", "right"])[1].side == "right"
    assert hands_from([], None) == hands_from(np.zeros((0, 4)), []) == ()


def test_turns_of_a_call():
    boxes = [[1, 2, 3, 4], [5, 6, 7, 8]]
    for turns in (30, 30.0, np.float32(30), [30, 30], np.array([30, 30]), (30, 30)):
        assert [hand.turn_deg for hand in hands_from(boxes, None, turns)] == [30, 30]
    assert [hand.turn_deg for hand in hands_from(boxes, None, [None, -5])] == [None, -5]
    assert hands_from(None, None, 90) == (HandBox(turn_deg=90),)
    for wrong in ("30", [1, "x"], [1, np.nan], True):
        with pytest.raises(UserError, match=r"The turn is .*: give the degrees"):
            hands_from(boxes, None, wrong)
    for wrong in ([1], [1, 2, 3]):
        with pytest.raises(UserError, match=rf"There are 2 boxes and {len(wrong)} turns"):
            hands_from(boxes, None, wrong)


def test_crops_know_their_turn_unless_they_show_two_hands():
    query = ImageQuery(IMAGE, (HandBox((10, 20, 50, 100), "right", 30), HandBox((10, 20, 50, 100), "right")))
    assert [crop.turn_deg for crop in crops_of(query, IMAGE, False, BOX_SCALE)] == [30, None]
    assert [crop.turn_deg for crop in crops_of(query, IMAGE, True, BOX_SCALE)] == [None, None]


@pytest.mark.parametrize(
    ("boxes", "hands", "message"),
    [
        ([[1, 2, 3]], None, r"boxes has the shape \(1, 3\)"),
        ([[1, 2, 3, 0]], None, "Box 0 is"),
        ([[1, 2, 3, 4]], ["left", "right"], "1 boxes and 2 hands"),
        (None, ["left", "right"], "1 boxes and 2 hands"),
        ([[1, 2, 3, 4]], "up", "The side is 'up'"),
        (["1,2,3,4"], None, "boxes is "),
        ([{"box": [1, 2, 3, 4]}], None, "boxes is "),
        ([[10**400, 2, 30, 40]], None, "boxes is "),
        ([[1 + 2j, 2, 30, 40]], None, "boxes is "),
        ((box for box in [[1, 2, 30, 40]]), None, "boxes is "),
    ],
)
def test_impossible_calls(boxes, hands, message):
    with pytest.raises(UserError, match=message):
        hands_from(boxes, hands)


@pytest.mark.parametrize(
    "matrix",
    [
        [[500, 0, 0], [0, 500, 0], [250, 160, 1]],  # transposed
        [[500, 40, 250], [0, 500, 160], [0, 0, 1]],  # skew, which would be ignored
        [[500, 0, 250], [9, 500, 160], [0, 0, 1]],
        [[500, 0, 250], [0, 500, 160], [0, 0, 2]],
    ],
    ids=str,
)
def test_a_matrix_of_another_form_is_refused(matrix):
    with refused("[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]"):
        intrinsics_matrix(np.array(matrix))


def test_intrinsics_in_every_form():
    expected = [[500.0, 0, 160], [0, 510, 120], [0, 0, 1]]
    for given in ("500,510,160,120", (500, 510, 160, 120), np.array(expected), expected):
        assert intrinsics_matrix(given).tolist() == expected
    for wrong in ("500,510,160", (0, 510, 160, 120), np.eye(4), "a,b,c,d", (np.nan, 1, 1, 1)):
        with pytest.raises(UserError, match="give fx,fy,cx,cy"):
            intrinsics_matrix(wrong)


def test_images_in_every_form(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
    np.testing.assert_array_equal(image_of(ImageQuery(str(tmp_path / "a.png"))), picture)
    np.testing.assert_array_equal(image_of(ImageQuery(picture)), picture)
    for wrong in (picture[..., 0], picture.astype(float), picture[:0], np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(UserError, match=r"is an array of shape .* give \(height, width, 3\) uint8"):
            image_of(ImageQuery(wrong))


def test_images_that_cannot_be_read(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"text.jpg' is not a readable image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(UserError, match=r"none.jpg' is missing"):
        read_image(tmp_path / "none.jpg")


def test_one_crop_per_hand():
    query = ImageQuery(IMAGE, (HandBox((10, 20, 50, 100)), HandBox((20, 30, 60, 50), "left"), HandBox()))
    first, second, third = crops_of(query, IMAGE, False, 1.5)
    assert (first.sides, second.sides, third.sides) == (("right",), ("left",), ("right",))
    assert first.square.tolist() == [34.5, 69.5, 150]
    assert third.square.tolist() == [149.5, 99.5, 300]
    assert third.box == (0, 0, 300, 200)


def test_a_one_hand_network_cannot_show_both():
    with pytest.raises(UserError, match="sees one hand at a time"):
        crops_of(ImageQuery(IMAGE, (HandBox(None, "both"),)), IMAGE, False, BOX_SCALE)


def test_box_outside_the_image():
    with pytest.raises(UserError, match=r"lies outside 'x.jpg', which has 300 × 200 px"):
        crops_of(ImageQuery(IMAGE, (HandBox((400, 0, 5, 5)),), name="'x.jpg'"), IMAGE, False, BOX_SCALE)


def test_a_two_hand_network_gets_near_hands_in_one_crop():
    hands = (
        HandBox((10, 10, 40, 40), "left"),
        HandBox((200, 100, 50, 50), "right"),  # far from the left one
        HandBox((60, 20, 40, 60), "right"),
        HandBox(None, None),
    )
    requests = crops_of(ImageQuery(IMAGE, hands), IMAGE, True, 1.5)
    by_order = {request.order: request for request in requests}
    pair = by_order[(2, 0)]
    assert pair.sides == ("right", "left")
    assert pair.box == (10, 10, 90, 70)
    assert pair.square.tolist() == [54.5, 44.5, 135]
    assert by_order[(1,)].sides == ("right",)
    assert by_order[(3, 3.5)].sides == ("right", "left")


def test_every_hand_is_in_one_pair_only():
    hands = tuple(
        HandBox((x, 10, 60, 60), side) for x, side in ((0, "right"), (30, "left"), (50, "left"), (75, "right"))
    )
    requests = crops_of(ImageQuery(IMAGE, hands), IMAGE, True, 1.0)
    assert sorted(order for request in requests for order in request.order) == [0, 1, 2, 3]
    assert sorted(request.order for request in requests) == [(0, 1), (3, 2)]


def write(path, size, tags, orientation=None):
    """Writes a photo of the given stored size with these Exif tags."""
    exif = Image.Exif()
    exif[Base.Make] = "a camera"
    if orientation is not None:
        exif[Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif).update(tags)
    Image.new("RGB", size, (90, 120, 150)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_equivalent_focal_length(tmp_path, suffix, orientation):
    """50 mm on film see 2·atan(21.63 / 50) = 46.8° along the diagonal, whatever the picture's shape."""
    path = write(tmp_path / f"a.{suffix}", (400, 300), {Base.FocalLengthIn35mmFilm: 50}, orientation)
    height, width = image_file.read_image(path).shape[:2]
    assert (width, height) == ((300, 400) if orientation in (6, 8) else (400, 300))
    intrinsics = exif_intrinsics(path, width, height)
    seen = 2 * math.degrees(math.atan(250 / intrinsics[0, 0]))
    assert seen == pytest.approx(46.79, abs=0.01)
    assert intrinsics[1, 1] == intrinsics[0, 0]
    assert intrinsics[:2, 2].tolist() == [(width - 1) / 2, (height - 1) / 2]


@pytest.mark.parametrize(
    ("unit", "units_in_a_millimetre"), [(2, 1 / 25.4), (3, 0.1), (4, 1), (5, 1000), (None, 1 / 25.4)]
)
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("scaled", [1, 4])
def test_sensor(tmp_path, unit, units_in_a_millimetre, orientation, scaled):
    """A lens of 4.5 mm in front of a sensor of 6 × 4.5 mm, with pixels that are not square."""
    taken = (1600, 1000)
    tags = {
        Base.FocalLength: 4.5,
        Base.FocalPlaneXResolution: taken[0] / 6 / units_in_a_millimetre,
        Base.FocalPlaneYResolution: taken[1] / 4.5 / units_in_a_millimetre,
        Base.ExifImageWidth: taken[0],
        Base.ExifImageHeight: taken[1],
    }
    if unit is not None:
        tags[Base.FocalPlaneResolutionUnit] = unit
    path = write(tmp_path / "a.jpg", (taken[0] // scaled, taken[1] // scaled), tags, orientation)
    height, width = image_file.read_image(path).shape[:2]
    focal = exif_intrinsics(path, width, height)[[0, 1], [0, 1]]
    wanted = [4.5 / 6 * 1600 / scaled, 4.5 / 4.5 * 1000 / scaled]
    np.testing.assert_allclose(focal, wanted[::-1] if orientation == 6 else wanted, rtol=1e-3)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {Base.FocalLengthIn35mmFilm: 0},
        {Base.FocalLengthIn35mmFilm: 60000},
        {Base.FocalLength: 4.5},
        {Base.FocalLength: 4.5, Base.FocalPlaneXResolution: 0.0},
        {Base.FocalLength: 0.0, Base.FocalPlaneXResolution: 3000.0},
        {Base.FocalLength: 4.5, Base.FocalPlaneXResolution: 3000.0, Base.FocalPlaneResolutionUnit: 9},
        {Base.FocalLength: 4.5, Base.FocalPlaneXResolution: 1e-3},
    ],
)
def test_without_a_sensible_focal_length_it_is_assumed(tmp_path, tags):
    path = write(tmp_path / "a.jpg", (64, 48), tags)
    assert exif_intrinsics(path, 64, 48) is None
    camera = camera_of(None, path, 64, 48)
    assert (camera.source, camera.intrinsics[0, 0]) == ("assumed", 64)


def test_given_intrinsics_take_precedence_and_damage_does_no_harm(tmp_path):
    path = write(tmp_path / "a.jpg", (64, 48), {Base.FocalLengthIn35mmFilm: 50})
    assert camera_of((70, 70, 32, 24), path, 64, 48).source == "given"
    assert camera_of(None, path, 64, 48).source == "exif"
    (tmp_path / "b.jpg").write_bytes(b"no image")
    assert camera_of(None, tmp_path / "b.jpg", 64, 48).source == "assumed"
    assert camera_of(None, tmp_path / "missing.jpg", 64, 48).source == "assumed"


@pytest.mark.parametrize("orientation", [1, 6])
def test_depth_of_a_hand_through_the_whole_prediction(predictor, monkeypatch, tmp_path, orientation):
    """With the true joints in place of the network's, its place follows from the photo's 28 mm."""
    file = write(tmp_path / "photo.jpg", (600, 400), {Base.FocalLengthIn35mmFilm: 28}, orientation)
    height, width = image_file.read_image(file).shape[:2]
    # 28 mm in front of film that is 36 mm wide and has the photo's shape.
    focal = 28 / 36 * 600
    place = np.array([0.04, -0.06, 0.55])
    run_crops = predictor.run_crops

    def true_joints(crops, is_right):
        arrays = run_crops(crops, is_right)
        for row, (_, affine, _) in enumerate(crops):
            points = arrays["joints"][row, 0] - arrays["joints"][row, 0, 0] + place
            px = focal * points[:, :2] / points[:, 2:] + [(width - 1) / 2, (height - 1) / 2]
            seen = px_to_normalised(transform_affine(px, np.asarray(affine, np.float64)), predictor.image_size)
            arrays["joints_2d"][row, 0] = seen
            arrays["joints_25d"][row, 0, :, :2] = seen
        return arrays

    monkeypatch.setattr(predictor, "run_crops", true_joints)
    box = HandBox((width / 2 - 60, height / 2 - 60, 160.0, 160.0), "right")
    predict_files(predictor, [file], Settings(tmp_path / "out", box, progress=False), lambda text: None)
    content = json.loads((tmp_path / "out" / "photo.json").read_text())
    (hand,) = content["hands"]
    assert (hand["intrinsics"], content["camera"]["intrinsics"]) == ("exif", "exif")
    np.testing.assert_allclose(hand["joints"][0], place, rtol=0.02, atol=1e-3)
