"""Hand-pose metrics as torchmetrics classes over pure functions; the protocol is part of every number's name."""

from gesturehand.metrics.fscore import FScore
from gesturehand.metrics.functional.hand_group import HAND_GROUPS, hand_groups
from gesturehand.metrics.functional.protocol import PROTOCOLS, Average, Protocol
from gesturehand.metrics.mpjpe import MPJPE
from gesturehand.metrics.mpvpe import MPVPE
from gesturehand.metrics.mrrpe import MRRPE
from gesturehand.metrics.pck import PCKAUC, PCKCurve

__all__ = [
    "HAND_GROUPS",
    "MPJPE",
    "MPVPE",
    "MRRPE",
    "PCKAUC",
    "PROTOCOLS",
    "Average",
    "FScore",
    "PCKCurve",
    "Protocol",
    "hand_groups",
]
