"""The samples of a split, against a plain reading."""

import json
import pickle
import re

import numpy as np
import pytest
from refusals import refused
from set_files import frames_of

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.index import read_index
from gesturehand.data.selection import fitted_samples, kept_fits, select
from gesturehand.errors import UserError
from gesturehand.gestures import gesture_of_sequence, vocabulary

KEPT = {
    "single": {"right", "left"},
    "right": {"right"},
    "left": {"left"},
    "interacting": {"interacting"},
    "all": {"right", "left", "interacting"},
}


def usable(hand) -> bool:
    return hand["shown"] and bool((hand["valid_image"] & hand["valid_frame"]).any())


def expected_samples(records, hands, layout, labelled_only, chosen=lambda record: True):
    samples = []
    for row, record in enumerate(records):
        labelled = gesture_of_sequence(record["seq_name"])[1] >= 0
        if record["hand_type"] not in KEPT[hands] or (labelled_only and not labelled) or not chosen(record):
            continue
        good = [hand for hand in (0, 1) if usable(record["hands"][hand])]
        if layout == "per_hand":
            samples += [(row, (hand,)) for hand in good]
        elif good:
            samples.append((row, (0, 1)))
    return samples


def samples_of(selection):
    return [(int(row), tuple(int(h) for h in hand)) for row, hand in zip(selection.row, selection.hand, strict=True)]


@pytest.mark.parametrize("labelled_only", [False, True])
@pytest.mark.parametrize("layout", ["per_hand", "two_hand"])
@pytest.mark.parametrize("hands", list(KEPT))
def test_selection_is_the_plain_one(two_hand_root, plain_records, hands, layout, labelled_only):
    records = plain_records(two_hand_root, "train")
    expected = expected_samples(records, hands, layout, labelled_only)
    index = read_index(two_hand_root, "train")
    if not expected:
        assert hands == "interacting"
        assert labelled_only
        with pytest.raises(UserError, match=r"hands=interacting.*labelled_only=True"):
            select(index, hands=hands, layout=layout, labelled_only=labelled_only)
        return
    selection = select(index, hands=hands, layout=layout, labelled_only=labelled_only)
    assert samples_of(selection) == expected
    assert len(selection) == len(expected)


def test_options_choose_different_samples(two_hand_root):
    """The test above proves nothing unless the set has every kind."""
    index = read_index(two_hand_root, "train")
    counts = {hands: len(select(index, hands=hands)) for hands in KEPT}
    assert counts["right"] + counts["left"] == counts["single"]
    assert counts["single"] + counts["interacting"] == counts["all"]
    assert len(set(counts.values())) == 5 or min(counts.values()) > 0
    assert len(select(index, labelled_only=True)) < counts["single"]
    assert len(select(index, hands="interacting", layout="two_hand")) < counts["interacting"]


@pytest.mark.parametrize("file", ["data", "joint_3d"])
def test_hands_without_a_valid_joint_are_not_samples(two_hand_root, edited_set, plain_records, file):
    """Either file can take all joints away; a two-hand annotation keeps its other hand."""

    def data(content):
        by_type = {}
        for annotation in content["annotations"]:
            by_type.setdefault(annotation["hand_type"], annotation)
        by_type["right"]["joint_valid"] = [0] * 42
        by_type["interacting"]["joint_valid"] = [0] * 21 + [1] * 21

    def joint_3d(content):
        by_type = {}
        for frame in frames_of(content):
            by_type.setdefault(frame["hand_type"], frame)
        by_type["left"]["joint_valid"] = [0] * 42
        by_type["interacting"]["joint_valid"] = [1] * 21 + [0] * 21

    root = edited_set(two_hand_root, "train", **{file: {"data": data, "joint_3d": joint_3d}[file]})
    records = plain_records(root, "train")
    index = read_index(root, "train")
    for layout in ("per_hand", "two_hand"):
        selection = select(index, hands="all", layout=layout)
        assert samples_of(selection) == expected_samples(records, "all", layout, False)
    before = select(read_index(two_hand_root, "train"), hands="all")
    assert len(select(index, hands="all")) == len(before) - 2


def test_joints_valid_only_in_different_places_make_no_sample(synthetic_root, edited_set):
    """One joint is valid per image and another per frame, so that none can be used."""

    def data(content):
        content["annotations"][0]["joint_valid"] = [1, 0] * 21

    def joint_3d(content):
        for frame in frames_of(content):
            frame["joint_valid"] = [0, 1] * 21

    index = read_index(edited_set(synthetic_root, "val", data=data, joint_3d=joint_3d), "val")
    assert 0 not in select(index).row
    assert 1 in select(index).row


def test_hand_that_the_annotation_does_not_show_is_not_a_sample(two_hand_root, everything_flagged):
    root = everything_flagged(two_hand_root, "train")
    index = read_index(root, "train")
    assert np.all(index.joint_valid_image)
    selection = select(index, hands="all")
    shown = {1: [0], 2: [1], 3: [0, 1]}
    assert samples_of(selection) == [(row, (hand,)) for row, kind in enumerate(index.hand_type) for hand in shown[kind]]


@pytest.mark.parametrize("suffix", [".txt", ".json"])
@pytest.mark.parametrize("by", ["id", "file_name"])
def test_subset_lists(synthetic_root, plain_records, tmp_path, suffix, by):
    records = plain_records(synthetic_root, "val")
    wanted = [records[i][by] for i in (7, 2, 11)]
    path = tmp_path / f"list{suffix}"
    path.write_text(json.dumps(wanted) if suffix == ".json" else "\n".join(map(str, wanted)) + "\n")
    selection = select(read_index(synthetic_root, "val"), subset=path)
    expected = expected_samples(records, "single", "per_hand", False, lambda record: record[by] in wanted)
    assert samples_of(selection) == expected
    assert len(expected) == 3


def test_subset_of_mixed_ids_and_names_combines_with_the_other_options(two_hand_root, plain_records, tmp_path):
    records = plain_records(two_hand_root, "train")
    wanted = [records[0]["id"], *(record["file_name"] for record in records[1::2])]
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(wanted))
    selection = select(read_index(two_hand_root, "train"), hands="left", subset=path)
    names = {str(entry) for entry in wanted}

    def chosen(record):
        return str(record["id"]) in names or record["file_name"] in names

    assert samples_of(selection) == expected_samples(records, "left", "per_hand", False, chosen)


def test_unknown_entries_of_a_subset_are_counted_and_named(synthetic_root, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("99999998\n99999999\n")
    with pytest.raises(UserError, match=r"list\.txt.*2 entries.*'val'.*99999998"):
        select(read_index(synthetic_root, "val"), subset=path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("nowhere.txt", None, "cannot be read"),
        ("broken.json", b"[1, 2", "not valid"),
        ("object.json", b'{"a": 1}', "is not a list"),
        ("binary.txt", b"\xff\xfe\x00", "is not the UTF-16-LE it seems to be"),
    ],
)
def test_unreadable_subset_is_named(synthetic_root, tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with refused(path, match=says):
        select(read_index(synthetic_root, "val"), subset=path)


def test_empty_selection_says_which_settings_left_nothing(synthetic_root, tmp_path):
    path = tmp_path / "none.txt"
    path.write_text("")
    with pytest.raises(UserError, match=r"split 'val'.*hands=interacting.*labelled_only=False"):
        select(read_index(synthetic_root, "val"), hands="interacting")
    with pytest.raises(UserError, match=r"none\.txt"):
        select(read_index(synthetic_root, "val"), subset=path)


def test_captures_cameras_people_gestures_and_valid_joints_against_a_loop(two_hand_root, plain_records):
    records, index = plain_records(two_hand_root, "train"), read_index(two_hand_root, "train")
    captures = [record["file_name"].split("/")[0].removeprefix("Capture") for record in records]
    fine = [vocabulary().fine[max(gesture_of_sequence(record["seq_name"])[1], 0)] for record in records]
    labelled = [gesture_of_sequence(record["seq_name"])[1] >= 0 for record in records]
    cameras = [re.search("cam([0-9]+)", record["file_name"])[1] for record in records]
    settings = {
        "cameras": ([int(cameras[0])], lambda row: cameras[row] == cameras[0]),
        "captures": ([int(captures[0])], lambda row: captures[row] == captures[0]),
        "subjects": ([records[-1]["subject"]], lambda row: records[row]["subject"] == records[-1]["subject"]),
        "gestures": (["fist"], lambda row: labelled[row] and fine[row] == "fist"),
    }
    everything = samples_of(select(index))
    for name, (value, kept) in settings.items():
        expected = [sample for sample in everything if kept(sample[0])]
        assert 0 < len(expected) < len(everything), name
        assert samples_of(select(index, **{name: value})) == expected, name
    for least in (1, 19, 20, 21):

        def enough(sample, least=least):
            hand = records[sample[0]]["hands"][sample[1][0]]
            return int((hand["valid_image"] & hand["valid_frame"]).sum()) >= least

        assert samples_of(select(index, min_valid_joints=least)) == [s for s in everything if enough(s)]
    assert len(select(index, min_valid_joints=21)) < len(everything)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"captures": [99]}, "data.captures names '99'"),
        ({"cameras": [99]}, "data.cameras names '99'"),
        ({"subjects": [99]}, "data.subjects names '99'"),
        ({"gestures": ["fisst"]}, "did you mean 'fist'"),
        ({"min_valid_joints": -1}, "data.min_valid_joints=-1"),
        ({"min_valid_joints": 22}, "data.min_valid_joints=22"),
    ],
)
def test_unknown_filters_are_named(two_hand_root, setting, says):
    with pytest.raises(UserError, match=says):
        select(read_index(two_hand_root, "train"), **setting)


def test_real_frames(real_sample):
    index = read_index(real_sample, "test", mano_fits=False)
    assert len(select(index)) == 2
    assert len(select(index, labelled_only=True)) == 2
    assert len(select(index, hands="interacting")) == 4
    assert len(select(index, hands="all", layout="two_hand")) == 4
    assert np.array_equal(select(index, hands="left").hand, [[1]])


@pytest.fixture(scope="module")
def index(two_hand_root):
    return read_index(two_hand_root, "train")


@pytest.mark.parametrize("share", [0.5, 0.1, 0.001])
def test_share_of_frames_keeps_its_fits(index, share):
    fitted = index.mano_valid.any(-1)
    kept = kept_fits(index, share, seed=3)
    assert not (kept & ~fitted).any()
    assert kept.sum() == max(1, round(share * fitted.sum())) < fitted.sum()


def test_shares_are_nested_and_a_seeds_own(index):
    half, tenth = (kept_fits(index, share, seed=3) for share in (0.5, 0.1))
    assert not (tenth & ~half).any()
    assert not np.array_equal(kept_fits(index, 0.5, seed=4), half)


@pytest.mark.parametrize("layout", ["per_hand", "two_hand"])
def test_only_samples_with_a_fit_are_left(index, layout):
    kept = kept_fits(index, 0.3, seed=0)
    selection = select(index, hands="all", layout=layout)
    left = fitted_samples(index, selection, kept)
    expected = [
        (row, tuple(hands))
        for row, hands in zip(selection.row, selection.hand, strict=True)
        if kept[index.frame[row]]
        and any(index.hand_type[row] & (1, 2)[hand] and index.mano_valid[index.frame[row], hand] for hand in hands)
    ]
    assert [(row, tuple(hands)) for row, hands in zip(left.row, left.hand, strict=True)] == expected
    assert 0 < len(left) < len(selection)


def test_nothing_fitted_is_a_sentence(two_hand_root):
    index = read_index(two_hand_root, "train", mano_fits=False)
    with pytest.raises(UserError, match=r"has a MANO fit.*data\.fitted_only"):
        fitted_samples(index, select(index), None)


def whole(dataset):
    return dataset.__getitems__(range(len(dataset)))


def test_frames_without_their_fits_are_as_if_they_never_had_any(two_hand_root):
    settings = {"root": str(two_hand_root), "num_workers": 0, "read_images": False, "hands": "all", "augment": False}
    plain = InterHandDataModule(**settings).dataset("train")
    # A dataset goes to worker processes as a pickle, in which an index is only its file.
    few = pickle.loads(pickle.dumps(InterHandDataModule(**settings, fit_share=0.3).dataset("train")))
    one, other = whole(plain), whole(few)
    assert 0 < other["mano_valid"].sum() < one["mano_valid"].sum()
    assert not (other["mano_valid"] & ~one["mano_valid"]).any()
    for name in ("joints_world", "joint_valid_frame", "gesture_fine", "annotation_id"):
        assert np.array_equal(one[name], other[name]), name
    fitted = InterHandDataModule(**settings, fit_share=0.3, fitted_only=True).dataset("train")
    assert whole(fitted)["mano_valid"].any(-1).all()


def test_labels_are_permuted_among_the_samples(synthetic_root):
    settings = {"root": str(synthetic_root), "num_workers": 0, "read_images": False, "labelled_only": True}
    plain, shuffled = (
        whole(InterHandDataModule(**settings, augment=False, shuffled_labels=control).dataset("train"))
        for control in (False, True)
    )
    pairs = [
        sorted(zip(b["gesture_coarse"].tolist(), b["gesture_fine"].tolist(), strict=True)) for b in (plain, shuffled)
    ]
    assert pairs[0] == pairs[1]
    # Four gestures in about equal numbers: a quarter of the labels stays correct by chance.
    assert (plain["gesture_fine"] == shuffled["gesture_fine"]).float().mean() < 0.5
    for name in ("annotation_id", "joints_world", "mano_pose"):
        assert np.array_equal(plain[name], shuffled[name]), name


def test_only_training_is_changed(synthetic_root):
    plain = InterHandDataModule(str(synthetic_root), num_workers=0, read_images=False)
    data = InterHandDataModule(
        str(synthetic_root), num_workers=0, read_images=False, fit_share=0.2, fitted_only=True, shuffled_labels=True
    )
    assert len(data.dataset("train")) < len(plain.dataset("train"))
    for stage in ("val", "test"):
        one, other = whole(data.dataset(stage)), whole(plain.dataset(stage))
        for name in ("gesture_fine", "mano_valid", "annotation_id"):
            assert np.array_equal(one[name], other[name]), name
