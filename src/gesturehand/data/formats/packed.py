"""A folder that holds a packed set and no annotations: its index came with the shards."""

from pathlib import Path

from gesturehand.data.column_file import Columns, read_column_header
from gesturehand.data.formats.set_format import SetFormat, Sources
from gesturehand.data.shards import INDEX_NAME, TABLE_NAME, ShardTable, open_table, packed_folder
from gesturehand.errors import UserError
from gesturehand.splits import in_usual_order


class PackedSet(SetFormat):
    """A set of any format that was packed; its index says everything that its annotations said.

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

    def recognises(self, root: Path) -> bool:
        return bool(packed_splits(root))

    def splits(self, root: Path) -> list[str]:
        return packed_splits(root)

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        path = self.index_path(root, split)
        header = read_column_header(path)
        if split not in packed_splits(root) or header is None:
            raise UserError(
                f"'{root}' has no packed split '{split}': there are {', '.join(packed_splits(root)) or 'none'}."
            )
        if mano_fits and not _table(root, split).note["mano_fits"]:
            raise UserError(
                f"Split '{split}' of '{root}' was packed without MANO fits: set data.mano_fits to false, or pack it "
                "again where they are."
            )
        return dict(header.note["sources"])

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        raise UserError(
            f"The index '{self.index_path(root, split)}' is of another version of this library: pack the set again "
            "where its annotations are, or copy the index from there."
        )

    def image_folder(self, root: Path, split: str) -> Path:
        return self.origin.image_folder(root, split)

    def index_path(self, root: Path, split: str) -> Path:
        return packed_folder(root, split) / INDEX_NAME


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
