"""The folder in which a set grows, beside the target; a later run can continue it, and it becomes the target at the
end.

While ``set`` is being written, ``.set.partial`` (images and masks, and the annotations last) and ``.set.progress`` (the
settings, and the entries of every finished chunk of frames) lie beside it. Neither loads as a set.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, try_lock
from gesturehand.text_file import read_json, write_json

_SETTINGS: Final = "settings.json"


class GrowingSet:
    """A set that is being written.

    Attributes:
        root: the target folder.
        folder: the folder in which the set grows.
        progress: the finished part.
    """

    def __init__(self, root: Path) -> None:
        # Links are resolved to the folder itself, so that a set stays on the intended disk.
        self.root = root.resolve()
        self.folder = self.root.with_name(f".{self.root.name}.partial")
        self.progress = self.root.with_name(f".{self.root.name}.progress")
        self._replaced = self.root.with_name(f".{self.root.name}.replaced")

    def begin(self, settings: dict[str, Any], *, anew: bool) -> int:
        """Continues what an interrupted run with the same settings left, or starts.

        Args:
            settings: all settings on which the output depends.
            anew: discard the remains of a run with other settings.

        Returns:
            Number of chunks that are done.

        Raises:
            UserError: a run with other settings was interrupted here and ``anew`` is False.
        """
        path = self.progress / _SETTINGS
        if path.is_file():
            if read_json(path, "The note", "remove it to start the set again") == settings:
                make_folder(self.folder)
                return sum(1 for _ in self.progress.glob("chunk*.json"))
            if not anew:
                raise UserError(
                    f"'{self.folder}' is left over from an interrupted run with other settings or another version: run "
                    "that command again to finish it, or pass --overwrite=true to start again."
                )
        for leftover in (self.folder, self.progress):
            shutil.rmtree(leftover, ignore_errors=True)
            make_folder(leftover)
        write_json(path, settings, indent=None)
        return 0

    def is_done(self, chunk: int) -> bool:
        """Whether a chunk of frames is written."""
        return self._chunk(chunk).is_file()

    def finish_chunk(self, chunk: int, entries: list[Any]) -> None:
        """Notes the annotations of a chunk whose pictures are all written."""
        write_json(self._chunk(chunk), entries, indent=None)

    def entries(self, chunks: int) -> list[Any]:
        """Annotations of all chunks, in their order."""
        return [entry for chunk in range(chunks) for entry in self._noted(chunk)]

    def move_into_place(self) -> None:
        """Gives the finished set its name, in place of an older one."""
        if self.root.exists():
            shutil.rmtree(self._replaced, ignore_errors=True)
            self.root.rename(self._replaced)
        try:
            self.folder.rename(self.root)
        except OSError:
            if self._replaced.exists():
                self._replaced.rename(self.root)
            raise
        for leftover in (self.progress, self._replaced):
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second writer of the same set away.

        Raises:
            UserError: another process is writing it.
        """
        path = self.root.with_name(f".{self.root.name}.lock")
        make_folder(path.parent)
        lock = try_lock(path)
        if lock is None:
            raise UserError(f"Another process is writing '{self.root}': wait for it or end it.")
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no file that is open
                path.unlink()
            lock.release()

    def _noted(self, chunk: int) -> list[Any]:
        return read_json(self._chunk(chunk), "The note", "remove it, and its frames are drawn again")

    def _chunk(self, chunk: int) -> Path:
        return self.progress / f"chunk{chunk:06d}.json"
