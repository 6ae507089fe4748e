"""Where annotation files lie, and one clear sentence for whatever is wrong with them."""

import shutil

import pytest

from gesturehand.data.files import annotation_path, check_root, image_path
from gesturehand.data.index import read_index
from gesturehand.errors import UserError


@pytest.fixture
def root(tmp_path, synthetic_root):
    """A copy of a set's annotations."""
    copy = tmp_path / "InterHand2.6M"
    shutil.copytree(synthetic_root / "annotations", copy / "annotations")
    return copy


def sentence(call) -> str:
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_paths_are_interhands(tmp_path):
    assert annotation_path(tmp_path, "val", "camera") == (
        tmp_path / "annotations" / "val" / "InterHand2.6M_val_camera.json"
    )
    assert image_path(tmp_path, "val", "Capture1/a/cam2/image3.jpg") == (
        tmp_path / "images" / "val" / "Capture1" / "a" / "cam2" / "image3.jpg"
    )


def test_missing_folder(tmp_path):
    text = sentence(lambda: read_index(tmp_path / "nowhere", "train"))
    assert str(tmp_path / "nowhere") in text
    assert "gesturehand data synth" in text


def test_file_instead_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in sentence(lambda: check_root(tmp_path / "file"))


@pytest.mark.parametrize("below", ["annotations", "annotations/val"])
def test_folder_given_too_deep_names_the_right_one(root, below):
    text = sentence(lambda: check_root(root / below))
    assert str(root / below) in text
    assert f"did you mean '{root}'?" in text


def test_folder_given_too_high_names_the_right_one(root):
    text = sentence(lambda: check_root(root.parent))
    assert f"did you mean '{root}'?" in text


def test_folder_without_annotations_anywhere(tmp_path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    text = sentence(lambda: check_root(tmp_path / "a" / "b" / "c"))
    assert "holds annotations/ and images/" in text


@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
def test_missing_file_is_named_with_what_to_do(root, kind):
    path = annotation_path(root, "val", kind)
    path.unlink()
    text = sentence(lambda: read_index(root, "val"))
    assert f"'{path}' is missing" in text
    assert ("--data.mano_fits=false" in text) == (kind == "MANO_NeuralAnnot")
    assert "download" in text


def test_missing_split(root):
    text = sentence(lambda: read_index(root, "validation"))
    assert str(annotation_path(root, "validation", "data")) in text
    assert "choose a split that is there" in text


def test_missing_fits_do_not_matter_without_fits(root):
    annotation_path(root, "val", "MANO_NeuralAnnot").unlink()
    assert not read_index(root, "val", mano_fits=False).mano_valid.any()


@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "binary", "a list", "a folder"])
def test_damaged_file_is_named(root, kind, damage):
    path = annotation_path(root, "val", kind)
    content = path.read_bytes()
    if damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        damaged = {
            "truncated": content[: len(content) // 2],
            "empty": b"",
            "binary": b"\xff\xfe" + content,
            "a list": b"[]",
        }
        path.write_bytes(damaged[damage])
    assert str(path) in sentence(lambda: read_index(root, "val"))
