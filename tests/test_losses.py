"""Every loss term against a slow loop; masks; batches in which nothing is valid."""

import math

import numpy as np
import pytest
import torch

from gesturehand import losses
from gesturehand.gestures import class_parents
from gesturehand.skeleton import JOINT_PARENTS

B, H = 4, 2
RANDOM_SHAPES = {
    "rotations": (16, 3, 3),
    "betas": (10,),
    "joints_25d": (21, 3),
    "joints": (21, 3),
    "joints_2d": (21, 2),
}
MASKS = {
    "mano_valid": (),
    "betas_valid": (),
    "joint_valid_25d": (21, 3),
    "joint_valid_3d": (21,),
    "joint_valid_2d": (21,),
}
#: Each term's fields of prediction and target, and its mask.
TERMS = {
    "pose": ("rotations", "rotations", "mano_valid"),
    "shape": ("betas", "betas", "betas_valid"),
    "joint_25d": ("joints_25d", "joints_25d", "joint_valid_25d"),
    "joint_3d": ("joints", "joints", "joint_valid_3d"),
    "joint_mano": ("joints", "joints_mano", "mano_valid"),
    "joint_2d": ("joints_2d", "joints_2d", "joint_valid_2d"),
}


def random_pair(seed=0, share=0.6):
    """A prediction with gradients and targets whose masks have gaps."""
    rng = torch.Generator().manual_seed(seed)
    prediction = {
        name: torch.randn(B, H, *shape, generator=rng).requires_grad_() for name, shape in RANDOM_SHAPES.items()
    }
    targets = {
        name: torch.randn(B, H, *shape, generator=rng)
        for name, shape in {**RANDOM_SHAPES, "joints_mano": (21, 3)}.items()
    }
    targets |= {name: torch.rand(B, H, *shape, generator=rng) < share for name, shape in MASKS.items()}
    targets["depth_known"] = torch.arange(B) != B - 1
    return prediction, targets


def slow_term(name, prediction, targets):
    """Sum of absolute differences over valid entries and their number, one entry at a time."""
    total, count = 0.0, 0
    for b, h in np.ndindex(B, H):
        if name in ("bone_length", "bone_direction"):
            valid = targets["joint_valid_2d"][b, h]  # a bone needs its two ends, not the wrist
            ends = [(j, p) for j, p in enumerate(JOINT_PARENTS) if p >= 0 and bool(valid[j]) and bool(valid[p])]
            if not targets["depth_known"][b]:
                continue
            for j, p in ends:
                bones = [
                    np.array((x[b, h, j] - x[b, h, p]).tolist())
                    for x in (prediction["joints"].detach(), targets["joints"])
                ]
                lengths = [np.linalg.norm(bone) for bone in bones]
                if name == "bone_length":
                    total, count = total + abs(lengths[0] - lengths[1]), count + 1
                else:
                    total += np.abs(bones[0] / lengths[0] - bones[1] / lengths[1]).sum()
                    count += 3
            continue
        field, target_field, mask = TERMS[name]
        predicted, target = prediction[field][b, h].detach().double(), targets[target_field][b, h].double()
        if name in ("joint_3d", "joint_mano"):
            target = target - target[0]
        valid = targets[mask][b, h]
        for place in np.ndindex(*predicted.shape):
            if bool(valid[place[: valid.ndim]]):
                total, count = total + abs(float(predicted[place] - target[place])), count + 1
    return total, count


@pytest.mark.parametrize("name", losses.TERMS)
def test_term_agrees_with_the_slow_loop(name):
    prediction, targets = random_pair()
    total, count = slow_term(name, prediction, targets)
    term = losses.layered_objective(prediction, targets)[name]
    assert count > 0
    assert term.count == count
    assert term.total.item() == pytest.approx(total, rel=1e-5)
    assert losses.mean_of(term).item() == pytest.approx(total / count, rel=1e-5)


def test_there_are_eight_terms_in_three_layers():
    assert len(losses.TERMS) == len(set(losses.TERMS)) == 8
    assert set(losses.LAYERS) == {"parameters", "joints", "structure"}
    assert set(losses.layered_objective(*random_pair())) == set(losses.TERMS)


def test_perfect_prediction_costs_nothing():
    _, targets = random_pair()
    targets["joints_mano"] = targets["joints"].clone()
    prediction = {name: targets[name].clone() for name in RANDOM_SHAPES}
    prediction["joints"] = targets["joints"] - targets["joints"][..., :1, :]
    for name, term in losses.layered_objective(prediction, targets).items():
        assert term.total.item() == pytest.approx(0, abs=1e-4), name
        assert term.count > 0, name


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 1e30])
def test_invalid_entries_may_hold_anything(poison):
    prediction, targets = random_pair()
    expected = losses.layered_objective(prediction, targets)
    poisoned = dict(targets)
    for target, mask in {target: mask for _, target, mask in TERMS.values()}.items():
        valid = targets[mask]
        valid = valid.reshape(*valid.shape, *[1] * (targets[target].ndim - valid.ndim)).expand_as(targets[target])
        if target == "joints":
            known = targets["joint_valid_3d"] | targets["joint_valid_2d"]
            valid = known[..., None].clone().expand(B, H, 21, 3)
            # The wrist is subtracted from every joint, so it is known if another joint is valid.
            valid = valid | (torch.arange(21) == 0)[:, None]
        poisoned[target] = torch.where(valid, targets[target], poison)
    terms = losses.layered_objective(prediction, poisoned)
    for name, term in terms.items():
        torch.testing.assert_close(term.total, expected[name].total, msg=name)
        assert term.count == expected[name].count
    torch.stack([losses.mean_of(term) for term in terms.values()]).sum().backward()
    for name, value in prediction.items():
        assert torch.isfinite(value.grad).all(), name


def test_invalid_wrist_of_nan_poisons_nothing():
    """A hand whose wrist is unknown has no valid 3D joint, and the target's wrist may be anything."""
    prediction, targets = random_pair()
    targets["joint_valid_3d"][1] = False
    targets["joint_valid_2d"][1, :, 0] = False
    targets["joints"][1, :, 0] = float("nan")
    terms = losses.layered_objective(prediction, targets)
    assert all(torch.isfinite(term.total) for term in terms.values())
    torch.stack([term.total for term in terms.values()]).sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in prediction.values())
    assert not prediction["joints_2d"].grad.isnan().any()


@pytest.mark.parametrize("poison", [0.0, float("nan")])
def test_nothing_valid_is_zero_with_a_gradient_of_zero(poison):
    prediction, targets = random_pair(share=0.0)
    targets = {name: value if value.dtype == torch.bool else value + poison for name, value in targets.items()}
    terms = losses.layered_objective(prediction, targets)
    for name, term in terms.items():
        assert term.count == 0, name
        assert losses.mean_of(term) == 0, name
    torch.stack([losses.mean_of(term) for term in terms.values()]).sum().backward()
    for name, value in prediction.items():
        assert value.grad is not None, name
        assert not value.grad.any(), name


def test_invalid_entries_get_no_gradient():
    prediction, targets = random_pair()
    losses.layered_objective(prediction, targets)["joint_2d"].total.backward()
    moved = prediction["joints_2d"].grad.abs().sum(-1) > 0
    assert torch.equal(moved, targets["joint_valid_2d"])


def test_bones_of_no_length_have_a_finite_gradient():
    prediction, targets = random_pair(share=1.0)
    with torch.no_grad():
        prediction["joints"][:, :, 5:9] = prediction["joints"][:, :, 5:6]
    terms = losses.layered_objective(prediction, targets)
    (terms["bone_length"].total + terms["bone_direction"].total).backward()
    assert torch.isfinite(prediction["joints"].grad).all()


def test_structure_terms_do_not_see_where_the_hand_is():
    prediction, targets = random_pair()
    moved = {**prediction, "joints": prediction["joints"] + torch.tensor([0.3, -0.1, 2.0])}
    for name in ("bone_length", "bone_direction"):
        one, other = (losses.layered_objective(p, targets)[name] for p in (prediction, moved))
        torch.testing.assert_close(one.total, other.total, atol=1e-3, rtol=1e-5)


def test_sums_of_two_halves_are_those_of_the_whole():
    """This makes N processes with a batch of B give the loss of one process with N·B."""
    prediction, targets = random_pair()
    halves = [
        losses.layered_objective(
            *({name: value[part] for name, value in fields.items()} for fields in (prediction, targets))
        )
        for part in (slice(0, 1), slice(1, None))
    ]
    for name, whole in losses.layered_objective(prediction, targets).items():
        added = losses.MaskedSum(
            halves[0][name].total + halves[1][name].total, halves[0][name].count + halves[1][name].count
        )
        torch.testing.assert_close(added.total, whole.total, msg=name)
        assert added.count == whole.count
        # The mean of the halves' means is a different number, as the masks have different gaps.
        of_means = (losses.mean_of(halves[0][name]) + losses.mean_of(halves[1][name])) / 2
        assert not math.isclose(of_means.item(), losses.mean_of(whole).item(), rel_tol=1e-4), name


# Gestures.

PARENTS = torch.tensor(class_parents())


def log_probabilities(coarse, fine):
    return {"gesture_embedding": torch.zeros(len(coarse), 1), "coarse_logits": coarse.log(), "fine_logits": fine.log()}


def random_gestures(count=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    coarse, fine = (torch.randn(count, n, generator=rng).requires_grad_() for n in (27, 35))
    return {"gesture_embedding": torch.zeros(count, 1), "coarse_logits": coarse, "fine_logits": fine}


def slow_gesture_terms(prediction, coarse, fine, smoothing):
    terms = {"gesture_coarse": [], "gesture_fine": [], "gesture_hierarchy": []}
    for b in range(len(coarse)):
        p_coarse, p_fine = (
            prediction[f"{level}_logits"][b].detach().double().softmax(-1).numpy() for level in ("coarse", "fine")
        )
        if coarse[b] >= 0:
            terms["gesture_coarse"].append(-np.log(p_coarse[coarse[b]]))
        if fine[b] < 0:
            continue
        wanted = np.full(35, smoothing / 35)
        wanted[fine[b]] += 1 - smoothing
        terms["gesture_fine"].append(-(wanted * np.log(p_fine)).sum())
        summed = np.zeros(27)
        for k, parent in enumerate(PARENTS.tolist()):
            summed[parent] += p_fine[k]
        middle = (p_coarse + summed) / 2
        parts = [(p * np.log(p / middle))[p > 0].sum() for p in (p_coarse, summed)]
        terms["gesture_hierarchy"].append(sum(parts) / 2)
    return terms


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gesture_terms_agree_with_the_slow_loop(smoothing):
    prediction = random_gestures()
    fine = torch.tensor([3, -1, 34, 0, -1])
    coarse = torch.where(fine < 0, -1, PARENTS[fine])
    targets = losses.gesture_targets(coarse, fine)
    terms = losses.gesture_objective(prediction, targets, PARENTS, label_smoothing=smoothing)
    for name, values in slow_gesture_terms(prediction, coarse.tolist(), fine.tolist(), smoothing).items():
        assert terms[name].count == len(values) == 3
        assert terms[name].total.item() == pytest.approx(sum(values), rel=1e-5), name


def test_hierarchy_is_zero_where_the_levels_agree_and_positive_elsewhere():
    rng = torch.Generator().manual_seed(0)
    fine = torch.rand(6, 35, generator=rng).softmax(-1)
    consistent = torch.zeros(6, 27).index_add(1, PARENTS, fine)
    labels = torch.arange(6)
    targets = losses.gesture_targets(PARENTS[labels], labels)
    agreeing = losses.gesture_objective(log_probabilities(consistent, fine), targets, PARENTS)
    assert agreeing["gesture_hierarchy"].total.item() == pytest.approx(0, abs=1e-6)
    other = consistent.roll(1, 0)
    disagreeing = losses.gesture_objective(log_probabilities(other, fine), targets, PARENTS)
    assert disagreeing["gesture_hierarchy"].total > 1e-3


def test_hierarchy_is_at_most_ln_2_and_finite_where_the_levels_contradict_each_other():
    coarse, fine = torch.full((2, 27), -1e4), torch.full((2, 35), -1e4)
    coarse[:, 0], fine[:, 34] = 1e4, 1e4
    assert PARENTS[34] != 0
    prediction = {
        "gesture_embedding": torch.zeros(2, 1),
        "coarse_logits": coarse.requires_grad_(),
        "fine_logits": fine.requires_grad_(),
    }
    labels = torch.tensor([34, 34])
    targets = losses.gesture_targets(PARENTS[labels], labels)
    term = losses.gesture_objective(prediction, targets, PARENTS)["gesture_hierarchy"]
    assert losses.mean_of(term).item() == pytest.approx(math.log(2), rel=1e-4)
    term.total.backward()
    assert torch.isfinite(coarse.grad).all()
    assert torch.isfinite(fine.grad).all()


def test_hierarchy_teaches_both_heads():
    prediction = random_gestures()
    labels = torch.arange(5)
    targets = losses.gesture_targets(PARENTS[labels], labels)
    losses.gesture_objective(prediction, targets, PARENTS)["gesture_hierarchy"].total.backward()
    assert (prediction["coarse_logits"].grad.abs().sum(1) > 0).all()
    assert (prediction["fine_logits"].grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_samples_without_a_label_add_nothing(smoothing):
    prediction = random_gestures()
    none = torch.full((5,), -1)
    targets = losses.gesture_targets(none, none)
    terms = losses.gesture_objective(prediction, targets, PARENTS, label_smoothing=smoothing)
    for name, term in terms.items():
        assert term.count == 0, name
        assert losses.mean_of(term) == 0, name
    torch.stack([losses.mean_of(term) for term in terms.values()]).sum().backward()
    for name in ("coarse_logits", "fine_logits"):
        assert not prediction[name].grad.any(), name


def test_labels_that_count():
    batch = {
        "gesture_coarse": torch.tensor([1, 2, -1, 3]),
        "gesture_fine": torch.tensor([4, 5, -1, 6]),
        "own_label": torch.tensor([-1, 7, 8, -1]),
        "counted": torch.tensor([True, False, True, True]),
    }
    assert losses.counted_labels(batch, "coarse").tolist() == [1, -1, -1, 3]
    assert losses.counted_labels(batch, "fine").tolist() == [4, -1, -1, 6]
    assert losses.counted_labels(batch, "own").tolist() == [-1, -1, 8, -1]
