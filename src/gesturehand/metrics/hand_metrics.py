"""All hand-pose numbers of one evaluation, updated from predictions and targets, each under its protocol's name."""

from typing import Final

from torch import Tensor, nn
from torchmetrics import Metric

from gesturehand.batch import Batch, HandPrediction, Targets
from gesturehand.hand.layer import HandModel
from gesturehand.metrics.functional.alignment import align_global_rotation
from gesturehand.metrics.functional.hand_group import hand_groups
from gesturehand.metrics.mpjpe import MPJPE
from gesturehand.metrics.mpvpe import MPVPE

#: What is reported, and how it is read.
HAND_METRICS: Final = {
    "mpjpe_mm": "MPJPE, root: wrist-relative, against the annotated joints",
    "mpvpe_mm": "MPVPE, root: wrist-relative, against the fit's mesh",
    "pa_mpjpe_mm": "PA-MPJPE, procrustes: after similarity alignment, annotated joints",
    "pa_mpvpe_mm": "PA-MPVPE, procrustes: after similarity alignment, fit's mesh",
    "mpjpe_true_rotation_mm": "MPJPE, root, the predicted global rotation replaced by the fit's",
    "mpjpe_eanet_mm": "MPJPE, eanet: joints of both meshes, middle MCP, scaled",
    "mpvpe_eanet_mm": "MPVPE, eanet: both meshes, middle MCP, scaled",
}


class HandMetrics(nn.Module):
    """The metrics of :data:`HAND_METRICS` together.

    Only what evaluation counts enters: joints valid in the image whose wrist is valid, meshes of hands with a fit,
    samples that are counted. A metric without a single valid entry is NaN. Under ``root`` a joint of single and of
    interacting frames is one joint, as InterNet averages; under ``eanet`` they are two.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metrics = nn.ModuleDict(
            {
                "mpjpe_mm": MPJPE("root", num_groups=2),
                "mpvpe_mm": MPVPE("root"),
                "pa_mpjpe_mm": MPJPE("procrustes"),
                "pa_mpvpe_mm": MPVPE("procrustes"),
                "mpjpe_true_rotation_mm": MPJPE("root", num_groups=2),
                "mpjpe_eanet_mm": MPJPE("eanet"),
                "mpvpe_eanet_mm": MPVPE("eanet"),
            }
        )

    def update(self, prediction: HandPrediction, targets: Targets, batch: Batch, hand_model: HandModel) -> None:
        """Adds a batch.

        Args:
            prediction: Of a network, or of a baseline.
            targets: Of the same batch.
            batch: For the sides and kinds of its hands.
            hand_model: For the joints of posed meshes, as the ``eanet`` protocol takes them.
        """
        joints, true_joints = prediction["joints"], targets["joints"]
        vertices, true_vertices = prediction["vertices"], targets["vertices"]
        valid, fitted = targets["joint_valid_eval"], targets["mano_valid"]
        valid_fitted = valid & fitted[..., None]
        left = ~targets["source_is_right"]
        side, group = left.long(), hand_groups(left, batch["interacting"])
        mesh_joints = hand_model.joints_from_vertices(vertices, batch["is_right"])
        true_mesh_joints = hand_model.joints_from_vertices(true_vertices, batch["is_right"])
        turned = align_global_rotation(
            joints, prediction["rotations"][..., 0, :, :], targets["rotations"][..., 0, :, :]
        )

        meshes = (vertices, true_vertices, mesh_joints, true_mesh_joints, fitted, batch["interacting"])
        for name, arguments in {
            "mpjpe_mm": (joints, true_joints, valid, side),
            "pa_mpjpe_mm": (joints, true_joints, valid, group),
            "mpjpe_true_rotation_mm": (turned, true_joints, valid_fitted, side),
            "mpjpe_eanet_mm": (mesh_joints, true_mesh_joints, valid_fitted, group),
            "mpvpe_mm": meshes,
            "pa_mpvpe_mm": meshes,
            "mpvpe_eanet_mm": meshes,
        }.items():
            self.metrics[name].update(*arguments)  # type: ignore[operator]

    def named(self, prefix: str) -> dict[str, Metric]:
        """The metrics by logged name, for Lightning to reduce and reset."""
        return {f"{prefix}/{name}": metric for name, metric in self.metrics.items()}  # type: ignore[misc]

    def compute(self) -> dict[str, Tensor]:
        """Each metric's value in mm over all processes."""
        return {name: metric.compute() for name, metric in self.metrics.items()}  # type: ignore[operator]
