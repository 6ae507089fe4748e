"""The metrics as pure functions: tensors in, tensors out; metres in, millimetres out."""

from gesturehand.metrics.functional.alignment import align_eanet, align_global_rotation, align_procrustes, align_root
from gesturehand.metrics.functional.fscore import f_scores
from gesturehand.metrics.functional.hand_group import HAND_GROUPS, hand_groups
from gesturehand.metrics.functional.joint_error import counted_joints, joint_errors_mm
from gesturehand.metrics.functional.mpjpe import mpjpe
from gesturehand.metrics.functional.mpvpe import mpvpe
from gesturehand.metrics.functional.pck import pck_auc, pck_curve, pck_thresholds_mm
from gesturehand.metrics.functional.protocol import PROTOCOLS, Average, Protocol
from gesturehand.metrics.functional.vertex_error import vertex_errors_mm

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
