"""How checkpoints are written and read: whole, synced and checked; loading one never runs code."""

import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file


class DurableCheckpointIO(TorchCheckpointIO):
    """Lightning's plugin for it: writes through :func:`~gesturehand.file_writing.durable_file`.

    Loading is restricted to tensors and plain values (``weights_only=True``), whatever the caller asks for.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None) -> None:
        """Writes a checkpoint.

        Raises:
            UserError: The disk is full or the folder cannot be written to.
        """
        save_checkpoint(checkpoint, path)

    def load_checkpoint(
        self, path: str | os.PathLike, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Reads a checkpoint, see :func:`load_checkpoint`."""
        return load_checkpoint(path, map_location)


def save_checkpoint(checkpoint: dict[str, Any], path: str | os.PathLike) -> None:
    """Writes a checkpoint whole or not at all.

    Raises:
        UserError: The disk is full or the folder cannot be written to.
    """
    with durable_file(Path(path)) as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch hides what the file system said
            raise OSError(None, f"PyTorch: {str(error).splitlines()[0]}") from error


def load_checkpoint(path: str | os.PathLike, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads a checkpoint of tensors and plain values; anything else in it is refused and not run.

    Args:
        path: The file.
        map_location: As ``torch.load`` takes it.

    Raises:
        UserError: It is missing or damaged, or holds objects that could run code.
    """
    try:
        with Path(path).open("rb") as file:
            return _checked(path, file, map_location)
    except FileNotFoundError:
        raise UserError(f"The checkpoint '{path}' does not exist: check the path.") from None
    except OSError as error:
        raise UserError(f"The checkpoint '{path}' cannot be read ({error.strerror}): check the path.") from None


def _checked(path: str | os.PathLike, file: BinaryIO, map_location: Any) -> dict[str, Any]:
    try:
        checkpoint = torch.load(file, map_location=map_location, weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets
        if not is_whole(path):
            raise UserError(f"The checkpoint '{path}' is damaged or no checkpoint: use another one.") from error
        raise UserError(
            f"The checkpoint '{path}' was not opened: it holds more than tensors and plain values "
            f"({_first_line(error)}), and loading that could run code; use one that `gesturehand fit` wrote."
        ) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UserError(f"'{path}' is no checkpoint of a training run (it has no state_dict): use another file.")
    return checkpoint


def is_whole(path: str | os.PathLike) -> bool:
    """Whether a checkpoint is complete: every part of it is there and has the checksum it was written with."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive can fail in any way
        return False


def _first_line(error: Exception) -> str:
    """What the unpickler refused, without its advice on how to let it run."""
    text = " ".join(str(error).split())
    for start in ("Unsupported global: ", "Unsupported operand ", "Trying to "):
        if start in text:
            return text[text.index(start) :].split(". ")[0][:150]
    return type(error).__name__
