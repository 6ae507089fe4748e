"""Entries of the annotation files one at a time: the index is built of them, and the check lists what does not fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from tqdm import tqdm

from gesturehand.data.annotation_types import Calibration, FrameFits, FrameJoints
from gesturehand.data.files import MisfitError, decode, misfit
from gesturehand.data.flags import FlagReader

Entry = TypeVar("Entry")
#: A frame or camera: the capture's name and its own.
Key = tuple[str, str]
#: Below this many entries a bar would be gone before it is seen.
_BAR_FROM = 50_000
_Numbers3 = tuple[float, float, float]


class Camera(NamedTuple):
    """A camera as its file has it.

    Attributes:
        camrot: World → camera.
        campos: mm, world.
        focal: px.
        princpt: px.
    """

    camrot: tuple[_Numbers3, _Numbers3, _Numbers3]
    campos: _Numbers3
    focal: tuple[float, float]
    princpt: tuple[float, float]


def list_entries(
    path: Path, raw: msgspec.Raw, kind: type[Entry], name: str, progress: bool = False
) -> Iterator[Entry | MisfitError]:
    """The entries of a list of ``data.json``, or for an entry that does not fit the error that says where and why.

    Raises:
        UserError: It is no list.
    """
    entries = decode(path, raw, list[msgspec.Raw], f".{name}")
    read = msgspec.json.Decoder(kind).decode
    shown = progress and len(entries) > _BAR_FROM
    bar = tqdm(entries, desc=f"{path.stem}, {name}", unit="", unit_scale=True, disable=not shown, mininterval=0.5)
    for number, entry in enumerate(bar):
        try:
            yield read(entry)
        except (msgspec.ValidationError, UnicodeDecodeError) as error:
            yield misfit(path, error, f".{name}[{number}]")


def frame_joints(path: Path, raw: msgspec.Raw, key: Key, read_flags: FlagReader) -> tuple[FrameJoints, tuple[int, int]]:
    """A frame's entry of ``joint_3d.json`` and its flags.

    Raises:
        MisfitError: It does not fit.
    """
    place = f"[{key[0]}][{key[1]}]"
    entry = decode(path, raw, FrameJoints, place)
    try:
        return entry, read_flags(entry.joint_valid)
    except ValueError as error:
        raise misfit(path, error, f"{place}.joint_valid") from None


def frame_fits(path: Path, raw: msgspec.Raw, key: Key) -> FrameFits | None:
    """A frame's entry of ``MANO_NeuralAnnot.json``.

    Raises:
        MisfitError: It does not fit.
    """
    return decode(path, raw, FrameFits | None, f"[{key[0]}][{key[1]}]")  # type: ignore[arg-type]


def camera_of(path: Path, table: dict[str, Calibration], key: Key) -> Camera:
    """A camera of ``camera.json``.

    Raises:
        KeyError: There is none of this name.
        MisfitError: It does not fit.
    """
    capture, name = key
    entry = table[capture]
    # Other cameras of the file may be anything.
    parts: dict[str, Any] = {
        part: decode(path, getattr(entry, part)[name], kind, f"[{capture}].{part}[{name}]")
        for part, kind in Camera.__annotations__.items()
    }
    return Camera(**parts)
