"""Groups of images, and which of them are done."""

import os
import shutil

import numpy as np
import pytest

from gesturehand.inference import predict_images
from gesturehand.inference.boxes import BoxFile, HandBox
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import Settings
from gesturehand.inference.predictor import HandPredictor


@pytest.fixture
def folder(tmp_path, pair_frames, monkeypatch):
    """Five images in groups of two."""
    monkeypatch.setattr(predict_images, "_GROUP", 2)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(5):
        shutil.copy(pair_frames[number]["file"], folder / f"{number}.jpg")
    return folder


@pytest.fixture
def predict(predictor, folder, tmp_path):
    """Predicts them; returns the outcome, and the results that were written."""

    def run(predictor=predictor, **settings):
        for path in (tmp_path / "out").glob("*"):
            os.utime(path, (path.stat().st_atime, 4e9))
        settings = {"boxes": HandBox(), "batch_size": 2, "overlay": False, "mesh_formats": ("obj",)} | settings
        done = predict_files(
            predictor, [folder], Settings(tmp_path / "out", skip_done=True, progress=False, **settings), lambda _: None
        )
        return done, "".join(sorted(p.stem for p in (tmp_path / "out").glob("*.json") if p.stat().st_mtime < 4e9))

    return run


def test_only_groups_with_something_left_are_predicted_again(predict, folder, tmp_path):
    done, written = predict()
    assert (done.images, done.hands, done.skipped, written) == (5, 5, 0, "01234")
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    done, written = predict()
    assert (done.images, done.hands, done.skipped, written) == (5, 5, 5, "")
    (tmp_path / "out" / "2.json").unlink()
    (tmp_path / "out" / "4.obj").unlink()
    done, written = predict()
    assert (done.images, done.hands, done.skipped, written) == (5, 5, 2, "234")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


@pytest.mark.parametrize(
    "settings",
    [
        {"boxes": HandBox(None, "left")},
        {"boxes": HandBox((5, 5, 90, 90))},
        {"side": "left"},
        {"intrinsics": (900, 900, 200, 200)},
        {"y_up": True},
        {"overlay": True},
        {"mesh_formats": ("obj", "ply")},
    ],
    ids=str,
)
def test_images_are_predicted_again_with_other_settings(predict, settings):
    predict()
    assert predict(**settings)[1] == "01234"
    assert predict(**settings)[1] == ""


def test_fewer_files_are_not_asked_for_again(predict):
    predict(overlay=True)
    assert predict(mesh=False)[1] == ""


def test_another_network_predicts_again(predict, predictor, trained_checkpoint):
    predict()
    other = HandPredictor.from_checkpoint(trained_checkpoint, "cpu")
    assert predict(other)[1] == ""
    with np.errstate(all="ignore"):
        next(other.model.parameters()).data *= 1.001
    del other.sha256
    assert predict(other)[1] == "01234"


def test_only_images_whose_boxes_changed_are_predicted_again(predict, folder):
    boxes = folder / "boxes.json"
    boxes.write_text('{"0.jpg": [{}], "4.jpg": [{}]}')
    done, _ = predict(boxes=BoxFile(boxes))
    assert (done.hands, done.empty) == (2, 3)
    boxes.write_text('{"0.jpg": [{}], "4.jpg": [{"hand": "left"}]}')
    done, written = predict(boxes=BoxFile(boxes))
    assert (done.hands, done.empty, done.skipped, written) == (2, 3, 4, "4")


def test_a_newer_image_is_predicted_again(predict, folder, tmp_path):
    predict()
    os.utime(folder / "3.jpg", (5e9, 5e9))
    assert predict()[1] == "23"


def test_an_image_that_cannot_be_read_is_not_its_groups_fault(predict, folder, tmp_path):
    (folder / "3.jpg").write_bytes(b"no image")
    with pytest.raises(Exception, match=r"1 of 5 images could not be read \(the first: '.*3\.jpg'"):
        predict()
    before = (tmp_path / "out" / "2.json").stat()
    with pytest.raises(Exception, match=r"1 of 5 images could not be read"):
        predict()
    assert (tmp_path / "out" / "2.json").stat().st_mtime == 4e9 != before.st_mtime
