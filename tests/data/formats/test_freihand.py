"""FreiHAND's folder read back: joints, projections, meshes, backgrounds; and reports of half a download."""

import json
import shutil

import numpy as np
import pytest
from refusals import refused

from gesturehand.data.formats.registry import format_of
from gesturehand.data.index import read_index
from gesturehand.errors import UserError

TENTH_OF_A_MM = 1e-4


def test_it_is_recognised_and_can_be_named(freihand):
    assert format_of(freihand.root).name == format_of(freihand.root, "freihand").name == "freihand"
    assert format_of(freihand.root).splits(freihand.root) == ["train", "test"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_joints_projections_and_meshes_are_read_back(freihand, read_back, split):
    read, hands = read_back(freihand.root, split), getattr(freihand, split)
    assert len(read.dataset) == len(hands) * (4 if split == "train" else 1)
    index = read.dataset.index
    for sample in range(len(read.dataset)):
        hand = hands[sample % len(hands)]
        joints = read.targets["joints"][sample, 0].numpy()
        assert np.abs(joints - hand.joints).max() < TENTH_OF_A_MM
        assert np.abs(read.targets["vertices"][sample, 0].numpy() - hand.vertices).max() < TENTH_OF_A_MM
        assert np.abs(read.targets["joints_mano"][sample, 0].numpy() - hand.joints).max() < TENTH_OF_A_MM
        px = hand.joints @ freihand.intrinsics[split][sample % len(hands)].T
        px = px[:, :2] / px[:, 2:]
        box = index.bbox_px[sample]
        np.testing.assert_allclose(box, [*px.min(0), *(px.max(0) - px.min(0))], atol=0.01)
        size = read.dataset.image_size
        normalised = (read.batch["crop_affine"][sample].numpy() @ np.c_[px, np.ones(21)].T).T
        np.testing.assert_allclose(
            read.targets["joints_2d"][sample, 0].numpy(), (normalised + 0.5) * 2 / size - 1, atol=1e-3
        )
    assert read.targets["mano_valid"].all()
    assert read.targets["joint_valid_eval"].all()
    assert read.batch["is_right"].all()


def test_every_background_is_a_camera_with_its_own_image(freihand, read_back):
    every = read_back(freihand.root, "train")
    greys = every.batch["image"].float().mean((1, 2, 3))
    assert (greys.diff() > 0).all()  # image number × 8, minus the part outside the image, which is black
    chosen = read_back(freihand.root, "train", cameras=["hom"])
    assert chosen.batch["annotation_id"].tolist() == list(range(6, 12))
    with pytest.raises(UserError, match=r"cameras names 'green'.*auto, gs, hom, sample"):
        read_back(freihand.root, "train", cameras=["green"])


def test_an_evaluation_set_without_annotations_is_cropped_whole(tmp_path, writers, read_back):
    made = writers.freihand(tmp_path / "FreiHAND", labelled=False)
    with pytest.raises(UserError, match=r"min_valid_joints|loosen"):
        read_back(made.root, "test")
    read = read_back(made.root, "test", min_valid_joints=0)
    assert len(read.dataset) == 4
    assert not read.targets["joint_valid_2d"].any()
    assert not read.targets["mano_valid"].any()
    np.testing.assert_allclose(read.dataset.boxes[np.arange(4)], [[112, 112, 224]] * 4, atol=1e-3)


def test_an_index_of_a_folder_that_cannot_be_written_to_goes_to_the_cache(tmp_path, writers, cache_folder):
    made = writers.freihand(tmp_path / "FreiHAND")
    made.root.chmod(0o555)
    try:
        assert read_index(made.root, "test").path.is_relative_to(cache_folder)
    finally:
        made.root.chmod(0o755)


def test_an_index_is_rebuilt_when_a_file_changes(tmp_path, writers):
    made = writers.freihand(tmp_path / "FreiHAND")
    before = read_index(made.root, "train").joints_world[0, 0, 0].copy()
    xyz = json.loads((made.root / "training_xyz.json").read_text())
    xyz[0][0][0] += 0.25
    (made.root / "training_xyz.json").write_text(json.dumps(xyz))
    assert read_index(made.root, "train").joints_world[0, 0, 0, 0] - before[0] == pytest.approx(0.25)


def spoil_list(root):
    xyz = json.loads((root / "training_xyz.json").read_text())
    (root / "training_xyz.json").write_text(json.dumps(xyz[:4]))


def spoil_joints(root):
    xyz = json.loads((root / "training_xyz.json").read_text())
    (root / "training_xyz.json").write_text(json.dumps([hand[:20] for hand in xyz]))


def cut(root):
    content = (root / "training_xyz.json").read_bytes()
    (root / "training_xyz.json").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_list, "training_xyz.json' has 4 entries and training_K.json 6: download both again"),
        (spoil_joints, "training_xyz.json' is not a list of 21 x 3 numbers"),
        (cut, "training_xyz.json' is not valid JSON .*download it again"),
        (lambda root: (root / "training_xyz.json").unlink(), "training_xyz.json' is missing: complete the download"),
        (lambda root: (root / "training_mano.json").unlink(), "training_mano.json' is missing.*mano_fits=false"),
        (
            lambda root: (root / "training" / "rgb" / "00000011.jpg").unlink(),
            "00000011.jpg' is missing, the last of the 6 images with background 'hom'",
        ),
    ],
)
def test_half_a_download_is_one_sentence(tmp_path, writers, spoil, sentence):
    root = writers.freihand(tmp_path / "FreiHAND").root
    spoil(root)
    with refused(match=sentence):
        read_index(root, "train")


def test_missing_parts_are_reported(tmp_path, writers):
    root = writers.freihand(tmp_path / "FreiHAND").root
    with pytest.raises(UserError, match="has no split 'val', only 'train' and 'test'"):
        read_index(root, "val")
    assert read_index(root, "train", mano_fits=False).mano_valid.any() == False  # noqa: E712
    shutil.rmtree(root / "training")
    assert len(read_index(root, "train")) == 24  # annotations need no images
    with pytest.raises(UserError, match="is not the folder of FreiHAND"):
        read_index(tmp_path, "train", set_format="freihand")
    with pytest.raises(UserError, match=r"holds no dataset in a known format: did you mean '.*FreiHAND'"):
        read_index(tmp_path, "train")
    with pytest.raises(UserError, match=r"data\.format=frihand is unknown: choose one of interhand, freihand"):
        read_index(root, "train", set_format="frihand")
