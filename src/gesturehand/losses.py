"""The layered objective: eight terms over parameters, joints and structure, and the gesture losses.

Every term is a :class:`MaskedSum`: the sum over its valid entries and their number. Dividing is left to
:func:`mean_of`, after the numbers have been added up over all processes, so that N processes with a batch of B give the
gradient of one process with N·B, whichever entries are valid. (EANet divides by *all* entries, including invalid ones;
dividing by the valid ones keeps a term's weight independent of how much of the data is annotated.)

All terms are L1, as in EANet. The list of terms is this library's design; the paper says eight losses over parameters,
joints and structural constraints without listing them.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from gesturehand.batch import (
    Batch,
    GesturePrediction,
    GestureTargets,
    HandPrediction,
    ObjectiveTargets,
    Targets,
    TrainingTargets,
)
from gesturehand.fewer_operations import constant, units_and_lengths
from gesturehand.gestures import NO_GESTURE, Level
from gesturehand.precision import full_precision
from gesturehand.skeleton import BONES, NUM_JOINTS

#: The layers of the objective and their terms.
LAYERS: Final = {
    "parameters": ("pose", "shape"),
    "joints": ("joint_25d", "joint_3d", "joint_mano", "joint_2d"),
    "structure": ("bone_length", "bone_direction"),
}
TERMS: Final = tuple(term for terms in LAYERS.values() for term in terms)
#: (20 · 21), a row for each bone: its child minus its parent.
_BONE_VECTORS: Final = tuple(
    float(joint == child) - float(joint == parent) for parent, child in BONES for joint in range(NUM_JOINTS)
)
#: Below this, 0.01 mm and far less than any real bone, a bone's direction would have too steep a gradient.
_SHORTEST_BONE_M: Final = 1e-5


class MaskedSum(NamedTuple):
    """A loss before its division.

    Attributes:
        total: () sum over the valid entries; differentiable even if there are none.
        count: () float32 number of valid entries.
    """

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # hides tuple.count, which nobody calls on a loss


def masked_l1(prediction: Tensor, target: Tensor, valid: Tensor) -> MaskedSum:
    """Sum of absolute differences over valid entries.

    Args:
        prediction: (…, event), finite.
        target: Same shape; invalid entries may hold anything, even NaN.
        valid: (...) bool; one flag for all entries of an event.

    Example:
        >>> masked_l1(torch.tensor([[1.0, 2.0], [5.0, 5.0]]), torch.zeros(2, 2), torch.tensor([True, False]))
        MaskedSum(total=tensor(3.), count=tensor(2.))
    """
    valid = _for_every_entry(valid, prediction)
    return MaskedSum(_differences(prediction, target, valid).sum(), valid.sum(dtype=torch.float32))


def _for_every_entry(valid: Tensor, event: Tensor) -> Tensor:
    """A flag for each event as a flag for each of its entries."""
    return valid.reshape(valid.shape + (1,) * (event.ndim - valid.ndim)).expand_as(event)


def _differences(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Absolute differences; an invalid entry differs from itself: by zero, with a gradient of zero."""
    return (prediction - torch.where(valid, target, prediction.detach())).abs()


def mean_of(sums: MaskedSum) -> Tensor:
    """The mean over valid entries; zero, with a gradient of zero, if there are none."""
    return sums.total / torch.where(sums.count > 0, sums.count, 1.0)


def layered_objective(prediction: HandPrediction, targets: Targets | TrainingTargets) -> dict[str, MaskedSum]:
    """The eight terms, by name.

    - ``pose``: 16 rotation matrices against the MANO fit's.
    - ``shape``: β against the fit's, if that is credible.
    - ``joint_25d``: the volume's joints against the annotated ones, normalised 2.5D coordinates.
    - ``joint_3d``: the mesh's joints against the annotated ones, wrist-relative, m.
    - ``joint_mano``: the same against the fit's joints.
    - ``joint_2d``: the weak-perspective projection against the annotated joints, normalised crop coordinates.
    - ``bone_length``: 20 lengths against the annotated ones, m.
    - ``bone_direction``: 20 unit vectors against the annotated ones.

    If a sample's depth is unknown, only ``joint_2d`` and the image-plane part of ``joint_25d`` count.

    Normalised coordinates make the 2D terms' weights independent of image and map sizes.

    All terms are compared at once, as one row of entries per hand, because on a GPU launching the comparison of one
    term takes as long as comparing all of them.
    """
    wanted: ObjectiveTargets = targets["objective"] if "objective" in targets else objective_targets(targets)  # type: ignore[typeddict-item]
    joints = prediction["joints"]
    lengths, directions = _bones(joints)
    predicted = {
        "pose": prediction["rotations"],
        "shape": prediction["betas"],
        "joint_25d": prediction["joints_25d"],
        "joint_3d": joints,
        "joint_mano": joints,
        "joint_2d": prediction["joints_2d"],
        "bone_length": lengths,
        "bone_direction": directions,
    }
    differences = _differences(_row(predicted), wanted.values, wanted.valid)
    totals = _sum_of_each_term(differences, predicted)
    return {
        term: MaskedSum(total, count)
        for term, total, count in zip(TERMS, totals.unbind(), wanted.counts.unbind(), strict=True)
    }


def objective_targets(targets: Targets) -> ObjectiveTargets:
    """The targets of the eight terms of :func:`layered_objective`, and the validity of their entries."""
    annotated = targets["joints"] - targets["joints"][..., :1, :]
    fitted = targets["joints_mano"] - targets["joints_mano"][..., :1, :]
    # A bone needs its two ends and their depth, not the wrist.
    known = targets["joint_valid_2d"] & targets["depth_known"][:, None, None]
    lengths, directions = _bones(torch.where(known[..., None], targets["joints"], 0.0))
    wanted = {
        "pose": targets["rotations"],
        "shape": targets["betas"],
        "joint_25d": targets["joints_25d"],
        "joint_3d": annotated,
        "joint_mano": fitted,
        "joint_2d": targets["joints_2d"],
        "bone_length": lengths,
        "bone_direction": directions,
    }
    parents, children = (constant(ends, known.device) for ends in zip(*BONES, strict=True))
    bone_valid = known.index_select(-1, parents) & known.index_select(-1, children)
    valid = {
        "pose": targets["mano_valid"],
        "shape": targets["betas_valid"],
        "joint_25d": targets["joint_valid_25d"],
        "joint_3d": targets["joint_valid_3d"],
        "joint_mano": targets["mano_valid"],
        "joint_2d": targets["joint_valid_2d"],
        "bone_length": bone_valid,
        "bone_direction": bone_valid,
    }
    row = _row({term: _for_every_entry(valid[term], wanted[term]) for term in TERMS})
    return ObjectiveTargets(_row(wanted), row, _sum_of_each_term(row, wanted))


def _row(terms: Mapping[str, Tensor]) -> Tensor:
    """Tensors (B, H, …) → (B, H, E), in the terms' order."""
    return torch.cat([terms[term].flatten(2) for term in TERMS], -1)


def _sum_of_each_term(row: Tensor, terms: Mapping[str, Tensor]) -> Tensor:
    """(B, H, E) → (8,) float, the sum over all hands and a term's entries, whose number is that of ``terms``."""
    sizes = [terms[term].shape[2:].numel() for term in TERMS]
    term_of_entry = constant(tuple(term for term, size in enumerate(sizes) for _ in range(size)), row.device)
    summed = row.sum((0, 1), dtype=row.dtype if row.is_floating_point() else torch.float32)
    zeros = constant((0.0,) * len(TERMS), row.device).to(summed)
    return zeros.index_add(0, term_of_entry, summed)


def relative_translation_loss(prediction: HandPrediction, targets: Targets | TrainingTargets) -> MaskedSum:
    """The left wrist relative to the right one against the annotated one, m; only frames with both wrists valid.

    EANet's term in addition to the layered objective, which concerns single hands.
    """
    valid = targets["relative_translation_valid"]
    return masked_l1(prediction["relative_translation"], targets["relative_translation"], valid)


def _bones(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths (..., 20, 1) and unit vectors (..., 20, 3) of the bones."""
    with full_precision(joints.device):
        vectors = constant(_BONE_VECTORS, joints.device).view(-1, NUM_JOINTS) @ joints
    directions, lengths = units_and_lengths(vectors, _SHORTEST_BONE_M)
    return lengths, directions


def counted_labels(batch: Batch, level: Level | Literal["own"]) -> Tensor:
    """A batch's labels (B,) int64 for one level, or the sets' own labels; samples that do not count get -1."""
    labels = {"coarse": batch["gesture_coarse"], "fine": batch["gesture_fine"], "own": batch["own_label"]}[level]
    return torch.where(batch["counted"], labels, NO_GESTURE)


def gesture_targets(coarse: Tensor, fine: Tensor) -> GestureTargets:
    """The targets of the gesture losses.

    Args:
        coarse: (B,) int64 labels; -1 for none, which contributes nothing.
        fine: (B,) int64 labels; -1 for none.
    """
    labelled_fine = fine != NO_GESTURE
    return GestureTargets(
        coarse=coarse,
        fine=fine,
        coarse_count=(coarse != NO_GESTURE).sum(dtype=torch.float32),
        fine_count=labelled_fine.sum(dtype=torch.float32),
        hierarchy=labelled_fine[:, None] / 2,
    )


def gesture_objective(
    prediction: GesturePrediction,
    targets: GestureTargets,
    parents: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> dict[str, MaskedSum]:
    """Cross-entropy on both levels, and the agreement between them along the hierarchy.

    Args:
        prediction: Prediction of the gesture head.
        targets: The result of :func:`gesture_targets`.
        parents: (fine classes,) int64, each fine class's coarse one.
        label_smoothing: Label smoothing of the fine cross-entropy.

    Returns:
        ``gesture_coarse``, ``gesture_fine`` and ``gesture_hierarchy``.
    """
    coarse = _cross_entropy(prediction["coarse_logits"], targets.coarse)
    fine = _cross_entropy(prediction["fine_logits"], targets.fine, label_smoothing)
    return {
        "gesture_coarse": MaskedSum(coarse, targets.coarse_count),
        "gesture_fine": MaskedSum(fine, targets.fine_count),
        "gesture_hierarchy": MaskedSum(_hierarchy(prediction, parents, targets.hierarchy), targets.fine_count),
    }


def label_cross_entropy(logits: Tensor, labels: Tensor) -> MaskedSum:
    """Cross-entropy over the labelled samples.

    Args:
        logits: (B, classes).
        labels: (B,) int64; -1 for none, which contributes nothing.
    """
    return MaskedSum(_cross_entropy(logits, labels), (labels != NO_GESTURE).sum(dtype=torch.float32))


def _cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    return F.cross_entropy(logits, labels, ignore_index=NO_GESTURE, reduction="sum", label_smoothing=label_smoothing)


def _hierarchy(prediction: GesturePrediction, parents: Tensor, weight: Tensor) -> Tensor:
    """Jensen–Shannon divergence between the coarse head and the fine head summed over each parent's children.

    Symmetric, so that each head learns from the other, and at most ln 2, so that it never outweighs the labels.
    """
    coarse = prediction["coarse_logits"].softmax(-1)
    fine = prediction["fine_logits"].softmax(-1)
    summed = torch.zeros_like(coarse).index_add(-1, parents, fine)
    heads = torch.stack([coarse, summed])
    # The derivatives of the logarithms sum to zero, because probabilities sum to one: they are constants here.
    with torch.no_grad():
        likely = heads.clamp_min(1e-12)
        surprise = (likely / likely.mean(0)).log() * weight
    return torch.dot(heads.flatten(), surprise.flatten())
