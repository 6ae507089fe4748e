"""Focal lengths that photos were written with come back, through the reader and through the whole prediction."""

import json
import math

import numpy as np
import pytest
from PIL import ExifTags, Image

from gesturehand.camera import px_to_normalised, transform_affine
from gesturehand.inference.boxes import HandBox
from gesturehand.inference.exif import exif_intrinsics
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import Settings
from gesturehand.inference.query import camera_of, read_image

Base = ExifTags.Base


def write(path, size, tags, orientation=None):
    """A photo of so many stored pixels with these Exif tags."""
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
    height, width = read_image(path).shape[:2]
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
    """A lens of 4.5 mm before a sensor of 6 × 4.5 mm, with pixels that are not square."""
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
    height, width = read_image(path).shape[:2]
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


def test_what_is_given_counts_more_and_damage_does_no_harm(tmp_path):
    path = write(tmp_path / "a.jpg", (64, 48), {Base.FocalLengthIn35mmFilm: 50})
    assert camera_of((70, 70, 32, 24), path, 64, 48).source == "given"
    assert camera_of(None, path, 64, 48).source == "exif"
    (tmp_path / "b.jpg").write_bytes(b"no image")
    assert camera_of(None, tmp_path / "b.jpg", 64, 48).source == "assumed"
    assert camera_of(None, tmp_path / "missing.jpg", 64, 48).source == "assumed"


@pytest.mark.parametrize("orientation", [1, 6])
def test_depth_of_a_hand_through_the_whole_prediction(predictor, monkeypatch, tmp_path, orientation):
    """With the true joints in place of the network's, its place comes out of the photo's 28 mm."""
    file = write(tmp_path / "photo.jpg", (600, 400), {Base.FocalLengthIn35mmFilm: 28}, orientation)
    height, width = read_image(file).shape[:2]
    # 28 mm before film that is 36 mm wide, whose shape the photo has.
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
