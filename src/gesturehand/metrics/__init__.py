"""Hand-pose metrics as torchmetrics classes over pure functions; the protocol is part of every number's name."""

from gesturehand.metrics.fscore import FScore
from gesturehand.metrics.joints_2d import Joints2DError
from gesturehand.metrics.mpjpe import MPJPE
from gesturehand.metrics.mpvpe import MPVPE
from gesturehand.metrics.mrrpe import MRRPE
from gesturehand.metrics.pck import PCKAUC, PCKCurve
from gesturehand.metrics.protocol import HAND_GROUPS, PROTOCOLS, Average, Protocol, hand_groups

__all__ = [
    "HAND_GROUPS",
    "MPJPE",
    "MPVPE",
    "MRRPE",
    "PCKAUC",
    "PROTOCOLS",
    "Average",
    "FScore",
    "Joints2DError",
    "PCKCurve",
    "Protocol",
    "hand_groups",
]
