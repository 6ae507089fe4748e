"""The named evaluation protocols, the ways to average, and the joints a protocol aligns on.

A number is comparable within one protocol only, so every metric carries its protocol's name.
"""

from typing import Final, Literal, get_args

from gesturehand.skeleton import WRIST

#: ``root``: InterNet's, wrist subtracted. ``eanet``: IntagHand's alignment as EANet evaluates, middle-finger MCP
#: subtracted and scaled by MCP–wrist. ``procrustes``: similarity without reflection. ``eanet_published``: ``eanet``
#: with the two slips of EANet's published code, for comparison with numbers that were computed with it.
Protocol = Literal["root", "eanet", "procrustes", "eanet_published"]
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)

#: ``per_joint``: mean over samples for each joint, then over the joints that occurred (InterNet, EANet). ``all``: mean
#: over all valid joints at once (IntagHand, mmpose). ``per_sample``: mean over each hand's valid joints, then over
#: hands.
Average = Literal["per_joint", "all", "per_sample"]
AVERAGES: Final[tuple[Average, ...]] = get_args(Average)

#: How the papers that use a protocol average.
DEFAULT_AVERAGE: Final[dict[Protocol, Average]] = {
    "root": "per_joint",
    "eanet": "per_joint",
    "procrustes": "per_sample",
    "eanet_published": "per_joint",
}

#: A hand counts only if these joints are valid. Under ``eanet`` the wrist alone, as published: the middle MCP that it
#: aligns on comes from the fit's mesh, which does not depend on the annotation.
REQUIRED_JOINTS: Final[dict[Protocol, tuple[int, ...]]] = {
    "root": (WRIST,),
    "eanet": (WRIST,),
    "procrustes": (),
    "eanet_published": (WRIST,),
}

#: A similarity in space is not determined by fewer points.
MIN_PROCRUSTES_JOINTS: Final = 3

MM_PER_M: Final = 1000.0
