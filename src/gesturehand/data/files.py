"""InterHand2.6M's annotation files: their paths, and reading them with errors that say what to do."""

import contextlib
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean, did_you_mean_path

Kind = Literal["data", "camera", "joint_3d", "MANO_NeuralAnnot"]
KINDS: Final[tuple[Kind, ...]] = ("data", "camera", "joint_3d", "MANO_NeuralAnnot")


T = TypeVar("T")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+://")
#: Values that Python's json module writes but JSON does not have.
_NO_NUMBER: Final = re.compile(rb"(?<=[\[,:\s])-?(?:NaN|Infinity)(?=[\],}\s])")


def annotation_path(root: Path, split: str, kind: Kind) -> Path:
    """``<root>/annotations/{split}/InterHand2.6M_{split}_{kind}.json``."""
    return root / "annotations" / split / f"InterHand2.6M_{split}_{kind}.json"


def is_url(root: str | Path) -> bool:
    """Whether a set's root is a URL (:mod:`gesturehand.data.remote`) rather than a folder on this machine."""
    return isinstance(root, str) and _URL.match(root) is not None


def stays_inside(file_name: str) -> bool:
    """Whether a name from an annotation file stays in the images' folder: relative, and never upwards.

    Links in the folder are followed: the folder's owner put them there, not the annotation file.
    """
    name = file_name.replace("\\", "/")
    parts = set(name.split("/")) - {"", "."}
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name


def image_path(root: Path, split: str, file_name: str) -> Path:
    """``<root>/images/{split}/{file_name}``, ``file_name`` as in ``data.json``.

    Raises:
        UserError: The name would lead out of that folder.
    """
    return path_inside(root / "images" / split, file_name)


def path_inside(folder: Path, file_name: str) -> Path:
    """The path of an image that annotations name.

    Args:
        folder: The images' folder.
        file_name: Relative to it.

    Raises:
        UserError: The name would lead out of that folder.
    """
    if not stays_inside(file_name):
        raise UserError(
            f"The annotations name the image {file_name!r}, which lies outside '{folder}': do not use this set, or "
            "correct its file names."
        )
    return folder / file_name


def check_root(root: Path) -> None:
    """Checks that a folder looks like InterHand2.6M's.

    Raises:
        UserError: It does not exist or has no ``annotations`` folder; the message names the remedy.
    """
    if not root.is_dir():
        remedy = (
            "pass InterHand2.6M's folder, which holds annotations/ and images/, or write the open set there with "
            "`gesturehand data synth`."
        )
        raise UserError(f"The data folder '{root}' does not exist: {did_you_mean_path(root, remedy)}")
    if not (root / "annotations").is_dir():
        inside = sorted(path.parent for path in root.glob("*/annotations"))
        outside = [parent for parent in (root.parent, root.parent.parent) if (parent / "annotations").is_dir()]
        found = [*inside, *outside]
        hint = f"did you mean '{found[0]}'?" if found else "pass the folder that holds annotations/ and images/."
        raise UserError(f"The data folder '{root}' has no 'annotations' folder: {hint}")


def file_state(path: Path, kind: Kind) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns, by which a changed file is recognised.

    Raises:
        UserError: The file is missing or its folder cannot be read.
    """
    with _explained(path, kind):
        state = path.stat()
        return state.st_size, state.st_mtime_ns


@contextlib.contextmanager
def mapped(path: Path, kind: Kind) -> Iterator[Any]:
    """An annotation file's bytes, mapped rather than read, so that the system keeps only what is needed in memory.

    Raises:
        UserError: The file is missing, unreadable or empty.
    """
    with _explained(path, kind), path.open("rb") as file:
        if not path.stat().st_size:
            raise UserError(f"The annotation file '{path}' is not valid JSON (it is empty): download it again.")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Not closed here: decoded values may still refer to it, and the last reference closes it.
    yield content


@contextlib.contextmanager
def _explained(path: Path, kind: Kind) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        remedy = (
            "download it (NeuralAnnot's fits are a separate download) or go without fits with --data.mano_fits=false."
            if kind == "MANO_NeuralAnnot"
            else "download this split's annotations, or choose an existing split."
        )
        if not path.parent.is_dir() and path.parent.parent.is_dir():
            splits = [folder.name for folder in path.parent.parent.iterdir() if folder.is_dir()]
            remedy = did_you_mean(path.parent.name, splits, remedy)
        raise UserError(f"The annotation file '{path}' is missing: {remedy}") from None
    except OSError as error:
        raise UserError(
            f"The annotation file '{path}' cannot be read ({error.strerror}): check it and its permissions."
        ) from None


def decode(path: Path, content: Any, kind: type[T], place: str = "") -> T:
    """JSON as a type.

    Args:
        path: The file, for messages.
        content: Its bytes or a part of them.
        kind: The type that they should contain.
        place: Place of the part in the file, such as ``.images[3]``, for messages.

    Raises:
        UserError: The bytes are not JSON or hold something else; the message names the field.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise misfit(path, error, place) from None
    except msgspec.DecodeError as error:
        repaired, found = _NO_NUMBER.subn(b"null", content)
        if found:
            return decode(path, repaired, kind, place)
        raise UserError(f"The annotation file '{path}' is not valid JSON ({error}): download it again.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"The annotation file '{path}' is not valid JSON ({error}): download it again.") from None
    except RecursionError:
        raise UserError(f"The annotation file '{path}' is nested too deeply: download it again.") from None


class MisfitError(UserError):
    """A file is JSON but not InterHand2.6M's.

    Attributes:
        reason: What was expected and found, and where.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def misfit(path: Path, error: object, place: str = "") -> MisfitError:
    """The error for a file that is JSON but not InterHand2.6M's; ``place`` as in :func:`decode`."""
    text = str(error)
    where = f"`${place}"
    text = text.replace("`$", where, 1) if "`$" in text else f"{text} - at {where}`"
    return MisfitError(
        f"The annotation file '{path}' does not fit InterHand2.6M's format ({text}): download this split's annotations "
        "again, all from one release.",
        text,
    )
