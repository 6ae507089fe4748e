"""What a format of published sets has to say, so that index, loader, checks and metrics need not know it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from gesturehand.data.index_build import Columns
from gesturehand.hand.pose_form import PoseForm

#: What an index was made from, by name: numbers that change when the files do.
Sources = dict[str, list[int]]


class SetFormat(ABC):
    """A format: how a set lies on disk, and how its annotations are to be read.

    A subclass reads annotation files only. Images stay where they are, and :class:`InterHandIndex` looks them up by
    names relative to :meth:`image_folder`.

    Attributes:
        name: Value of ``data.format``.
        title: What people call it.
        sign: The files by which a folder is recognised, in words, for messages.
        joints: Name of its joints' definition (:mod:`gesturehand.hand.joint_definition`); None: the hand model's own.
        pose_form: How it writes MANO's pose and place.
    """

    name: str
    title: str
    sign: str
    joints: str | None = None
    pose_form: PoseForm = PoseForm(0)

    @abstractmethod
    def recognises(self, root: Path) -> bool:
        """Whether a folder (or file) looks like this format's; cheap, and never raises."""

    def check_root(self, root: Path) -> None:  # noqa: B027
        """Checks that a root that was chosen for this format is one.

        Raises:
            UserError: It is not there, another format's or another version's.
        """

    @abstractmethod
    def splits(self, root: Path) -> list[str]:
        """The splits whose annotations are there, train before val before test."""

    def has_split(self, root: Path, split: str) -> bool:
        """Whether a split is there, or the beginnings of it, which :meth:`build` then finds fault with."""
        return split in self.splits(root)

    @abstractmethod
    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        """The state of the files that a split's index is made from.

        Raises:
            UserError: One is missing.
        """

    @abstractmethod
    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        """Reads a split's annotations once (:func:`gesturehand.data.formats.set_columns.set_columns` helps).

        Args:
            root: The set.
            split: Its split.
            mano_fits: MANO fits are asked for; what is quickly read anyway may be there without.
            progress: Show a bar where it takes long.

        Raises:
            UserError: A file is missing or broken, or the files do not belong together.
        """

    def image_folder(self, root: Path, split: str) -> Path:
        """What the index's file names are relative to."""
        return root

    def index_path(self, root: Path, split: str) -> Path:
        """Where a split's index lies if that folder can be written to."""
        return root / f"gesturehand_{self.name}_{split}_index.safetensors"


def state_of(paths: Iterable[Path]) -> list[int]:
    """Number of some files and folders, and a hash of their names, sizes and times.

    Raises:
        OSError: One is missing.
    """
    digest, count = sha256(), 0
    for path in paths:
        state = path.stat()
        digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}\n".encode())
        count += 1
    return [count, int.from_bytes(digest.digest()[:7])]
