"""Which formats there are, and which of them a folder is in."""

from pathlib import Path
from typing import Final

from gesturehand.data.formats.coco import CocoFormat
from gesturehand.data.formats.dexycb import DexYcbFormat
from gesturehand.data.formats.freihand import FreiHandFormat
from gesturehand.data.formats.ho3d import Ho3dV2Format, Ho3dV3Format
from gesturehand.data.formats.interhand import InterHandFormat
from gesturehand.data.formats.packed import PackedSet, format_name
from gesturehand.data.formats.set_format import SetFormat
from gesturehand.data.remote import local_folder
from gesturehand.errors import UserError

#: In the order in which a folder is tried. InterHand2.6M's comes first: its files say their own name.
FORMATS: Final[tuple[SetFormat, ...]] = (
    InterHandFormat(),
    FreiHandFormat(),
    Ho3dV2Format(),
    Ho3dV3Format(),
    DexYcbFormat(),
    CocoFormat(),
)
#: Folders within a folder that are looked at for a set.
_MOST_FOLDERS: Final = 50
_BY_NAME: Final = {known.name: known for known in FORMATS}


def named_format(name: str) -> SetFormat:
    """The format of a name.

    Raises:
        UserError: There is none.
    """
    if name not in _BY_NAME:
        raise UserError(f"data.format={name} is unknown: choose one of {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def format_of(root: str | Path, name: str | None = None) -> SetFormat:
    """The format of a set, checked.

    Args:
        root: Its folder (or file), or its URL.
        name: ``data.format``; None: it is recognised by its files.

    Raises:
        UserError: The name is unknown, or the folder is not one of that format, or of none.
    """
    root = local_folder(root)
    packed = format_name(root)
    if packed is not None and name in (None, packed):
        known = PackedSet(named_format(packed))
        if known.is_needed(root):
            return known
    chosen = _recognised(root) if name is None else named_format(name)
    if chosen is None:
        nearby = _nearby(root)
        if nearby is not None:
            raise UserError(f"'{root}' holds no data set in a known format: did you mean '{nearby}'?")
        # The files of the open sets, which most people begin with; its check says what is missing.
        chosen = FORMATS[0]
    chosen.check_root(root)
    return chosen


def _recognised(root: Path) -> SetFormat | None:
    return next((known for known in FORMATS if known.recognises(root)), None)


def _nearby(root: Path) -> Path | None:
    """A set in the folder above, or in one of the folders within."""
    if not root.is_dir() or (root / "annotations").is_dir():
        return None
    try:
        within = sorted(path for path in root.iterdir() if path.is_dir())[:_MOST_FOLDERS]
    except OSError:
        return None
    return next((path for path in (*within, root.parent) if _recognised(path) is not None), None)
