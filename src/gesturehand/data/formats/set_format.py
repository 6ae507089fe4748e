"""What a format of published sets has to say, so that index, loader, checks and metrics need not know it, and what the
readers of all formats share.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from gesturehand.data.flags import pack_flags
from gesturehand.data.index_build import Columns, text_column
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE
from gesturehand.hand.conventions import PoseForm
from gesturehand.text_file import read_text, read_yaml

#: The files that an index was made from, by name: numbers that change when the files do.
Sources = dict[str, list[int]]


def read_json_array(path: Path, entry: tuple[int, ...], title: str) -> np.ndarray:
    """A JSON list of arrays of one shape.

    Args:
        path: The file.
        entry: Shape of an entry; lists of length 1 around or within it do not matter.
        title: Name of the set in messages.

    Returns:
        (N, …) float32, … the shape of an entry.

    Raises:
        UserError: It is missing, cut short or something else.
    """
    wanted = " x ".join(map(str, entry))
    try:
        content = msgspec.json.decode(path.read_bytes(), type=list)
        array = np.array(content, np.float32)
        # An empty list has no entries of a wrong shape.
        return array.reshape(len(content), *entry)
    except FileNotFoundError:
        raise UserError(f"'{path}' is missing: complete the download of {title}.") from None
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}): check it and its permissions.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"'{path}' is not valid JSON ({error}): download it again.") from None
    except (ValueError, TypeError, OverflowError):
        raise UserError(f"'{path}' is not a list of {wanted} numbers per entry: download {title} again.") from None


def read_yaml_file(path: Path, keys: Sequence[str], title: str) -> dict[str, Any]:
    """A YAML file that is a mapping with these keys.

    Raises:
        UserError: It is missing, is not YAML, or lacks a key.
    """
    try:
        content = read_yaml(read_text(path), f"'{path}'")
    except FileNotFoundError:
        raise UserError(f"'{path}' is missing: complete the download of {title}.") from None
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}): check it and its permissions.") from None
    except (yaml.YAMLError, ValueError):
        raise UserError(f"'{path}' is not valid YAML: download it again.") from None
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise UserError(f"'{path}' lacks {', '.join(missing)}, so it is not {title}'s: download it again.")
    return dict(content)


def boxes_of_joints(joints: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Tight boxes around projected joints.

    Args:
        joints: (N, 21, 3) m, camera frame, x right, y down, z forward.
        valid: (N, 21) bool.
        intrinsics: (N, 3, 3) px.

    Returns:
        (N, 4) float32 x, y, w, h px; NaN for a hand without a valid joint in front of the camera.
    """
    # Imported here because an index is found and opened without PyTorch.
    from gesturehand.camera import project

    seen = valid & (joints[..., 2] > 0)
    points = project(np.where(seen[..., None], joints, 1.0), intrinsics)
    low = np.where(seen[..., None], points, np.inf).min(1)
    high = np.where(seen[..., None], points, -np.inf).max(1)
    some = np.asarray(seen.any(1))[:, None]
    low, high = np.where(some, low, np.nan), np.where(some, high, np.nan)
    return np.concatenate([low, high - low], -1).astype(np.float32)


def set_columns(
    *,
    file_name: Sequence[str],
    image_size_px: np.ndarray,
    bbox_px: np.ndarray,
    hand_type: np.ndarray,
    frame: np.ndarray,
    camera: np.ndarray,
    joints_world: np.ndarray,
    joint_valid: np.ndarray,
    intrinsics: np.ndarray,
    camera_rotation: np.ndarray | None = None,
    camera_translation: np.ndarray | None = None,
    joint_valid_image: np.ndarray | None = None,
    depth_known: np.ndarray | None = None,
    mano_valid: np.ndarray | None = None,
    mano_pose: np.ndarray | None = None,
    mano_betas: np.ndarray | None = None,
    mano_trans: np.ndarray | None = None,
    annotation_id: np.ndarray | None = None,
    gesture: np.ndarray | None = None,
    subject: np.ndarray | None = None,
    capture_name: Sequence[str] = (),
    frame_name: Sequence[str] = (),
    camera_name: Sequence[str] = (),
) -> Columns:
    """N images of F captured frames by C cameras, as :class:`gesturehand.data.index.InterHandIndex` describes them.

    Args:
        file_name: N names, relative to the format's image folder.
        image_size_px: (N, 2) width and height, or (2,) of all.
        bbox_px: (N, 4) x, y, w, h.
        hand_type: (N,) bit mask of the hands an image shows, 1 right, 2 left.
        frame: (N,) row of the captured frame.
        camera: (N,) row of the camera.
        joints_world: (F, 2, 21, 3) m, right and left hand, the papers' order.
        joint_valid: (F, 2, 21) bool.
        intrinsics: (C, 3, 3) px.
        camera_rotation: (C, 3, 3), world → camera; None: the world is the camera.
        camera_translation: (C, 3) m, likewise.
        joint_valid_image: (N, 2, 21) bool, per image; None: as per frame.
        depth_known: (F,) bool; None: of all.
        mano_valid: (F, 2) bool; None: no fits.
        mano_pose: (F, 2, 48) in the format's pose form.
        mano_betas: (F, 2, 10).
        mano_trans: (F, 2, 3) m, in the format's pose form.
        annotation_id: (N,); None: counted from 0.
        gesture: (N, 2) coarse and fine class; None: no labels.
        subject: (N,) whose hand; None: not known.
        capture_name: F names of the capture of each frame, by which ``data.captures`` chooses.
        frame_name: F names.
        camera_name: C names, by which ``data.cameras`` chooses.
    """
    images, frames, cameras = len(file_name), len(joints_world), len(intrinsics)
    joint_valid = np.asarray(joint_valid, bool)
    if joint_valid_image is None:
        joint_valid_image = joint_valid[frame]
    return {
        "annotation_id": _column(annotation_id, np.arange(images), np.int64),
        "image_size_px": np.broadcast_to(np.asarray(image_size_px, np.int32), (images, 2)),
        "bbox_px": np.asarray(bbox_px, np.float32).reshape(images, 4),
        "hand_type": np.asarray(hand_type, np.uint8),
        "joint_flags": pack_flags(joint_valid_image),
        "gesture": _column(gesture, np.full((images, 2), NO_GESTURE), np.int16),
        "own_label": np.full((images, 2), NO_GESTURE, np.int32),
        "own_label_set": text_column([]),
        "own_label_name": text_column([]),
        "subject": _column(subject, np.full(images, -1), np.int16),
        "sequence": np.zeros(images, np.int32),
        "frame": np.asarray(frame, np.int32),
        "camera": np.asarray(camera, np.int32),
        "joints_world": np.where(joint_valid[..., None], joints_world, 0).astype(np.float32),
        "joint_valid_frame": joint_valid,
        "depth_known": _column(depth_known, np.ones(frames), bool),
        "mano_valid": _column(mano_valid, np.zeros((frames, 2)), bool),
        "mano_pose": _column(mano_pose, np.zeros((frames, 2, 48)), np.float32),
        "mano_betas": _column(mano_betas, np.zeros((frames, 2, 10)), np.float32),
        "mano_trans": _column(mano_trans, np.zeros((frames, 2, 3)), np.float32),
        "camera_rotation": _column(camera_rotation, np.broadcast_to(np.eye(3), (cameras, 3, 3)), np.float32),
        "camera_translation": _column(camera_translation, np.zeros((cameras, 3)), np.float32),
        "intrinsics": np.asarray(intrinsics, np.float32),
        "sequence_name": text_column([""]),
        "frame_capture": text_column(capture_name or [""] * frames),
        "frame_name": text_column(frame_name or [""] * frames),
        "camera_name": text_column(camera_name or [""] * cameras),
        "other_row": np.arange(images),
        "other_name": text_column(file_name),
    }


def _column(given: np.ndarray | None, default: np.ndarray, dtype: type) -> np.ndarray:
    return np.asarray(default if given is None else given, dtype)


class SetFormat(ABC):
    """A format: how a set lies on disk, and how its annotations are to be read.

    A subclass reads annotation files only. Images stay where they are, and :class:`InterHandIndex` looks them up by
    names relative to :meth:`image_folder`.

    Attributes:
        name: Value of ``data.format``.
        title: What people call it.
        sign: The files by which a folder is recognised, in words, for messages.
        joints: Name of its joints' definition (:mod:`gesturehand.hand.conventions`); None: the hand model's own.
        pose_form: How it writes MANO's pose and place.
    """

    name: str
    title: str
    sign: str
    joints: str | None = None
    pose_form: PoseForm = PoseForm(0)

    @abstractmethod
    def recognises(self, root: Path) -> bool:
        """Whether a folder (or file) looks like this format's; cheap, and never raises."""

    def check_root(self, root: Path) -> None:  # noqa: B027
        """Checks that a root that was chosen for this format is in it.

        Raises:
            UserError: It does not exist, or is in another format or of another version.
        """

    def wrong_folder(self, root: Path) -> UserError:
        """The error for a root that is not in this format."""
        return UserError(f"'{root}' is not the folder of {self.title}, which holds {self.sign}: check the path.")

    def check_split(self, root: Path, split: str) -> None:
        """Checks that a split exists.

        Raises:
            UserError: It does not; the message names those that do.
        """
        have = self.splits(root)
        if split not in have:
            raise UserError(
                f"{self.title} in '{root}' has no split '{split}', only {' and '.join(map(repr, have))}: name one of "
                "its splits, or complete the download."
            )

    @abstractmethod
    def splits(self, root: Path) -> list[str]:
        """The splits whose annotations exist, in the order train, val, test."""

    def has_split(self, root: Path, split: str) -> bool:
        """Whether a split exists, be it incomplete; :meth:`build` then reports what is wrong with it."""
        return split in self.splits(root)

    @abstractmethod
    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        """The state of the files that a split's index is made from.

        Raises:
            UserError: One is missing.
        """

    @abstractmethod
    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        """Reads a split's annotations once (:func:`gesturehand.data.formats.set_format.set_columns` helps).

        Args:
            root: The set.
            split: Its split.
            mano_fits: Whether MANO fits are needed; those that are quick to read may be included anyway.
            progress: Show a progress bar if it takes long.

        Raises:
            UserError: A file is missing or broken, or the files do not belong together.
        """

    def image_folder(self, root: Path, split: str) -> Path:
        """The folder that the index's file names are relative to."""
        return root

    def index_path(self, root: Path, split: str) -> Path:
        """The path of a split's index if that folder can be written to."""
        return root / f"gesturehand_{self.name}_{split}_index.safetensors"


def state_of(paths: Iterable[Path]) -> list[int]:
    """The number of files and folders, and a hash of their names, sizes and times.

    Raises:
        OSError: One is missing.
    """
    digest, count = sha256(), 0
    for path in paths:
        state = path.stat()
        digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}\n".encode())
        count += 1
    return [count, int.from_bytes(digest.digest()[:7])]
