"""The list of formats, how a folder's format is recognised, and folders of packed splits without annotations."""

from pathlib import Path
from typing import Final

from gesturehand.data.column_file import Columns, read_column_header
from gesturehand.data.formats.coco import CocoFormat
from gesturehand.data.formats.dexycb import DexYcbFormat
from gesturehand.data.formats.freihand import FreiHandFormat
from gesturehand.data.formats.ho3d import Ho3dV2Format, Ho3dV3Format
from gesturehand.data.formats.interhand import InterHandFormat
from gesturehand.data.formats.set_format import SetFormat, Sources
from gesturehand.data.remote import local_folder
from gesturehand.data.shards import INDEX_NAME, TABLE_NAME, ShardTable, open_table, packed_folder
from gesturehand.errors import UserError
from gesturehand.splits import in_usual_order

#: In the order in which they are tried on a folder. InterHand2.6M's comes first, as its files are named after it.
FORMATS: Final[tuple[SetFormat, ...]] = (
    InterHandFormat(),
    FreiHandFormat(),
    Ho3dV2Format(),
    Ho3dV3Format(),
    DexYcbFormat(),
    CocoFormat(),
)
#: How many folders within a folder are searched for a set.
_MOST_FOLDERS: Final = 50
_BY_NAME: Final = {known.name: known for known in FORMATS}


class PackedSet(SetFormat):
    """A set in any format, some of whose splits were packed; their indices hold everything that their annotations did.

    Splits that have annotations are read as the set's own format reads them.

    Args:
        origin: The format that it was packed from.
    """

    sign = "packed/"

    def __init__(self, origin: SetFormat) -> None:
        self.origin = origin
        self.name = origin.name
        self.title = f"{origin.title}, packed"
        self.joints = origin.joints
        self.pose_form = origin.pose_form

    def is_needed(self, root: Path) -> bool:
        """Whether a packed split has no annotations."""
        return bool(set(packed_splits(root)) - set(self._annotated(root)))

    def recognises(self, root: Path) -> bool:
        return bool(packed_splits(root))

    def splits(self, root: Path) -> list[str]:
        return in_usual_order({*packed_splits(root), *self._annotated(root)})

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        if split in self._annotated(root):
            return self.origin.sources(root, split, mano_fits=mano_fits)
        header = read_column_header(self.index_path(root, split))
        if split not in packed_splits(root) or header is None:
            raise UserError(
                f"'{root}' has no split '{split}', packed or not: there are {', '.join(self.splits(root))}."
            )
        if mano_fits and not _table(root, split).note["mano_fits"]:
            raise UserError(
                f"Split '{split}' of '{root}' was packed without MANO fits: set data.mano_fits to false, or pack it "
                "again where they are."
            )
        return dict(header.note["sources"])

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        if split in self._annotated(root):
            return self.origin.build(root, split, mano_fits=mano_fits, progress=progress)
        raise UserError(
            f"The index '{self.index_path(root, split)}' is of another version of this library: pack the set again "
            "where its annotations are, or copy the index from there."
        )

    def image_folder(self, root: Path, split: str) -> Path:
        return self.origin.image_folder(root, split)

    def index_path(self, root: Path, split: str) -> Path:
        if split in self._annotated(root):
            return self.origin.index_path(root, split)
        return packed_folder(root, split) / INDEX_NAME

    def _annotated(self, root: Path) -> list[str]:
        return self.origin.splits(root) if self.origin.recognises(root) else []


def annotated_format(known: SetFormat) -> SetFormat:
    """The format in which a set is annotated, even if it is packed, for information that an index does not hold."""
    return known.origin if isinstance(known, PackedSet) else known


def packed_splits(root: Path) -> list[str]:
    """The splits that are packed to their end."""
    return in_usual_order(path.parent.name for path in root.glob(f"packed/*/{TABLE_NAME}"))


def format_name(root: Path) -> str | None:
    """Name of the format that a packed set was packed from; None if the folder holds none.

    Raises:
        UserError: A table of shards is damaged or of another version.
    """
    splits = packed_splits(root)
    return str(_table(root, splits[0]).note["format"]) if splits else None


def _table(root: Path, split: str) -> ShardTable:
    table = open_table(packed_folder(root, split))
    assert table is not None
    return table


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
            raise UserError(f"'{root}' holds no dataset in a known format: did you mean '{nearby}'?")
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
