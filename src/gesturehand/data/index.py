"""One split of a set as columns in a memory-mapped file, opened instantly and shared by all processes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.data.files import path_inside
from gesturehand.data.flags import JointFlags
from gesturehand.data.formats.registry import format_of, named_format
from gesturehand.data.formats.set_format import SetFormat
from gesturehand.data.index_build import HAND_TYPES as HAND_TYPES
from gesturehand.data.index_file import current_index, open_columns
from gesturehand.data.remote import local_folder
from gesturehand.data.set_images import ImageSource, SetImages
from gesturehand.data.spelling import spelled

#: The pattern of InterHand2.6M's image names.
_PATTERN: Final = re.compile(r"Capture([^/]*)/([^/]*)/cam([^/]*)/image([^/]*)\.jpg")


class FileNames:
    """(N,) bytes as a virtual array: names are made from the index's tables; the few that cannot be made are stored."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self._rows = {name: columns[name] for name in ("sequence", "frame", "camera")}
        self._tables = {
            name: words(columns[name]) for name in ("sequence_name", "frame_capture", "frame_name", "camera_name")
        }
        self._other_row, self._other_name = columns["other_row"], words(columns["other_name"])

    @property
    def frame_capture(self) -> np.ndarray:
        """(F,) bytes, the capture of every captured frame."""
        return self._tables["frame_capture"]

    @property
    def camera_name(self) -> np.ndarray:
        """(C,) bytes, the name of every camera of every capture."""
        return self._tables["camera_name"]

    def __len__(self) -> int:
        return len(self._rows["frame"])

    def __iter__(self) -> Iterator[bytes]:
        return (self._name(row) for row in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """The name of one row as bytes, or of several as an array of bytes."""
        if isinstance(index, int | np.integer):
            return self._name(int(index) % len(self))
        return np.array([self._name(int(row)) for row in np.arange(len(self))[index]], np.bytes_)

    def _name(self, row: int) -> bytes:
        place = int(np.searchsorted(self._other_row, row))
        if place < len(self._other_row) and self._other_row[place] == row:
            return bytes(self._other_name[place])
        tables, frame = self._tables, self._rows["frame"][row]
        return b"Capture%b/%b/cam%b/image%b.jpg" % (
            tables["frame_capture"][frame],
            tables["sequence_name"][self._rows["sequence"][row]],
            tables["camera_name"][self._rows["camera"][row]],
            tables["frame_name"][frame],
        )

    def find(self, names: set[str]) -> tuple[np.ndarray, set[str]]:
        """The rows with one of the names in ``data.json``'s form, however spelled (:mod:`gesturehand.data.spelling`).

        Returns:
            (N,) bool, and the names that no row has.
        """
        given: dict[str, list[str]] = {}
        for name in names:
            given.setdefault(spelled(name), []).append(name)
        chosen, unknown = self._find(set(given))
        return chosen, {name for meant in unknown for name in given[meant]}

    def _find(self, names: set[str]) -> tuple[np.ndarray, set[str]]:
        chosen = np.zeros(len(self), bool)
        found = set()
        for place, row in enumerate(self._other_row):
            name = spelled(bytes(self._other_name[place]).decode())
            if name in names:
                chosen[row] = True
                found.add(name)
        names = names - found
        # A name of the usual form is a triple of numbers, and rows are compared as numbers.
        tables = self._tables
        sequences = {name.decode(): row for row, name in enumerate(tables["sequence_name"].tolist())}
        pairs = zip(tables["frame_capture"].tolist(), tables["frame_name"].tolist(), strict=True)
        frames = {(capture.decode(), name.decode()): row for row, (capture, name) in enumerate(pairs)}
        cameras: dict[str, list[int]] = {}
        for row, name in enumerate(tables["camera_name"].tolist()):
            cameras.setdefault(name.decode(), []).append(row)
        wanted: dict[int, str] = {}
        for name in names:
            match = _PATTERN.fullmatch(name)
            if match is None:
                continue
            capture, sequence, camera, frame = match.groups()
            if sequence in sequences and (capture, frame) in frames:
                for row in cameras.get(camera, ()):  # one camera's name in several captures
                    wanted[self._key(frames[capture, frame], sequences[sequence], row)] = name
        if not wanted:
            return chosen, names
        keys = self._key(*(self._rows[name].astype(np.int64) for name in ("frame", "sequence", "camera")))
        usual = np.isin(keys, np.fromiter(wanted, np.int64, len(wanted)))
        usual[self._other_row] = False
        chosen |= usual
        return chosen, names - {wanted[key] for key in np.unique(keys[usual]).tolist()}

    def _key(self, frame: Any, sequence: Any, camera: Any) -> Any:
        tables = self._tables
        return (frame * len(tables["sequence_name"]) + sequence) * len(tables["camera_name"]) + camera


def words(table: np.ndarray) -> np.ndarray:
    """A table of the index's names, (N, width) uint8, as (N,) bytes."""
    return np.ascontiguousarray(table).view(f"S{table.shape[1]}")[:, 0]


@dataclass(frozen=True, eq=False)
class InterHandIndex:
    """Annotations of one split: N images, F captured frames (seen by several cameras), C cameras.

    Joints are in the papers' order, hands in the order right, left. Lengths are in metres, world frame. Arrays are a
    file's pages, read-only: the system loads those that are read and shares them between processes. A pickled index is
    its path.

    Attributes:
        path: The index file.
        root: The dataset's folder.
        split: "train", "val" or "test", or another name that the set's format knows.
        set_format: The format of its files, which says how poses are written and what a joint is.
        mano_fits: MANO fits are shown.
        images: Its images, which are single files or in shards.
        own_label_names: The labels that hands of the split have in vocabularies of their sets: set and label.
        file_name: (N,) bytes, relative to the format's image folder; made on request.
        annotation_id: (N,) int64.
        image_size_px: (N, 2) int32, width and height.
        bbox_px: (N, 4) float32, x, y, w, h as annotated.
        hand_type: (N,) uint8, bit mask of :data:`HAND_TYPES`.
        joint_valid_image: (N, 2, 21) bool, per image; unpacked when indexed.
        gesture: (N, 2) int16, coarse and fine class of the sequence, -1 for none.
        own_label: (N, 2) int32, by hand, row of :attr:`own_label_names`, -1 for none.
        subject: (N,) int16.
        frame: (N,) int32, row of the captured frame.
        camera: (N,) int32, row of the camera.
        joints_world: (F, 2, 21, 3) float32 m, 0 where invalid.
        joint_valid_frame: (F, 2, 21) bool, per captured frame.
        depth_known: (F,) bool, False if the frame's entry says ``"depth_known": false``.
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
        """The user's name for the set: its folder, or its URL."""
        return str(self.root) if self.images.remote is None else self.images.remote.url

    def image(self, row: int) -> ImageSource:
        """The location of an annotation's image, a file or a place in a shard, for ``read_image``.

        Raises:
            UserError: Its name would lead out of the images' folder.
        """
        return self.images.of(self.file_name[row].decode())

    def image_file(self, row: int) -> Path:
        """Path of an annotation's image as a single file, whether or not it exists.

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
        root: The dataset's folder, or a URL (:mod:`gesturehand.data.remote`).
        split: "train", "val" or "test".
        mano_fits: Read the MANO fits too; without them ``mano_valid`` is False everywhere.
        set_format: Name of the format; None: it is recognised (:func:`gesturehand.data.formats.registry.format_of`).

    Raises:
        UserError: A file is missing or broken, or one refers to a frame or camera that another does not have; or no
            place for the index can be written to.
    """
    root = local_folder(root, [split])
    known = format_of(root, set_format)
    path, _ = current_index(known, root, split, mano_fits=mano_fits)
    return open_index(path, root, split, mano_fits, known.name)


def open_index(
    path: Path, root: Path, split: str, mano_fits: bool = True, set_format: str = "interhand"
) -> InterHandIndex:
    """Opens an existing index file.

    Args:
        path: The file.
        root: The dataset's folder, for image paths.
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
