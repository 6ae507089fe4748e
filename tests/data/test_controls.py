"""Fewer fits and shuffled labels, on tiny sets."""

import pickle

import numpy as np
import pytest

from gesturehand.data.controls import fitted_samples, kept_fits
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.index import read_index
from gesturehand.data.selection import select
from gesturehand.errors import UserError


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
    # A data set goes to worker processes by pickle, where an index is only its file.
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
    # Four gestures of about equal number: a quarter of the labels stays right by chance.
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
