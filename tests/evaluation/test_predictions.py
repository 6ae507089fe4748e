"""Files that are not predictions, found by trying mutated ones: each is refused with a sentence."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.batch import HandPrediction
from gesturehand.data.crop import crop_affine
from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import (
    PredictionWriter,
    SavedPredictions,
    by_annotation,
    joints_in_image,
    read_predictions,
    to_camera_frame,
    write_predictions,
)
from gesturehand.hand.layer import HandModel


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"text", b"\x80\x04."])
def test_other_files(tmp_path, raw):
    path = tmp_path / "predictions.npz"
    path.write_bytes(raw)
    with pytest.raises(UserError, match="predictions"):
        read_predictions(path)


def test_missing_size(tmp_path):
    path = tmp_path / "predictions.npz"
    write_predictions(path, SavedPredictions(np.arange(5), np.zeros((5, 1, 21, 3), np.float32)))
    path.write_bytes(path.read_bytes().replace(b"(5,)", b"(9,)"))
    with pytest.raises(UserError):
        read_predictions(path)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_hand_comes_back_as_the_other_side_of_the_mirror_shows_it(mirror, angle):
    """A left hand is posed in the camera's frame; its image under the crop's map is what a network predicts."""
    generator = np.random.default_rng(0)
    model = HandModel()
    is_right = torch.tensor([[False]])
    rotations = torch.from_numpy(Rotation.random(16, rng=generator).as_matrix()).float()[None, None]
    vertices, joints = model(rotations, torch.zeros(1, 1, 10), None, is_right)
    vertices, joints = vertices - joints[..., :1, :], joints - joints[..., :1, :]

    affine = crop_affine(np.array([40.0, 50.0, 80.0]), 64, angle=angle, mirror=mirror)
    cos, sin = np.cos(angle), np.sin(angle)
    frame = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    flip = np.diag([-1.0 if mirror else 1.0, 1, 1])
    seen = torch.from_numpy(flip @ frame).float()
    seen_rotations = torch.from_numpy(flip @ rotations[0, 0].double().numpy() @ flip).float()
    seen_rotations[0] = torch.from_numpy(flip @ frame @ rotations[0, 0, 0].double().numpy() @ flip).float()
    prediction = HandPrediction(
        joints_25d=torch.zeros(1, 1, 21, 3),
        rotations=seen_rotations[None, None],
        betas=torch.zeros(1, 1, 10),
        camera=torch.ones(1, 1, 3),
        vertices=vertices @ seen.T,
        joints=joints @ seen.T,
        joints_2d=torch.zeros(1, 1, 21, 2),
    )
    # The crop shows a hand of the model: the mesh of its side under the visible rotations is the visible mesh.
    seen_mesh, seen_joints = model(seen_rotations[None, None], torch.zeros(1, 1, 10), None, is_right ^ mirror)
    torch.testing.assert_close(seen_mesh - seen_joints[..., :1, :], prediction["vertices"], atol=1e-5, rtol=0)

    result = to_camera_frame(prediction, torch.from_numpy(affine).float()[None])
    torch.testing.assert_close(result["joints"], joints, atol=1e-6, rtol=0)
    torch.testing.assert_close(result["vertices"], vertices, atol=1e-6, rtol=0)
    torch.testing.assert_close(result["rotations"], rotations, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mirror", [False, True])
def test_pixels_of_joints_are_those_of_the_original_image(mirror):
    affine = crop_affine(np.array([40.0, 50.0, 80.0]), 64, angle=0.7, mirror=mirror)
    px = np.random.default_rng(0).uniform(0, 90, (21, 2))
    seen = np.c_[px, np.ones(21)] @ affine.T
    prediction = {"joints_2d": torch.from_numpy((seen + 0.5) * 2 / 64 - 1)[None, None]}
    batch = {"crop_affine": torch.from_numpy(affine)[None], "image": torch.zeros(1, 3, 64, 64)}
    np.testing.assert_allclose(joints_in_image(prediction, batch)[0, 0].numpy(), px, atol=1e-3)


def samples(ids, is_left, present):
    count, hands = np.shape(present)
    number = np.arange(count * hands, dtype=np.float32).reshape(count, hands)
    shapes = {"joints": (21, 3), "vertices": (5, 3), "rotations": (16, 3, 3), "joints_2d": (21, 2)}
    arrays = {name: np.multiply.outer(number, np.ones(shape, np.float32)) for name, shape in shapes.items()}
    return {"ids": np.array(ids), "is_left": np.array(is_left), "present": np.array(present), **arrays}


def test_single_hands_are_one_per_row():
    result = by_annotation(samples([9, 3], [[True], [False]], [[True], [True]]))
    assert result.ids.tolist() == [3, 9]
    assert result.joints.shape == (2, 1, 21, 3)
    assert result.joints[:, 0, 0, 0].tolist() == [1, 0]


def test_two_samples_of_one_annotation_are_right_and_left():
    result = by_annotation(samples([4, 4, 5], [[True], [False], [True]], [[True]] * 3))
    assert result.ids.tolist() == [4, 5]
    assert result.joints[..., 0, 0].tolist() == [[1, 0], [0, 2]]


def test_absent_hand_of_a_pair_is_left_out():
    result = by_annotation(samples([4, 5], [[False, True]] * 2, [[True, True], [False, True]]))
    assert result.vertices is not None
    assert result.vertices[..., 0, 0].tolist() == [[0, 1], [0, 3]]


def test_shares_of_processes_are_joined_without_samples_that_fill_up(tmp_path):
    path = tmp_path / "predictions.npz"
    for rank, counted in enumerate(([True, True], [True, False])):
        writer = PredictionWriter(path)
        hand = {
            "joints": torch.full((2, 1, 21, 3), float(rank)),
            "vertices": torch.zeros(2, 1, 5, 3),
            "rotations": torch.eye(3).expand(2, 1, 16, 3, 3),
            "joints_2d": torch.zeros(2, 1, 21, 2),
        }
        batch = {
            "image": torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
            "crop_affine": torch.eye(2, 3).expand(2, 2, 3),
            "annotation_id": torch.tensor([[5, 7], [6, 5]][rank]),
            "is_right": torch.ones(2, 1, dtype=torch.bool),
            "hand_present": torch.ones(2, 1, dtype=torch.bool),
            "counted": torch.tensor(counted),
        }
        writer.update(hand, batch)
        writer.write_share(rank)
    writer.merge_shares(2)
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.npz"]
    saved = read_predictions(path)
    assert saved.ids.tolist() == [5, 6, 7]
    assert saved.joints[:, 0, 0, 0].tolist() == [0, 1, 0]
