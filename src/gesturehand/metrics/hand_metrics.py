"""All hand-pose numbers of one evaluation, updated from predictions and targets, each under its protocol's name."""

from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gesturehand.batch import Batch, HandPrediction, Targets
from gesturehand.hand.layer import HandModel
from gesturehand.metrics.alignment import align_global_rotation
from gesturehand.metrics.fscore import FScore
from gesturehand.metrics.mpjpe import MPJPE
from gesturehand.metrics.mpvpe import MPVPE
from gesturehand.metrics.mrrpe import MRRPE
from gesturehand.metrics.pck import PCKAUC
from gesturehand.metrics.protocol import HAND_GROUPS, hand_groups
from gesturehand.metrics.sum_metric import MetricDict
from gesturehand.skeleton import JOINT_NAMES, SIDES

M = TypeVar("M", bound=Metric)

#: The reported metrics and their definitions.
HAND_METRICS: Final = {
    "mpjpe_mm": "MPJPE, root: wrist-relative, against the annotated joints",
    "mpvpe_mm": "MPVPE, root: wrist-relative, against the fit's mesh",
    "pa_mpjpe_mm": "PA-MPJPE, procrustes: after similarity alignment, annotated joints",
    "pa_mpvpe_mm": "PA-MPVPE, procrustes: after similarity alignment, fit's mesh",
    "mpjpe_true_rotation_mm": "MPJPE, root, the predicted global rotation replaced by the fit's",
    "mpjpe_eanet_mm": "MPJPE, eanet: joints of both meshes, middle MCP, scaled",
    "mpvpe_eanet_mm": "MPVPE, eanet: both meshes, middle MCP, scaled",
}

#: Further metrics of a full evaluation.
DETAILED_METRICS: Final = {
    "auc_root": "AUC of PCK 0-50 mm, root: wrist-relative, annotated joints",
    "auc_procrustes": "AUC of PCK 0-50 mm, procrustes: after similarity alignment, annotated joints",
    "f_score_5": "F-score at 5 mm, procrustes: vertices after similarity alignment, fit's mesh",
    "f_score_15": "F-score at 15 mm, procrustes: vertices after similarity alignment, fit's mesh",
    "mpjpe_eanet_single_mm": "MPJPE, eanet, of single-hand frames",
    "mpjpe_eanet_interacting_mm": "MPJPE, eanet, of two-hand frames",
    "mpvpe_eanet_single_mm": "MPVPE, eanet, of single-hand frames",
    "mpvpe_eanet_interacting_mm": "MPVPE, eanet, of two-hand frames",
    "mpjpe_eanet_published_mm": "MPJPE, eanet_published: eanet with the slips of the published code, to compare only",
}
#: Further metrics for networks that see both hands.
TWO_HAND_METRICS: Final = {
    "mrrpe_mm": "MRRPE: left wrist relative to the right one, annotated joints, two-hand frames",
}
_PER_JOINT: Final = "per joint over samples, then over joints"
_PER_HAND: Final = "per hand over its joints, then over hands"
_PER_SAMPLE: Final = "per sample over its vertices, then over samples"


def in_one_frame(prediction: HandPrediction) -> Tensor:
    """(B, 2, 21, 3) m, both hands' joints relative to the right wrist."""
    right, left = prediction["joints"].unbind(1)
    return torch.stack([right, left + prediction["relative_translation"][:, None]], 1)


class HandMetrics(nn.Module):
    """The metrics of :data:`HAND_METRICS` together, and those of :data:`DETAILED_METRICS` on request.

    They include only what evaluation counts: joints that are valid in the image and whose wrist is valid, meshes of
    hands with a fit, samples that are counted. A metric without a single valid entry is NaN. Under ``root``, a joint is
    the same joint in single and in interacting frames, as in InterNet's average; under ``eanet`` it counts as two.

    Args:
        detailed: Also measure the metrics of a full evaluation; the F-score takes milliseconds per hand.
        two_hands: Also measure :data:`TWO_HAND_METRICS`, for predictions with ``relative_translation``.
    """

    def __init__(self, detailed: bool = False, two_hands: bool = False) -> None:
        super().__init__()
        self.metrics: MetricDict[Metric] = MetricDict(
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
        self.f_score = FScore((5.0, 15.0)) if detailed else None
        if detailed:
            self.metrics["auc_root"] = PCKAUC("root", num_groups=2)
            self.metrics["auc_procrustes"] = PCKAUC("procrustes")
            self.metrics["mpjpe_eanet_published_mm"] = MPJPE("eanet_published")
        if two_hands:
            self.metrics["mrrpe_mm"] = MRRPE()

    def update(self, prediction: HandPrediction, targets: Targets, batch: Batch, hand_model: HandModel) -> None:
        """Add a batch.

        Args:
            prediction: Prediction of a network, or of a baseline.
            targets: Targets of the same batch.
            batch: The batch, for the sides and kinds of its hands.
            hand_model: The hand model, for the joints of posed meshes under the ``eanet`` protocol.
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
        updates: dict[str, tuple[Tensor, ...]] = {
            "mpjpe_mm": (joints, true_joints, valid, side),
            "pa_mpjpe_mm": (joints, true_joints, valid, group),
            "mpjpe_true_rotation_mm": (turned, true_joints, valid_fitted, side),
            "mpjpe_eanet_mm": (mesh_joints, true_mesh_joints, valid_fitted, group),
            "mpvpe_mm": meshes,
            "pa_mpvpe_mm": meshes,
            "mpvpe_eanet_mm": (*meshes, batch["pair_fitted"]),
        }
        if self.f_score is not None:
            # The published code uses a mesh of zeros as the truth of a hand without a fit.
            published = torch.where(fitted[..., None, None], true_mesh_joints, 0.0)
            updates["mpjpe_eanet_published_mm"] = (mesh_joints, published, valid, group)
            updates["auc_root"], updates["auc_procrustes"] = updates["mpjpe_mm"], updates["pa_mpjpe_mm"]
            self.f_score.update(vertices, true_vertices, fitted)
        if "mrrpe_mm" in self.metrics:
            updates["mrrpe_mm"] = (in_one_frame(prediction), true_joints, valid, batch["interacting"])
        for name, arguments in updates.items():
            self.metrics[name].update(*arguments)

    def named(self, prefix: str) -> dict[str, Metric]:
        """The metrics by logged name, for Lightning to reduce and reset."""
        return {f"{prefix}/{name}": metric for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Forget everything seen so far."""
        for metric in (*self.metrics.values(), *([] if self.f_score is None else [self.f_score])):
            metric.reset()

    def compute(self) -> dict[str, Tensor]:
        """Each metric's value over all processes, scalar: errors in mm, AUC and F-score between 0 and 1.

        Every process must call it.
        """
        values: dict[str, Tensor] = {name: metric.compute() for name, metric in self.metrics.items()}
        if self.f_score is None:
            return values
        values["f_score_5"], values["f_score_15"] = self.f_score.compute()
        kinds = self._metric("mpjpe_eanet_mm", MPJPE).per_joint().reshape(2, -1)
        values["mpjpe_eanet_single_mm"], values["mpjpe_eanet_interacting_mm"] = kinds.nanmean(-1)
        single, interacting = self._metric("mpvpe_eanet_mm", MPVPE).by_kind()
        values["mpvpe_eanet_single_mm"], values["mpvpe_eanet_interacting_mm"] = single, interacting
        # Without any fit the published slip would report a perfect 0.
        published, known = values["mpjpe_eanet_published_mm"], ~values["mpjpe_eanet_mm"].isnan()
        values["mpjpe_eanet_published_mm"] = torch.where(known, published, torch.nan)
        return values

    def averages(self) -> dict[str, str]:
        """A description in words of how each number is averaged."""
        words = {"per_joint": _PER_JOINT, "per_sample": _PER_HAND, "all": "over all valid joints at once"}
        joint = {n: words[m.average] for n, m in self.metrics.items() if isinstance(m, MPJPE | PCKAUC)}
        result = joint | {n: _PER_SAMPLE for n, m in self.metrics.items() if isinstance(m, MPVPE)}
        result |= dict.fromkeys(self.metrics.keys() & TWO_HAND_METRICS, "over frames")
        if self.f_score is not None:
            result |= dict.fromkeys(("f_score_5", "f_score_15"), "per hand, then over hands")
            for kind in ("single", "interacting"):
                result[f"mpjpe_eanet_{kind}_mm"] = result["mpjpe_eanet_mm"]
                result[f"mpvpe_eanet_{kind}_mm"] = result["mpvpe_eanet_mm"]
        return result

    def per_joint(self) -> dict[str, Any]:
        """Mean error of every joint in mm, by protocol and group of hands; NaN where nothing was counted.

        Every process must call it.
        """
        groups = {"mpjpe_mm": SIDES, "mpjpe_eanet_mm": HAND_GROUPS}
        result: dict[str, Any] = {"joints": list(JOINT_NAMES)}
        for name, names in groups.items():
            metric = self._metric(name, MPJPE)
            rows = metric.per_joint().tolist()
            result[metric.protocol] = dict(zip(names, rows, strict=True))
        return result

    def pck(self) -> dict[str, list[float]]:
        """The PCK curves by protocol at ``thresholds_mm``; NaN if nothing was counted. Only if ``detailed``.

        Every process must call it.
        """
        curves = {protocol: self._metric(f"auc_{protocol}", PCKAUC) for protocol in ("root", "procrustes")}
        thresholds = curves["root"].thresholds_mm
        return {"thresholds_mm": thresholds.tolist()} | {n: m.curve().tolist() for n, m in curves.items()}

    def _metric(self, name: str, kind: type[M]) -> M:
        """The metric of this name, typed as the class that it is known to have."""
        metric = self.metrics[name]
        assert isinstance(metric, kind)
        return metric
