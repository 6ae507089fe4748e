"""HO-3D's folders of both versions read back, and reports of mixed-up versions and half downloads."""

import pickle

import numpy as np
import pytest
from refusals import refused

from gesturehand.data.formats.registry import format_of, named_format
from gesturehand.data.index import read_index
from gesturehand.errors import UserError

TENTH_OF_A_MM = 1e-4
OPENGL = np.array([1, -1, -1])


def test_the_versions_are_told_apart(ho3d):
    assert format_of(ho3d.root).name == f"ho3d_v{ho3d.version}"
    other = f"ho3d_v{5 - ho3d.version}"
    with pytest.raises(UserError, match=f"holds HO-3D v{ho3d.version}.*not v{5 - ho3d.version}: set data.format to"):
        format_of(ho3d.root, other)


@pytest.mark.parametrize("split", ["train", "test"])
def test_joints_and_projections_are_read_back(ho3d, read_back, split):
    read, hands = read_back(ho3d.root, split), getattr(ho3d, split)
    assert len(read.dataset) == len(hands) == {"train": 4, "test": 3}[split]
    for sample, hand in enumerate(hands):
        name = ho3d.names[split][sample]
        assert read.dataset.image_file(sample).parent.parent.name == name.split("/")[0]
        assert read.dataset.image_file(sample).stem == name.split("/")[1]
        joints = hand.joints * OPENGL
        assert np.abs(read.targets["joints"][sample, 0].numpy() - joints).max() < TENTH_OF_A_MM
        px = joints @ ho3d.intrinsics.T
        px = px[:, :2] / px[:, 2:]
        np.testing.assert_allclose(
            read.dataset.index.bbox_px[sample], [*px.min(0), *(px.max(0) - px.min(0))], atol=0.01
        )


def test_meshes_and_their_joints_are_read_back(ho3d, read_back):
    read = read_back(ho3d.root, "train")
    assert read.targets["mano_valid"].all()
    for sample, hand in enumerate(ho3d.train):
        vertices = read.targets["vertices"][sample, 0].numpy()
        assert np.abs(vertices - hand.vertices * OPENGL).max() < TENTH_OF_A_MM
        assert np.abs(read.targets["joints_mano"][sample, 0].numpy() - hand.joints * OPENGL).max() < TENTH_OF_A_MM


def test_an_evaluation_set_without_joints_has_its_boxes_and_wrists(tmp_path, writers, read_back):
    made = writers.ho3d(tmp_path, 3, labelled=False)
    read = read_back(made.root, "test", min_valid_joints=0)
    assert not read.targets["joint_valid_2d"].any()
    assert (read.dataset.index.bbox_px[:, 2:] > 10).all()
    wrists = named_format("ho3d_v3").wrists(made.root, "test")
    np.testing.assert_allclose(wrists, [hand.joints[0] * OPENGL for hand in made.test])


@pytest.mark.parametrize(("spoil", "split", "sentence"), [
    (lambda root: (root / "train/MC1/meta/0002.pkl").unlink(), "train", "0002.pkl' is missing, and train.txt lists"),
    (lambda root: (root / "evaluation.txt").write_text("AP10/0000\n" * 11_524), "test",
     "evaluation.txt' is the list of HO-3D v2, and the images are v3's"),
    (lambda root: (root / "train.txt").write_text("ABF10 0000\n"), "train", "lists 'ABF10', not sequence/number"),
    (lambda root: (root / "train.txt").write_text(""), "train", "train.txt' lists"),
    (lambda root: (root / "train/MC1/meta/0002.pkl").write_bytes(b"\x80\x02}q\x00"), "train",
     "0002.pkl is not an HO-3D pickle, or it is cut short"),
    (lambda root: (root / "train/MC1/meta/0002.pkl").write_bytes(pickle.dumps({"camMat": print})), "train",
     "asks for builtins.print, which no HO-3D file needs"),
    (lambda root: (root / "train/MC1/meta/0002.pkl").write_bytes(pickle.dumps({"camMat": np.eye(2)})), "train",
     "0002.pkl' has no camMat of 3 x 3 numbers"),
])  # fmt: skip
def test_mixed_up_versions_and_half_downloads_are_one_sentence(tmp_path, writers, spoil, split, sentence):
    root = writers.ho3d(tmp_path, 3).root
    spoil(root)
    with refused(match=sentence):
        read_index(root, split, set_format="ho3d_v3")
