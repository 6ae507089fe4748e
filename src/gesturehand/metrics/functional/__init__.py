"""The metrics as pure functions: tensors in, tensors out; metres in, millimetres out."""

# Old names of modules. Imported later, they would replace the functions below, whose names they share.
import gesturehand.metrics.functional.mpjpe
import gesturehand.metrics.functional.mpvpe  # noqa: F401
from gesturehand.metrics.alignment import align_eanet, align_global_rotation, align_procrustes, align_root
from gesturehand.metrics.fscore import f_scores
from gesturehand.metrics.mpjpe import counted_joints, joint_errors_mm, mpjpe
from gesturehand.metrics.mpvpe import mpvpe, vertex_errors_mm
from gesturehand.metrics.pck import pck_auc, pck_curve, pck_thresholds_mm
from gesturehand.metrics.protocol import HAND_GROUPS, PROTOCOLS, Average, Protocol, hand_groups

__all__ = [
    "HAND_GROUPS",
    "PROTOCOLS",
    "Average",
    "Protocol",
    "align_eanet",
    "align_global_rotation",
    "align_procrustes",
    "align_root",
    "counted_joints",
    "f_scores",
    "hand_groups",
    "joint_errors_mm",
    "mpjpe",
    "mpvpe",
    "pck_auc",
    "pck_curve",
    "pck_thresholds_mm",
    "vertex_errors_mm",
]
