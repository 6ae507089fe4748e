"""The entries of InterHand2.6M's annotation files as types that msgspec checks while it parses.

Keys that are not listed are ignored. What is long and read in a way of its own (42 flags per image) is left raw.
"""

from typing import Annotated, Literal

import msgspec

#: msgspec knows no NaN: where a file holds one it is read as null (:func:`gesturehand.data.files.decode`).
Number = float | None
Name = int | str
_Joints = msgspec.Meta(min_length=42, max_length=42)


class DataFile(msgspec.Struct):
    """``data.json``."""

    images: msgspec.Raw
    annotations: msgspec.Raw


class ImageEntry(msgspec.Struct, gc=False):
    """An entry of ``data.json``'s ``images``."""

    id: int
    file_name: str
    width: int | float
    height: int | float
    capture: Name
    camera: Name
    seq_name: str
    frame_idx: Name
    subject: Name = -1


class AnnotationEntry(msgspec.Struct, gc=False):
    """An entry of ``data.json``'s ``annotations``."""

    id: int
    image_id: int
    bbox: tuple[Number, Number, Number, Number]
    joint_valid: msgspec.Raw
    hand_type: Literal["right", "left", "interacting"]


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
    """A capture's entry of ``camera.json``, each by the camera's name."""

    campos: dict[str, tuple[float, float, float]]
    camrot: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]]
    focal: dict[str, tuple[float, float]]
    princpt: dict[str, tuple[float, float]]
