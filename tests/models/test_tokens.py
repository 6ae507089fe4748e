"""Joint tokens and gesture tokens, token by token."""

import numpy as np
import pytest
import torch
from torch import nn

from gesturehand.models.tokens import GestureTokens, JointTokens


def bilinear(feature_map, x, y):
    """The map's value at normalised coordinates, zero outside."""
    channels, height, width = feature_map.shape
    column, row = (x + 1) * width / 2 - 0.5, (y + 1) * height / 2 - 0.5
    value = np.zeros(channels)
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= i < height and 0 <= j < width:
                value += (1 - abs(row - i)) * (1 - abs(column - j)) * feature_map[:, i, j]
    return value


def test_joint_token_is_the_feature_under_the_joint_its_place_and_its_name():
    torch.manual_seed(0)
    tokens = JointTokens(6, 10)
    feature_map, joints = torch.randn(2, 6, 4, 4), torch.rand(2, 21, 3) * 2.2 - 1.1
    result = tokens(feature_map, joints)
    assert result.shape == (2, 21, 10)
    for b, j in np.ndindex(2, 21):
        x, y, _ = joints[b, j].tolist()
        sampled = torch.from_numpy(bilinear(feature_map[b].numpy(), x, y)).float()
        expected = tokens.feature(sampled) + tokens.coordinate(joints[b, j]) + tokens.joint[j]
        torch.testing.assert_close(result[b, j], expected, atol=1e-5, rtol=1e-4)


def test_joint_in_a_cells_centre_reads_that_cell():
    tokens = JointTokens(64, 64)
    nn.init.eye_(tokens.feature.weight)
    for parameter in (tokens.feature.bias, tokens.coordinate.weight, tokens.coordinate.bias, tokens.joint):
        nn.init.zeros_(parameter)
    feature_map = torch.eye(64).reshape(1, 64, 8, 8)
    joints = torch.zeros(1, 21, 3)
    joints[0, 3] = torch.tensor([(2 * 6 + 1) / 8 - 1, (2 * 1 + 1) / 8 - 1, 0.3])  # column 6, row 1
    expected = torch.zeros(64)
    expected[1 * 8 + 6] = 1
    torch.testing.assert_close(tokens(feature_map, joints)[0, 3], expected)


def test_coordinates_are_detached():
    tokens = JointTokens(6, 10)
    feature_map, joints = torch.randn(1, 6, 4, 4, requires_grad=True), torch.zeros(1, 21, 3, requires_grad=True)
    tokens(feature_map, joints).square().sum().backward()
    assert joints.grad is None
    assert feature_map.grad.any()


def gesture(batch=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {
        "gesture_embedding": torch.randn(batch, 12, generator=rng).requires_grad_(),
        "coarse_logits": torch.randn(batch, 27, generator=rng).requires_grad_(),
        "fine_logits": torch.randn(batch, 35, generator=rng).requires_grad_(),
    }


@pytest.mark.parametrize(("levels", "count"), [("both", 3), ("coarse", 2), ("fine", 2)])
def test_gesture_tokens_are_soft_class_embeddings_and_the_images(levels, count):
    torch.manual_seed(0)
    tokens, prediction = GestureTokens(27, 35, 12, 10, levels), gesture()
    result = tokens(prediction)
    assert result.shape == (3, count, 10)
    assert tokens.count == count
    for b in range(3):
        expected = [tokens.embedding(prediction["gesture_embedding"][b])]
        for level, layer in (("coarse", tokens.coarse), ("fine", tokens.fine)):
            if levels in ("both", level):
                table = layer.weight.T
                probability = prediction[f"{level}_logits"][b].softmax(0)
                expected.append(sum(p * row for p, row in zip(probability, table, strict=True)))
            else:
                assert layer is None
        torch.testing.assert_close(result[b], torch.stack(expected) + tokens.kind, atol=1e-5, rtol=1e-4)


def test_certain_prediction_is_one_row_of_the_table():
    tokens, prediction = GestureTokens(27, 35, 12, 10), gesture(1)
    prediction["fine_logits"] = torch.full((1, 35), -1e4)
    prediction["fine_logits"][0, 20] = 1e4
    torch.testing.assert_close(tokens(prediction)[0, 2], tokens.fine.weight[:, 20] + tokens.kind[2])


def test_gradient_reaches_the_gesture_head():
    prediction = gesture()
    GestureTokens(27, 35, 12, 10)(prediction).square().sum().backward()
    assert all(value.grad.any() for value in prediction.values())
