"""DexYCB's folder read back, with both hands and poses as principal components; its splits; and reports of gaps."""

import shutil

import numpy as np
import pytest
from refusals import refused

from gesturehand.data.formats.dexycb import SETUPS
from gesturehand.data.formats.registry import format_of
from gesturehand.data.index import read_index
from gesturehand.errors import UserError

TENTH_OF_A_MM = 1e-4


def test_it_is_recognised_with_its_existing_splits(dexycb):
    assert format_of(dexycb.root).name == "dexycb"
    assert format_of(dexycb.root).splits(dexycb.root) == ["val"]


@pytest.mark.parametrize("mirror_left", [False, True])
def test_joints_projections_and_meshes_of_both_hands_are_read_back(
    dexycb, read_back, hands_with_components, mirror_left
):
    read = read_back(dexycb.root, "val", mano=hands_with_components.folder, mirror_left=mirror_left)
    annotated = [k for k in range(len(dexycb.hands)) if k not in dexycb.unannotated]
    assert read.batch["annotation_id"].tolist() == annotated
    sides = {dexycb.hands[k].side for k in annotated}
    assert sides == {"right", "left"}
    for sample, number in enumerate(annotated):
        hand = dexycb.hands[number]
        # A mirrored crop shows the hand in the mirror.
        sign = np.array([-1 if mirror_left and hand.side == "left" else 1, 1, 1])
        joints = read.targets["joints"][sample, 0].numpy()
        assert np.abs(joints - hand.joints * sign).max() < TENTH_OF_A_MM
        assert np.abs(read.targets["vertices"][sample, 0].numpy() - hand.vertices * sign).max() < TENTH_OF_A_MM
        if not (mirror_left and hand.side == "left"):
            # The two hands' middle tips are different vertices: in the mirror, a left hand has that of the right one.
            assert np.abs(read.targets["joints_mano"][sample, 0].numpy() - hand.joints).max() < TENTH_OF_A_MM
        assert bool(read.targets["source_is_right"][sample, 0]) == (hand.side == "right")
        camera = number % 8
        px = hand.joints @ dexycb.intrinsics[camera].T
        px = px[:, :2] / px[:, 2:]
        np.testing.assert_allclose(
            read.dataset.index.bbox_px[number], [*px.min(0), *(px.max(0) - px.min(0))], atol=0.01
        )
        assert str(read.dataset.image_file(sample)).endswith(dexycb.names[number])


def test_people_cameras_and_captures_can_be_chosen(dexycb, read_back):
    chosen = read_back(dexycb.root, "val", subjects=[2], cameras=["932122060857"], hands="left")
    assert 8 <= len(chosen.dataset) <= 10
    assert not chosen.batch["is_right"].any()


def test_official_splits_divide_the_recordings():
    for setup in ("s0", "s1", "s2", "s3"):
        parts = [SETUPS[f"{setup}_{split}"] for split in ("train", "val", "test")]
        seen = [{(s, c, q) for s in part.subjects for c in part.cameras for q in part.sequences} for part in parts]
        assert sum(map(len, seen)) == len(set.union(*seen)) == 10 * 8 * 100


@pytest.fixture(scope="module")
def copied(tmp_path_factory, dexycb):
    """A copy whose files a test replaces for a while."""
    root = tmp_path_factory.mktemp("copied") / "dex-ycb"
    shutil.copytree(dexycb.root, root, ignore=shutil.ignore_patterns("*_index.safetensors*"))
    return root


def test_missing_people_and_unknown_splits_are_reported(dexycb):
    for split, sentence in {
        "train": "lacks 20200820-subject-03.*such as s0_val",
        "s4_val": "has no split 's4_val': choose train",
    }.items():
        with pytest.raises(UserError, match=sentence):
            read_index(dexycb.root, split)


@pytest.mark.parametrize(
    ("place", "content", "sentence"),
    [
        ("{sequence}", None, "has 99 of 100 sequences"),
        ("{sequence}/{serial}", None, "is missing: complete the download of DexYCB"),
        ("{sequence}/{serial}/labels_000000.npz", None, "labels_000000.npz' is missing"),
        ("{sequence}/{serial}/labels_000000.npz", b"PK", "not a label file of DexYCB"),
        ("{sequence}/meta.yml", b"num_frames: 1", "meta.yml' lacks mano_sides"),
        ("{sequence}/meta.yml", b"{", "meta.yml' is not valid YAML"),
        ("calibration", None, "calibration' is missing"),
        ("calibration/intrinsics/932122062010_640x480.yml", b"color: {fx: 1}", "640x480.yml' does not hold 4 numbers"),
    ],
)
def test_gaps_are_one_sentence(tmp_path, copied, dexycb, place, content, sentence):
    sequence, serial, _ = dexycb.names[-1].rsplit("/", 2)
    path = copied / place.format(sequence=sequence, serial=serial)
    aside = path.rename(tmp_path / "aside")
    try:
        if content is not None:
            path.write_bytes(content)
        with refused(match=sentence):
            read_index(copied, "val", set_format="dexycb")
    finally:
        path.unlink(missing_ok=True)
        aside.rename(path)
