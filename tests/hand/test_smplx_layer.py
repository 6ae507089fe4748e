"""MANO files are posed by smplx, mixed sides and all."""

from dataclasses import replace

import numpy as np
import torch

from gesturehand.hand.layer import HandModel
from gesturehand.hand.mano_file import write_npz
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import SIDES


def test_a_mano_file_is_posed_by_smplx_row_by_row(posed_hand, rotations, rng, tmp_path, monkeypatch):
    hands = {side: posed_hand(side) for side in SIDES}
    # The left hand's shape directions are its own, or reading both would take them for the official file's slip.
    hands["left"] = replace(hands["left"], shapedirs=1.1 * hands["left"].shapedirs)
    for side, hand in hands.items():
        write_npz(hand, tmp_path / f"MANO_{side.upper()}.npz")
    model = HandModel(tmp_path)
    calls = []
    for layer in model.modules():
        if type(layer).__name__ == "MANOLayer":
            layer.register_forward_hook(lambda module, *_: calls.append(module.is_rhand))
    turns, betas, transl = rotations(5, 16), rng.normal(size=(5, 10)), rng.normal(size=(5, 3))
    is_right = np.array([True, False, False, True, False])
    given = [torch.from_numpy(array).float() for array in (turns, betas, transl)]
    vertices, _ = model(*given, torch.from_numpy(is_right))
    assert sorted(calls) == [False, True]
    for side, mask in (("right", is_right), ("left", ~is_right)):
        np.testing.assert_allclose(
            vertices[mask], skin(hands[side], turns[mask], betas[mask], transl[mask])[0], atol=1e-5
        )
    assert model.state_dict() == {}
    empty, _ = model(*(tensor[:0] for tensor in given), torch.from_numpy(is_right[:0]))
    assert empty.shape == (0, 1609, 3)
