"""The entries of InterHand2.6M's annotation files as types that msgspec checks while it parses.

Keys that are not listed are ignored. What is long and read in a way of its own (42 flags per image) is left raw. A
number that its column of the index cannot hold does not fit.
"""

from typing import Annotated, Final, Literal

import msgspec

#: msgspec knows no NaN: where a file holds one it is read as null (:func:`gesturehand.data.files.decode`).
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
    """What somebody said a hand shows, in the words of a set of labels; null for nothing or no name."""

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
    """An entry of ``joint_3d.json``; ``depth_known`` is this library's addition for sets with 2D joints only."""

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
    """A capture's entry of ``camera.json``, each by the camera's name: numbers are read of cameras that are used."""

    campos: dict[str, msgspec.Raw]
    camrot: dict[str, msgspec.Raw]
    focal: dict[str, msgspec.Raw]
    princpt: dict[str, msgspec.Raw]
