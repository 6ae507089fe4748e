"""The exportable skinning against the layer of smplx, with pose directions and different hands."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.hand.layer import HandModel
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz
from gesturehand.inference.export_model import NoHandModel, TracedHandModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of a hand model whose two hands are not each other's mirror image and whose poses change the shape."""
    folder = tmp_path_factory.mktemp("mano")
    rng = np.random.default_rng(0)
    for side in ("right", "left"):
        hand = open_hand(side)
        moved = hand.v_template + rng.normal(0, 1e-3, hand.v_template.shape)
        posedirs = rng.normal(0, 1e-3, hand.posedirs.shape)
        write_npz(replace(hand, v_template=moved, posedirs=posedirs), folder / f"MANO_{side.upper()}.npz")
    return folder


@pytest.mark.parametrize("hands", [1, 2])
def test_same_hands_as_the_layer(folder, hands):
    model = HandModel(folder)
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 0.6, (7 * hands * 16, 3))
    rotations = torch.from_numpy(Rotation.from_rotvec(vectors).as_matrix()).float().reshape(7, hands, 16, 3, 3)
    betas = torch.from_numpy(rng.normal(size=(7, hands, 10))).float()
    is_right = torch.from_numpy(rng.uniform(size=(7, hands)) < 0.5)
    assert is_right.any()
    assert not is_right.all()
    expected = model(rotations, betas, None, is_right)
    for found, true in zip(TracedHandModel(model)(rotations, betas, None, is_right), expected, strict=True):
        torch.testing.assert_close(found, true, atol=2e-6, rtol=0)


def test_stand_in_has_the_shapes_it_needs():
    vertices, joints = NoHandModel()(torch.eye(3).expand(2, 1, 16, 3, 3), torch.zeros(2, 1, 10), None, torch.ones(2, 1))
    assert (vertices.shape, joints.shape) == ((2, 1, 1, 3), (2, 1, 21, 3))
