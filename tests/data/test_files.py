"""The places of annotation files, and one clear sentence for whatever is wrong with them."""

import shutil

import pytest
from refusals import refused

from gesturehand.data.files import annotation_path, check_root, image_path
from gesturehand.data.index import read_index


@pytest.fixture
def root(tmp_path, synthetic_root):
    """A copy of a set's annotations."""
    copy = tmp_path / "InterHand2.6M"
    shutil.copytree(synthetic_root / "annotations", copy / "annotations")
    return copy


def test_paths_are_those_of_interhand(tmp_path):
    assert annotation_path(tmp_path, "val", "camera") == (
        tmp_path / "annotations" / "val" / "InterHand2.6M_val_camera.json"
    )
    assert image_path(tmp_path, "val", "Capture1/a/cam2/image3.jpg") == (
        tmp_path / "images" / "val" / "Capture1" / "a" / "cam2" / "image3.jpg"
    )


def test_missing_folder(tmp_path):
    with refused(tmp_path / "nowhere", "gesturehand data synth"):
        read_index(tmp_path / "nowhere", "train")


def test_file_instead_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with refused(tmp_path / "file"):
        check_root(tmp_path / "file")


@pytest.mark.parametrize("other", ["annotations", "annotations/val", ".."])
def test_folder_given_too_deep_or_too_high_names_the_right_one(root, other):
    place = root.parent if other == ".." else root / other
    with refused(place, f"did you mean '{root}'?"):
        check_root(place)


def test_folder_without_annotations_anywhere(tmp_path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    with refused("holds annotations/ and images/"):
        check_root(tmp_path / "a" / "b" / "c")


@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
def test_missing_file_is_named_with_what_to_do(root, kind):
    path = annotation_path(root, "val", kind)
    path.unlink()
    with refused(f"'{path}' is missing", "download") as caught:
        read_index(root, "val")
    assert ("--data.mano_fits=false" in str(caught.value)) == (kind == "MANO_NeuralAnnot")


def test_missing_split(root):
    with refused(annotation_path(root, "validation", "data"), "choose an existing split"):
        read_index(root, "validation")


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
    with refused(path):
        read_index(root, "val")
