"""A folder that holds packed splits without annotations: their indices came with the shards."""

from pathlib import Path

from gesturehand.data.column_file import Columns, read_column_header
from gesturehand.data.formats.set_format import SetFormat, Sources
from gesturehand.data.shards import INDEX_NAME, TABLE_NAME, ShardTable, open_table, packed_folder
from gesturehand.errors import UserError
from gesturehand.splits import in_usual_order


class PackedSet(SetFormat):
    """A set of any format of which splits were packed; their indices say everything that their annotations said.

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
    """The format in which a set is annotated, also where it is packed: for what an index does not hold."""
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
