"""Writing and reading of checkpoints: whole, synced and checked; loading one never runs code."""

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file

#: The first bytes of an archive.
_ARCHIVE: Final = b"PK\x03\x04"
#: torch's errors when it cannot write an archive contain one of these.
_WRITER_WORDS: Final = ("PytorchStreamWriter", "inline_container", "unexpected pos")
#: The part that ``torch.compile`` inserts into the names of a module's tensors.
_COMPILED: Final = "_orig_mod."
#: The prefix that ``torch.nn.DataParallel`` and ``DistributedDataParallel`` add.
_PARALLEL: Final = "module."
_QUOTED: Final = re.compile(r'"([^"]+)"')
_RESHAPED: Final = re.compile(r"size mismatch for ([^:\s]+):")
#: Number of names that a sentence lists.
_NAMED: Final = 3


class DurableCheckpointIO(TorchCheckpointIO):
    """A plugin for Lightning that writes through :func:`~gesturehand.file_writing.durable_file`.

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
        except RuntimeError as error:
            if not any(word in str(error) for word in _WRITER_WORDS):
                raise  # a signal's handler may raise at any time, for instance when a loader's worker has died
            # torch hides the file system's error
            raise OSError(None, f"PyTorch: {str(error).splitlines()[0]}") from error


def load_checkpoint(path: str | os.PathLike, map_location: Any = "cpu") -> dict[str, Any]:
    """Reads a checkpoint of tensors and plain values; anything else in it is refused and not run.

    The checksums of the archive are compared first, so that a changed byte is noticed; torch itself ignores them.
    Names of tensors lose the parts that ``torch.compile`` and ``DataParallel`` added to them.

    Raises:
        UserError: It is missing or damaged, holds objects that could run code, or has weights that are not finite.
    """
    try:
        with Path(path).open("rb") as file:
            checkpoint = _checked(path, file, map_location)
    except FileNotFoundError:
        raise UserError(f"The checkpoint '{path}' does not exist: check the path.") from None
    except OSError as error:
        raise UserError(f"The checkpoint '{path}' cannot be read ({error.strerror}): check the path.") from None
    checkpoint["state_dict"] = state = _plain_names(checkpoint["state_dict"])
    bad = [name for name, value in state.items() if isinstance(value, torch.Tensor) and not value.isfinite().all()]
    if bad:
        raise UserError(
            f"The checkpoint '{path}' has weights that are not finite ({listed(bad)}): use one from before "
            "the training diverged."
        )
    return checkpoint


def listed(names: Sequence[str]) -> str:
    """The first few of many names, and the number of further ones."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def misfit(error: RuntimeError) -> str | None:
    """Names the tensors that ``load_state_dict`` could not use, in a few words; None for any other error.

    Example:
        >>> try:
        ...     torch.nn.Linear(2, 3).load_state_dict({"weight": torch.zeros(3, 4), "scale": torch.zeros(3)})
        ... except RuntimeError as error:
        ...     print(misfit(error))
        missing: bias; unexpected: scale; of another shape: weight
    """
    text = str(error)
    if not text.startswith("Error(s) in loading state_dict"):
        return None
    found = {
        "missing": _QUOTED.findall("".join(line for line in text.splitlines() if "Missing key(s)" in line)),
        "unexpected": _QUOTED.findall("".join(line for line in text.splitlines() if "Unexpected key(s)" in line)),
        "of another shape": _RESHAPED.findall(text),
    }
    parts = [f"{what}: {listed(names)}" for what, names in found.items() if names]
    return "; ".join(parts) or " ".join(text.split())[:200]


def _checked(path: str | os.PathLike, file: BinaryIO, map_location: Any) -> dict[str, Any]:
    damaged = UserError(f"The checkpoint '{path}' is damaged or not a checkpoint: use another one.")
    # A checkpoint in torch's format before 1.6 is not an archive and has no checksums.
    if file.read(len(_ARCHIVE)) == _ARCHIVE and not is_whole(file):
        raise damaged
    file.seek(0)
    try:
        checkpoint = torch.load(file, map_location=map_location, weights_only=True)
    except Exception as error:  # torch.load raises whatever its unpickler meets
        if not is_whole(file):
            raise damaged from error
        raise UserError(
            f"The checkpoint '{path}' was not opened: it holds more than tensors and plain values "
            f"({_first_line(error)}), and loading that could run code; use one that `gesturehand fit` wrote."
        ) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UserError(f"'{path}' is not a checkpoint of a training run (it has no state_dict): use another file.")
    return checkpoint


def is_whole(file: str | os.PathLike | BinaryIO) -> bool:
    """Whether a checkpoint is complete: every part exists and has its original checksum."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except Exception:  # a damaged archive can fail in any way
        return False


def _plain_names(state: dict[Any, Any]) -> dict[str, Any]:
    """Tensors by the names that they have in a module that is neither compiled nor wrapped."""
    plain = {str(name).replace(_COMPILED, ""): value for name, value in state.items()}
    if plain and all(name.startswith(_PARALLEL) for name in plain):
        plain = {name.removeprefix(_PARALLEL): value for name, value in plain.items()}
    return plain


def _first_line(error: Exception) -> str:
    """The unpickler's complaint, without its advice on how to let the file run."""
    text = " ".join(str(error).split())
    for start in ("Unsupported global: ", "Unsupported operand ", "Trying to "):
        if start in text:
            return text[text.index(start) :].split(". ")[0][:150]
    return type(error).__name__
