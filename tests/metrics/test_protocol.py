import pytest
import torch

from gesturehand.metrics.protocol import HAND_GROUPS, flat_groups, hand_groups, sum_by_group


def test_groups_are_named():
    left = torch.tensor([[False], [True], [False], [True]])
    interacting = torch.tensor([False, False, True, True])
    named = [HAND_GROUPS[index] for index in hand_groups(left, interacting).flatten()]
    assert named == ["single_right", "single_left", "interacting_right", "interacting_left"]


def test_a_hand_that_counts_must_be_in_a_group():
    counted = torch.ones(3, 21, dtype=torch.bool)
    counted[2] = False
    assert flat_groups(torch.tensor([1, 0, 99]), counted, 2).tolist() == [1, 0, 0]
    for outside in (2, -1):
        with pytest.raises(ValueError, match=f"group must be between 0 and 1, but got {outside}"):
            flat_groups(torch.tensor([1, outside, 0]), counted, 2)


def test_sums_against_a_loop():
    values, group = torch.rand(50, 4, dtype=torch.float64), torch.randint(0, 3, (50,))
    sums = sum_by_group(values, group, 4)
    for g in range(4):
        torch.testing.assert_close(sums[g], values[group == g].sum(0))
