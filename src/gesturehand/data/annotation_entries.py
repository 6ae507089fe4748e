"""The entries of InterHand2.6M's annotation files, checked by msgspec while it parses, and read one at a time.

The index is built from them, and the check lists those that do not fit. Keys that are not listed are ignored. Long
values that are read separately (42 flags per image) are left raw. A number that its column of the index cannot hold
does not fit.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from tqdm import tqdm

from gesturehand.data.files import MisfitError, decode, misfit
from gesturehand.data.flags import FlagReader

#: msgspec does not accept NaN, which is therefore read as null (:func:`gesturehand.data.files.decode`).
Number = float | None
Name = int | str
_Joints = msgspec.Meta(min_length=42, max_length=42)
Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_LARGEST_SIDE_PX: Final = 2**31 - 1
_SUBJECTS: Final = range(-(2**15), 2**15)


class DataFile(msgspec.Struct):
    """``data.json``."""

    images: msgspec.Raw
    annotations: msgspec.Raw


class ImageEntry(msgspec.Struct, gc=False):
    """An entry of ``data.json``'s ``images``."""

    id: Id
    file_name: str
    width: int | float
    height: int | float
    capture: Name
    camera: Name
    seq_name: str
    frame_idx: Name
    subject: Name = -1

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            if not 1 <= side <= _LARGEST_SIDE_PX or side != int(side):
                raise ValueError(f"Expected a number of pixels, got {side:g} - at `$.{name}`")
        try:
            subject = int(self.subject)
        except ValueError:
            raise ValueError("Expected a whole number - at `$.subject`") from None
        if subject not in _SUBJECTS:
            raise ValueError(f"Expected a number from {_SUBJECTS[0]} to {_SUBJECTS[-1]} - at `$.subject`")


class HandLabel(msgspec.Struct, gc=False):
    """A hand's label and the name of its set of labels; null if there is none."""

    label: str | None = None
    label_set: str | None = None


class AnnotationEntry(msgspec.Struct, gc=False):
    """An entry of ``data.json``'s ``annotations``; ``hand_labels`` is this library's addition, by side."""

    id: Id
    image_id: Id
    bbox: tuple[Number, Number, Number, Number]
    joint_valid: msgspec.Raw
    hand_type: Literal["right", "left", "interacting"]
    hand_labels: dict[Literal["right", "left"], HandLabel] | None = None


class FrameJoints(msgspec.Struct, gc=False):
    """An entry of ``joint_3d.json``; ``depth_known`` is this library's addition for sets with only 2D joints."""

    world_coord: Annotated[list[tuple[Number, Number, Number]], _Joints]
    joint_valid: msgspec.Raw
    depth_known: bool = True


class Fit(msgspec.Struct, gc=False):
    """One hand's MANO fit."""

    pose: Annotated[list[Number], msgspec.Meta(min_length=48, max_length=48)]
    shape: Annotated[list[Number], msgspec.Meta(min_length=10, max_length=10)]
    trans: tuple[Number, Number, Number]


class FrameFits(msgspec.Struct, gc=False):
    """An entry of ``MANO_NeuralAnnot.json``; a hand may be null or missing."""

    right: Fit | None = None
    left: Fit | None = None


class Calibration(msgspec.Struct, gc=False):
    """A capture's entry of ``camera.json``, by camera name; only the numbers of used cameras are read."""

    campos: dict[str, msgspec.Raw]
    camrot: dict[str, msgspec.Raw]
    focal: dict[str, msgspec.Raw]
    princpt: dict[str, msgspec.Raw]


Entry = TypeVar("Entry")
#: A frame or camera: the name of the capture and its own name.
Key = tuple[str, str]
#: With fewer entries a bar would vanish before anybody sees it.
_BAR_FROM = 50_000
_Numbers3 = tuple[float, float, float]


class Camera(NamedTuple):
    """A camera as given in its file.

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
    """The entries of a list of ``data.json``; for one that does not fit, the error that says where and why.

    Raises:
        UserError: It is not a list.
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
        KeyError: There is no camera of this name.
        MisfitError: It does not fit.
    """
    capture, name = key
    entry = table[capture]
    # Cameras that are not used may hold anything.
    parts: dict[str, Any] = {
        part: decode(path, getattr(entry, part)[name], kind, f"[{capture}].{part}[{name}]")
        for part, kind in Camera.__annotations__.items()
    }
    return Camera(**parts)
