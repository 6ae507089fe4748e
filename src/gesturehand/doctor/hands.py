"""Hand models: the open hand, and MANO's files in the given place."""

from collections.abc import Iterator
from pathlib import Path

from gesturehand.doctor.finding import Finding
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import find_mano_file, read_mano, side_of_name
from gesturehand.skeleton import SIDES

_REMEDY = "download it from mano.is.tue.mpg.de, or train on the open hand"


def hands(mano: str | None = None) -> Iterator[Finding]:
    """Findings on the hand models.

    Args:
        mano: Folder or file of MANO; None if there is none.
    """
    hand = open_hand("right")
    yield Finding("open hand", f"{hand.num_vertices} vertices, fingerprint {hand.fingerprint[:16]}")
    if mano is None:
        yield Finding("MANO", "not checked", remedy="gesturehand doctor --mano FOLDER")
        return
    path = Path(mano)
    if not path.exists():
        yield Finding("MANO", f"'{mano}' does not exist", "problem", _REMEDY)
        return
    found = 0
    for side in SIDES:
        try:
            file: Path | None = path
            if path.is_dir():
                file = find_mano_file(path, side)
            elif side_of_name(path) != side:
                continue
            if file is None:
                continue
            found += 1
            model = read_mano(file, side)
        except UserError as error:
            found += 1
            yield Finding(f"MANO {side}", str(error), "problem")
            continue
        yield Finding(f"MANO {side}", f"{file}: {model.num_vertices} vertices, fingerprint {model.fingerprint[:16]}")
    if not found:
        yield Finding("MANO", f"'{mano}' has neither MANO_RIGHT nor MANO_LEFT (.pkl or .npz)", "problem", _REMEDY)
    elif found == 1:
        yield Finding("MANO", "one hand only: the other is mirrored from it")
