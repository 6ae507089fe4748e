"""Chooses the hand model: the open hand, or the MANO files that a user has."""

from pathlib import Path

from gesturehand.errors import UserError
from gesturehand.hand.mano_file import ManoData, find_mano_file, read_mano
from gesturehand.hand.mirror import mirror, repair_left_shapedirs
from gesturehand.hand.open_hand import open_hand
from gesturehand.skeleton import SIDES, Side


def load_hand(mano: str | Path | None, side: Side) -> ManoData:
    """Loads one hand of a model.

    Args:
        mano: nothing for the open hand; a folder with ``MANO_RIGHT`` and ``MANO_LEFT`` (``.pkl`` or ``.npz``), or one
            of the two; or a file whose name says RIGHT or LEFT.
        side: which hand is wanted. A hand that has no file is the other one mirrored. With both files at hand, the
            left one's shape directions are repaired if they need it.

    Raises:
        UserError: there is no such file, or it is not a MANO file.
    """
    if mano is None:
        return open_hand(side)
    path = Path(mano)
    hands = _hands_in(path) if path.is_dir() else [read_mano(path)]
    by_side = {hand.side: hand for hand in hands}
    if len(by_side) == 2 and side == "left":
        return repair_left_shapedirs(by_side["left"], by_side["right"])
    return by_side[side] if side in by_side else mirror(hands[0])


def _hands_in(folder: Path) -> list[ManoData]:
    found = {side: find_mano_file(folder, side) for side in SIDES}
    hands = [read_mano(path, side) for side, path in found.items() if path is not None]
    if not hands:
        names = "MANO_RIGHT nor MANO_LEFT (.pkl or .npz)"
        raise UserError(f"{folder} has neither {names}; put the files from mano.is.tue.mpg.de there.")
    return hands
