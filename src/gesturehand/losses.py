"""The layered objective: eight terms over parameters, joints and structure, and the gesture losses.

Every term is a :class:`MaskedSum`: the sum over its valid entries and their number. Dividing is left to
:func:`mean_of`, after the numbers have been added up over all processes, so that N processes with a batch of B give the
gradient of one process with N·B, whatever is valid where. (EANet divides by *all* entries, invalid ones included;
dividing by the valid ones keeps a term's weight independent of how much of the data is annotated.)

All terms are L1, as in EANet. The list of terms is this library's design; the paper says eight losses over parameters,
joints and structural constraints without listing them.
"""

from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from gesturehand.batch import Batch, GesturePrediction, HandPrediction, Targets
from gesturehand.gestures import NO_GESTURE, Level
from gesturehand.skeleton import BONES

#: The layers of the objective and their terms.
LAYERS: Final = {
    "parameters": ("pose", "shape"),
    "joints": ("joint_25d", "joint_3d", "joint_mano", "joint_2d"),
    "structure": ("bone_length", "bone_direction"),
}
TERMS: Final = tuple(term for terms in LAYERS.values() for term in terms)


class MaskedSum(NamedTuple):
    """A loss before its division.

    Attributes:
        total: () sum over the valid entries; differentiable also where there is none.
        count: () float32 number of valid entries.
    """

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # hides tuple.count, which nobody calls on a loss


def masked_l1(prediction: Tensor, target: Tensor, valid: Tensor) -> MaskedSum:
    """Sum of absolute differences over valid entries.

    Args:
        prediction: (…, event).
        target: Same shape; invalid entries may hold anything, even NaN.
        valid: (...) bool; one flag for all entries of an event.

    Example:
        >>> masked_l1(torch.tensor([[1.0, 2.0], [5.0, 5.0]]), torch.zeros(2, 2), torch.tensor([True, False]))
        MaskedSum(total=tensor(3.), count=tensor(2.))
    """
    valid = valid.reshape(valid.shape + (1,) * (prediction.ndim - valid.ndim)).expand_as(prediction)
    difference = (prediction - torch.where(valid, target, prediction.detach())).abs()
    return MaskedSum(torch.where(valid, difference, 0.0).sum(), valid.sum().float())


def mean_of(sums: MaskedSum) -> Tensor:
    """The mean over valid entries; zero, with a gradient of zero, where there is none."""
    return sums.total / torch.where(sums.count > 0, sums.count, 1.0)


def layered_objective(prediction: HandPrediction, targets: Targets) -> dict[str, MaskedSum]:
    """The eight terms, by name.

    - ``pose``: 16 rotation matrices against the MANO fit's.
    - ``shape``: β against the fit's, where it is credible.
    - ``joint_25d``: the volume's joints against the annotated ones, normalised 2.5D coordinates.
    - ``joint_3d``: the mesh's joints against the annotated ones, wrist-relative, m.
    - ``joint_mano``: the same against the fit's joints.
    - ``joint_2d``: the weak-perspective projection against the annotated joints, normalised crop coordinates.
    - ``bone_length``: 20 lengths against the annotated ones, m.
    - ``bone_direction``: 20 unit vectors against the annotated ones.

    If a sample's depth is unknown, only ``joint_2d`` and the image-plane part of ``joint_25d`` count.

    Normalised coordinates make the 2D terms' weights independent of image and map sizes.
    """
    joints = prediction["joints"]
    annotated = targets["joints"] - targets["joints"][..., :1, :]
    fitted = targets["joints_mano"] - targets["joints_mano"][..., :1, :]
    lengths, directions = _bones(joints)
    true_lengths, true_directions = _bones(targets["joints"])
    parents, children = (list(ends) for ends in zip(*BONES, strict=True))
    # A bone needs its two ends and their depth, not the wrist.
    valid = targets["joint_valid_2d"] & targets["depth_known"][:, None, None]
    bone_valid = valid[..., parents] & valid[..., children]
    return {
        "pose": masked_l1(prediction["rotations"], targets["rotations"], targets["mano_valid"]),
        "shape": masked_l1(prediction["betas"], targets["betas"], targets["betas_valid"]),
        "joint_25d": masked_l1(prediction["joints_25d"], targets["joints_25d"], targets["joint_valid_25d"]),
        "joint_3d": masked_l1(joints, annotated, targets["joint_valid_3d"]),
        "joint_mano": masked_l1(joints, fitted, targets["mano_valid"]),
        "joint_2d": masked_l1(prediction["joints_2d"], targets["joints_2d"], targets["joint_valid_2d"]),
        "bone_length": masked_l1(lengths, true_lengths, bone_valid),
        "bone_direction": masked_l1(directions, true_directions, bone_valid),
    }


def relative_translation_loss(prediction: HandPrediction, targets: Targets) -> MaskedSum:
    """The left wrist relative to the right one against the annotated one, m; only frames with both wrists valid.

    EANet's term in addition to the layered objective, which concerns single hands.
    """
    valid = targets["relative_translation_valid"]
    return masked_l1(prediction["relative_translation"], targets["relative_translation"], valid)


def _bones(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths (..., 20) and unit vectors (..., 20, 3) of the bones."""
    parents, children = (list(ends) for ends in zip(*BONES, strict=True))
    vectors = joints[..., children, :] - joints[..., parents, :]
    # A bone of length zero would have an infinite gradient; 0.01 mm is far below any real one.
    lengths = vectors.square().sum(-1).clamp_min(1e-10).sqrt()
    return lengths, vectors / lengths[..., None]


def counted_labels(batch: Batch, level: Level | Literal["own"]) -> Tensor:
    """A batch's labels (B,) int64 of one level, or of its sets' own; -1 also for samples that are not counted."""
    labels = {"coarse": batch["gesture_coarse"], "fine": batch["gesture_fine"], "own": batch["own_label"]}[level]
    return torch.where(batch["counted"], labels, NO_GESTURE)


def gesture_objective(
    prediction: GesturePrediction,
    coarse: Tensor,
    fine: Tensor,
    parents: Tensor,
    *,
    label_smoothing: float = 0.0,
) -> dict[str, MaskedSum]:
    """Cross-entropy on both levels, and the agreement of the two along the hierarchy.

    Args:
        prediction: Prediction of the gesture head.
        coarse: (B,) int64 labels; -1 for none, which adds nothing.
        fine: (B,) int64 labels; -1 for none.
        parents: (fine classes,) int64, each fine class's coarse one.
        label_smoothing: Label smoothing of the fine cross-entropy.

    Returns:
        ``gesture_coarse``, ``gesture_fine`` and ``gesture_hierarchy``.
    """
    labelled = fine != NO_GESTURE
    return {
        "gesture_coarse": label_cross_entropy(prediction["coarse_logits"], coarse),
        "gesture_fine": label_cross_entropy(prediction["fine_logits"], fine, label_smoothing),
        "gesture_hierarchy": _hierarchy(prediction, parents, labelled),
    }


def label_cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> MaskedSum:
    """Cross-entropy over the labelled samples.

    Args:
        logits: (B, classes).
        labels: (B,) int64, -1 for none: adds nothing.
        label_smoothing: Label smoothing.
    """
    total = F.cross_entropy(logits, labels, ignore_index=NO_GESTURE, reduction="sum", label_smoothing=label_smoothing)
    return MaskedSum(total, (labels != NO_GESTURE).sum().float())


def _hierarchy(prediction: GesturePrediction, parents: Tensor, labelled: Tensor) -> MaskedSum:
    """Jensen–Shannon divergence between the coarse head and the fine head summed over each parent's children.

    Symmetric, so that each head learns from the other, and at most ln 2, so that it never outweighs the labels.
    """
    coarse = prediction["coarse_logits"].softmax(-1)
    fine = prediction["fine_logits"].softmax(-1)
    summed = torch.zeros_like(coarse).index_add(-1, parents, fine)
    middle = ((coarse + summed) / 2).clamp_min(1e-12).log()
    divergence = sum(F.kl_div(middle, p.clamp_min(1e-12), reduction="none").sum(-1) / 2 for p in (coarse, summed))
    return MaskedSum(torch.where(labelled, divergence, 0.0).sum(), labelled.sum().float())
