"""What one gets without looking at the image: the training set's mean joints and mean MANO pose."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import roma
import torch
from torch import Tensor

from gesturehand.batch import Batch, HandPrediction
from gesturehand.hand.layer import HandModel
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.skeleton import WRIST
from gesturehand.targets import build_targets

#: Which numbers of :data:`~gesturehand.metrics.hand_metrics.HAND_METRICS` mean something for bare joints.
JOINT_METRICS: Final = ("mpjpe_mm", "pa_mpjpe_mm")


@dataclass(frozen=True)
class MeanHand:
    """Means over a training set, in the crop's frame, canonical right hand.

    Attributes:
        joints: (21, 3) m, mean wrist-relative joints.
        rotations: (16, 3, 3), the rotations nearest to the mean matrices, global rotation included.
        betas: (10,).
    """

    joints: Tensor
    rotations: Tensor
    betas: Tensor


def mean_hand(batches: Iterable[Batch], hand_model: HandModel) -> MeanHand:
    """Means over all valid hands of some batches; left hands count mirrored.

    The two means differ wildly: averaging joints over all views shrinks the hand, averaging rotations does not.

    Args:
        batches: Of a training set.
        hand_model: For the targets.
    """
    joints = torch.zeros(21, 3, dtype=torch.float64)
    rotations = torch.zeros(16, 3, 3, dtype=torch.float64)
    betas = torch.zeros(10, dtype=torch.float64)
    joint_count, hand_count = torch.zeros(21, 1, dtype=torch.float64), 0
    for batch in batches:
        targets = build_targets(batch, hand_model)
        valid = targets["joint_valid_3d"][..., None].double()
        relative = (targets["joints"] - targets["joints"][..., WRIST : WRIST + 1, :]).double()
        joints += (relative * valid).sum((0, 1))
        joint_count += valid.sum((0, 1))
        fitted = targets["mano_valid"]
        rotations += targets["rotations"][fitted].double().sum(0)
        betas += targets["betas"][fitted].double().sum(0)
        hand_count += int(fitted.sum())
    return MeanHand(
        joints=(joints / joint_count.clamp_min(1)).float(),
        rotations=roma.special_procrustes(rotations / max(hand_count, 1)).float(),
        betas=(betas / max(hand_count, 1)).float(),
    )


def baseline_metrics(
    mean: MeanHand, batches: Iterable[Batch], hand_model: HandModel
) -> dict[str, dict[str, float | None]]:
    """The metrics of both baselines on some batches.

    Args:
        mean: Of the training set.
        batches: Of the test set.
        hand_model: MANO's layer.

    Returns:
        ``mean_joints`` and ``mean_pose``, each with every metric's value in mm; None where a baseline has no mesh or
        no global rotation.
    """
    metrics = {"mean_joints": HandMetrics(), "mean_pose": HandMetrics()}
    for batch in batches:
        targets = build_targets(batch, hand_model)
        count = len(batch["image"])
        pose = _prediction(mean, count, batch["is_right"], hand_model)
        metrics["mean_pose"].update(pose, targets, batch, hand_model)
        bare = HandPrediction(**{**pose, "joints": mean.joints.expand(count, 1, 21, 3)})
        metrics["mean_joints"].update(bare, targets, batch, hand_model)
    values = {row: {name: float(value) for name, value in m.compute().items()} for row, m in metrics.items()}
    bare_values = {name: value if name in JOINT_METRICS else None for name, value in values["mean_joints"].items()}
    return {"mean_joints": bare_values, "mean_pose": dict(values["mean_pose"])}


def _prediction(mean: MeanHand, count: int, is_right: Tensor, hand_model: HandModel) -> HandPrediction:
    rotations = mean.rotations.expand(count, 1, 16, 3, 3)
    betas = mean.betas.expand(count, 1, 10)
    vertices, joints = hand_model(rotations, betas, None, is_right)
    wrist = joints[..., WRIST : WRIST + 1, :]
    flat = torch.zeros(count, 1, 21, 3)
    camera = torch.ones(count, 1, 3)
    return HandPrediction(
        joints_25d=flat,
        rotations=rotations,
        betas=betas,
        camera=camera,
        vertices=vertices - wrist,
        joints=joints - wrist,
        joints_2d=flat[..., :2],
    )
