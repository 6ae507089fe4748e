"""Files of sets: copies, changes and comparisons, and the hands that they hold."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gesturehand.camera import project, transform_points
from gesturehand.data.index import read_index
from gesturehand.gestures import vocabulary

#: mmpose's names of the 21 joints, in the papers' order.
MMPOSE_NAMES = (
    "wrist",
    *(
        f"{finger}{k}"
        for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
        for k in (1, 2, 3, 4)
    ),
)


def edit_json(path: Path, change: Callable[[Any], object]) -> None:
    """Writes a file again after a change of its content in place."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def frames_of(content: dict[str, dict[str, Any]]) -> Iterator[Any]:
    """Entries of all captured frames in any file that has them by capture and frame."""
    for frames in content.values():
        yield from frames.values()


def fits_of(content: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All fits in a file of MANO parameters."""
    for fits in frames_of(content):
        yield from (fit for fit in (fits or {}).values() if fit)


def copy_split(root: Path, split: str, copy: Path) -> Path:
    """Copies annotations and images of a split, without an index, into a set; returns the set."""
    for part in ("annotations", "images"):
        shutil.copytree(root / part / split, copy / part / split, ignore=shutil.ignore_patterns("*.safetensors"))
    return copy


def contents(root: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths in it."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


class TrueHand(NamedTuple):
    """A hand in an image: 21 joints in the papers' order, float64.

    Attributes:
        source: The image's file.
        size: Its width and height, px.
        row: Its number in the split's index.
        side: ``right`` or ``left``.
        pixels: (21, 2), px of the image.
        joints: (21, 3), metres in the camera's frame.
        valid: (21,), the joints that are annotated; at least one is.
        intrinsics: (3, 3).
        subject: The person.
        gesture: Name of the fine class, if it has one.
    """

    source: Path
    size: tuple[int, int]
    row: int
    side: str
    pixels: np.ndarray
    joints: np.ndarray
    valid: np.ndarray
    intrinsics: np.ndarray
    subject: int
    gesture: str | None

    @property
    def triples(self) -> np.ndarray:
        """(21, 3): COCO's x, y and visibility; zeros for a joint that is not annotated."""
        return np.column_stack([np.where(self.valid[:, None], self.pixels, 0), self.valid])

    @property
    def box(self) -> list[float]:
        """x, y, width and height around the annotated joints, px."""
        shown = self.pixels[self.valid]
        return [*shown.min(0).tolist(), *np.ptp(shown, axis=0).tolist()]


def true_hands(root: Path, split: str) -> list[TrueHand]:
    """All hands with annotated joints, image by image, the right hand of each image first."""
    index = read_index(root, split)
    found = []
    for row in range(len(index)):
        frame, camera = index.frame[row], index.camera[row]
        rotation, translation, k = (
            array[camera].astype(np.float64)
            for array in (index.camera_rotation, index.camera_translation, index.intrinsics)
        )
        fine = int(index.gesture[row, 1])
        for place, side in enumerate(("right", "left")):
            valid = np.asarray(index.joint_valid_frame[frame])[place]
            if not index.hand_type[row] & (1 << place) or not valid.any():
                continue
            joints = transform_points(index.joints_world[frame, place].astype(np.float64), rotation, translation)
            source, size = index.image_file(row), tuple(index.image_size_px[row].tolist())
            gesture = vocabulary().fine[fine] if fine >= 0 else None
            about = (int(index.subject[row]), gesture)
            found.append(TrueHand(source, size, row, side, project(joints, k), joints, valid, k, *about))
    return found
