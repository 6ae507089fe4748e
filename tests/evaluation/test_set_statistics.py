"""Counts and the two guesses, against a slow plain version on a tiny set."""

import json
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.data.index import read_index
from gesturehand.errors import UserError
from gesturehand.evaluation.set_statistics import set_statistics
from gesturehand.gestures import vocabulary
from gesturehand.hand.layer import HandModel
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, SIDES


@pytest.fixture(scope="module")
def statistics(synthetic_root):
    return set_statistics(synthetic_root, HandModel())


def test_counts_are_those_of_the_files(statistics, synthetic_root):
    for split, frames in (("train", 64), ("val", 16), ("test", 24)):
        counts = statistics["splits"][split]
        assert counts["captured_frames"] == counts["labelled_frames"] == frames
        assert counts["images"] == 2 * frames == sum(counts["images_by_camera"].values())
        path = synthetic_root / "annotations" / split / f"InterHand2.6M_{split}_data.json"
        images = json.loads(path.read_text())["images"]
        assert counts["images_by_camera"] == dict(Counter(image["camera"] for image in images))
        frames_of = {(image["capture"], image["frame_idx"]): image["subject"] for image in images}
        assert counts["frames_by_subject"] == {str(k): n for k, n in Counter(frames_of.values()).items()}
        assert sum(counts["frames_by_gesture"].values()) == frames
        assert set(counts["frames_by_gesture"]) <= set(vocabulary().fine)
    assert statistics["splits"]["train"]["joints_where_validity_flags_differ"] > 0


def test_errors_agree_with_a_slow_plain_version(statistics, synthetic_root):
    train, test = (hands(synthetic_root, split) for split in ("train", "test"))
    betas = np.mean([shape for _, shape, _ in train], axis=0)

    def guess(chosen):
        mean = Rotation.from_matrix(np.mean([matrices for matrices, _, _ in chosen], axis=0)).as_matrix()
        return joints(mean, betas)

    everyone = guess(train)
    by_class = {fine: guess([hand for hand in train if hand[2] == fine]) for fine in {hand[2] for hand in train}}
    for name, of in (("mean_pose", lambda fine: everyone), ("gesture_oracle", lambda fine: by_class[fine])):
        errors = [np.linalg.norm(of(fine) - joints(m, b), axis=1).mean() * 1000 for m, b, fine in test]
        assert statistics["poses"][name]["canonical_mm"] == pytest.approx(np.mean(errors), abs=0.01)
        assert statistics["poses"][name]["procrustes_mm"] < np.mean(errors)
    assert statistics["poses"]["hands"] == len(test)


def hands(root, split):
    """Rotations (without the global one, as a right hand's), betas and class of every captured frame with a fit."""
    index, out = read_index(root, split), []
    for frame in range(len(index.mano_valid)):
        row = int(np.flatnonzero(index.frame == frame)[0])
        for hand, side in enumerate(SIDES):
            if index.mano_valid[frame, hand]:
                rotvec = index.mano_pose[frame, hand].astype(np.float64)
                rotvec[3:] += open_hand(side).hands_mean
                rotvec = rotvec.reshape(16, 3) * ([1, 1, 1] if side == "right" else [1, -1, -1])
                rotvec[0] = 0
                out.append(
                    (Rotation.from_rotvec(rotvec).as_matrix(), index.mano_betas[frame, hand], index.gesture[row, 1])
                )
    return out


def joints(matrices, betas):
    vertices, skeleton = skin(open_hand("right"), matrices[None], betas[None].astype(np.float64), np.zeros((1, 3)))
    every = np.concatenate([skeleton[0], vertices[0, list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
    return every - every[0]


def test_a_folder_without_a_split_is_named(tmp_path):
    with pytest.raises(UserError, match="no 'annotations' folder"):
        set_statistics(tmp_path, HandModel())
