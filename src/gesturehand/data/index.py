"""One split of a set as columns in a memory-mapped file, opened in a blink and shared by all processes."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from gesturehand.data.file_names import FileNames, words
from gesturehand.data.files import path_inside
from gesturehand.data.flags import JointFlags
from gesturehand.data.formats.registry import format_of, named_format
from gesturehand.data.formats.set_format import SetFormat
from gesturehand.data.index_build import HAND_TYPES as HAND_TYPES
from gesturehand.data.index_file import current_index, open_columns
from gesturehand.data.remote import local_folder
from gesturehand.data.set_images import ImageSource, SetImages


@dataclass(frozen=True, eq=False)
class InterHandIndex:
    """Annotations of one split: N images, F captured frames (seen by several cameras), C cameras.

    Joints are in the papers' order, hands in the order right, left. Lengths are in metres, world frame. Arrays are a
    file's pages, read-only: the system loads what is looked at and shares it between processes. A pickled index is its
    path.

    Attributes:
        path: The index file.
        root: The data set's folder.
        split: "train", "val" or "test", or another name that the set's format knows.
        set_format: The format of its files, which says how poses are written and what a joint is.
        mano_fits: MANO fits are shown.
        images: Its images, which are single files or in shards.
        own_label_names: The labels that hands of the split have in vocabularies of their sets: set and label.
        file_name: (N,) bytes, relative to the format's image folder; made where it is asked for.
        annotation_id: (N,) int64.
        image_size_px: (N, 2) int32, width and height.
        bbox_px: (N, 4) float32, x, y, w, h as annotated.
        hand_type: (N,) uint8, bit mask of :data:`HAND_TYPES`.
        joint_valid_image: (N, 2, 21) bool, per image; unpacked where it is indexed.
        gesture: (N, 2) int16, coarse and fine class of the sequence, -1 for none.
        own_label: (N, 2) int32, by hand, row of :attr:`own_label_names`, -1 for none.
        subject: (N,) int16.
        frame: (N,) int32, row of the captured frame.
        camera: (N,) int32, row of the camera.
        joints_world: (F, 2, 21, 3) float32 m, 0 where invalid.
        joint_valid_frame: (F, 2, 21) bool, per captured frame.
        depth_known: (F,) bool, False where the frame's entry says ``"depth_known": false``.
        mano_valid: (F, 2) bool.
        mano_pose: (F, 2, 48) float32, axis-angle relative to the mean pose, or as ``set_format.pose_form`` says.
        mano_betas: (F, 2, 10) float32.
        mano_trans: (F, 2, 3) float32 m, likewise.
        camera_rotation: (C, 3, 3) float32, world → camera.
        camera_translation: (C, 3) float32 m, world → camera.
        intrinsics: (C, 3, 3) float32 px.
    """

    path: Path
    root: Path
    split: str
    set_format: SetFormat
    mano_fits: bool
    images: SetImages
    file_name: FileNames
    annotation_id: np.ndarray
    image_size_px: np.ndarray
    bbox_px: np.ndarray
    hand_type: np.ndarray
    joint_valid_image: JointFlags
    gesture: np.ndarray
    own_label: np.ndarray
    own_label_names: tuple[tuple[str, str], ...]
    subject: np.ndarray
    frame: np.ndarray
    camera: np.ndarray
    joints_world: np.ndarray
    joint_valid_frame: np.ndarray
    depth_known: np.ndarray
    mano_valid: np.ndarray
    mano_pose: np.ndarray
    mano_betas: np.ndarray
    mano_trans: np.ndarray
    camera_rotation: np.ndarray
    camera_translation: np.ndarray
    intrinsics: np.ndarray

    def __len__(self) -> int:
        return len(self.annotation_id)

    @property
    def capture(self) -> np.ndarray:
        """(N,) bytes, the capture's name."""
        return self.file_name.frame_capture[self.frame]

    @property
    def camera_name(self) -> np.ndarray:
        """(N,) bytes, the camera's name."""
        return self.file_name.camera_name[self.camera]

    @property
    def address(self) -> str:
        """What the user knows the set by: its folder, or its URL."""
        return str(self.root) if self.images.remote is None else self.images.remote.url

    def image(self, row: int) -> ImageSource:
        """Where an annotation's image is: a file, or a place in a shard; for ``read_image``.

        Raises:
            UserError: Its name would lead out of the images' folder.
        """
        return self.images.of(self.file_name[row].decode())

    def image_file(self, row: int) -> Path:
        """Path of an annotation's image as a single file, whether or not it is there.

        Raises:
            UserError: Its name would lead out of the images' folder.
        """
        return path_inside(self.set_format.image_folder(self.root, self.split), self.file_name[row].decode())

    def __reduce__(self) -> tuple[Any, ...]:
        return open_index, (self.path, self.root, self.split, self.mano_fits, self.set_format.name)


def read_index(
    root: str | Path, split: str, *, mano_fits: bool = True, set_format: str | None = None
) -> InterHandIndex:
    """Opens one split's index; the first time, and when the annotation files have changed, it is built.

    Args:
        root: The data set's folder, or a URL (:mod:`gesturehand.data.remote`).
        split: "train", "val" or "test".
        mano_fits: Read the MANO fits too; without them ``mano_valid`` is False everywhere.
        set_format: Name of the format; None: it is recognised (:func:`gesturehand.data.formats.registry.format_of`).

    Raises:
        UserError: A file is missing or broken, or one refers to a frame or camera that another does not have; or the
            index can be kept nowhere.
    """
    root = local_folder(root, [split])
    known = format_of(root, set_format)
    path, _ = current_index(known, root, split, mano_fits=mano_fits)
    return open_index(path, root, split, mano_fits, known.name)


def open_index(
    path: Path, root: Path, split: str, mano_fits: bool = True, set_format: str = "interhand"
) -> InterHandIndex:
    """Opens an index file as it is.

    Args:
        path: The file.
        root: The data set's folder, for image paths.
        split: Its split.
        mano_fits: Show the MANO fits.
        set_format: Name of the set's format.

    Raises:
        UserError: The file is gone or of another version.
    """
    columns = open_columns(path)
    if not mano_fits:
        for name in ("mano_valid", "mano_pose", "mano_betas", "mano_trans"):
            columns[name] = np.broadcast_to(columns[name].dtype.type(0), columns[name].shape)
    names, flags = FileNames(columns), JointFlags(columns["joint_flags"])
    own_labels = zip(*(words(columns[f"own_label_{part}"]).tolist() for part in ("set", "name")), strict=True)
    held = {field.name for field in fields(InterHandIndex)}
    known = named_format(set_format)
    return InterHandIndex(
        path=path,
        root=root,
        split=split,
        set_format=known,
        mano_fits=mano_fits,
        images=SetImages(root, split, known.image_folder(root, split)),
        file_name=names,
        joint_valid_image=flags,
        own_label_names=tuple((name.decode(), label.decode()) for name, label in own_labels),
        **{name: column for name, column in columns.items() if name in held},
    )
