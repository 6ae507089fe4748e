"""Square crop boxes from three sources: RootNet's published ones, the annotation's, the joints'.

All boxes are (M, 3) float64: centre x, centre y and side length, px of the original image.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.camera import project, transform_points
from gesturehand.data.crop import turned_extent
from gesturehand.data.index import HAND_TYPES, InterHandIndex
from gesturehand.data.selection import BoxSource, Selection
from gesturehand.errors import UserError
from gesturehand.text_file import read_json

#: EANet and InterNet widen a box by this factor (EANet twice: before it is clipped and after it is squared).
_MARGIN: Final = 1.25
#: A side shorter than this is degenerate and is replaced by it.
_SMALLEST_SIDE_PX: Final = 4.0


class CropBoxes:
    """Boxes as a virtual (M, 3) array: each is computed from the index when it is needed.

    A million samples' boxes would take seconds to compute at the start and megabytes in every process; a batch's take
    a millisecond.
    """

    def __init__(self, index: InterHandIndex, selection: Selection, source: BoxSource) -> None:
        self.index = index
        self.selection = selection
        self.source = source

    def __len__(self) -> int:
        return len(self.selection)

    def __getitem__(self, number: Any) -> np.ndarray:
        """(3,) of one sample, or (m, 3) of several."""
        if isinstance(number, int | np.integer):
            return self[np.array([number])][0]
        return crop_boxes(self.index, self.selection.part(number), self.source)

    def turned(self, numbers: np.ndarray, turns: np.ndarray) -> np.ndarray:
        """The boxes of crops that are turned.

        Boxes from joints are squares around the rotated joints, or, for hands at the image's edge, around the part
        inside the image; annotated boxes are rotated about their centres.

        Args:
            numbers: (m,) samples of one hand each.
            turns: (m,) radians, clockwise as seen.

        Returns:
            (m, 3).
        """
        boxes, selection = self[numbers], self.selection.part(numbers)
        if self.source != "joints":
            return boxes
        points, valid = (array[:, 0] for array in image_joints(self.index, selection))
        limit = self.index.image_size_px[selection.row, None] - 1.0
        inside = np.clip(points, 0, limit)
        seen = np.asarray((np.equal(inside, points).all(-1) & valid).any(-1))
        known = valid.any(-1)
        points = np.where(seen[:, None, None], inside, points)[known]
        centre, size = turned_extent(points, valid[known], turns[known])
        corner = centre - size * (_MARGIN / 2)
        boxes[known] = _square(np.concatenate([corner, size * _MARGIN], -1)) * [1, 1, _MARGIN]
        return boxes

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        boxes = crop_boxes(self.index, self.selection, self.source)
        return boxes if dtype is None else boxes.astype(dtype)


def crop_boxes(
    index: InterHandIndex, selection: Selection, source: BoxSource, rootnet_file: str | Path | None = None
) -> np.ndarray:
    """Square boxes for every sample.

    The annotation's and RootNet's boxes enclose everything an annotation shows, so the box of a sample that is one hand
    of a two-hand annotation always comes from the joints.

    Args:
        index: The split.
        selection: Its samples.
        source: The source of the boxes.
        rootnet_file: RootNet's JSON list of ``{annot_id, bbox, …}``, for ``source="rootnet"``.

    Returns:
        (M, 3) float64: centre x, centre y, side, px.

    Raises:
        UserError: The RootNet file is not given, does not exist, or lacks annotations.
    """
    boxes = _square(_joint_boxes(index, selection)) * [1, 1, _MARGIN]
    if source == "joints":
        return boxes
    whole = (index.hand_type[selection.row] != HAND_TYPES["interacting"]) | (selection.hand.shape[1] == 2)
    if source == "annotation":
        annotated = _square(index.bbox_px[selection.row].astype(np.float64)) * [1, 1, _MARGIN]
    else:
        annotated = _square(_rootnet_boxes(index, selection.row[whole], rootnet_file, len(selection), whole))
    return np.where(whole[:, None], annotated, boxes)


def image_joints(index: InterHandIndex, selection: Selection) -> tuple[np.ndarray, np.ndarray]:
    """The positions of samples' joints in their images.

    Returns:
        (M, H, 21, 2) px and (M, H, 21) bool: valid by the frame's flag, in front of the camera, of a shown hand.
    """
    frame, camera = index.frame[selection.row, None], index.camera[selection.row, None]
    joints = transform_points(
        index.joints_world[frame, selection.hand], index.camera_rotation[camera], index.camera_translation[camera]
    )
    present = index.hand_type[selection.row, None] & np.array([1, 2])[selection.hand] > 0
    valid = index.joint_valid_frame[frame, selection.hand] & present[..., None] & (joints[..., 2] > 0)
    return project(np.where(valid[..., None], joints, 1.0), index.intrinsics[camera]), valid


def _joint_boxes(index: InterHandIndex, selection: Selection) -> np.ndarray:
    """As in EANet: each hand's tight box of the valid joints × 1.25, their union clipped to the image; x, y, w, h."""
    points, valid = image_joints(index, selection)
    low = np.where(valid[..., None], points, np.inf).min(2)
    high = np.where(valid[..., None], points, -np.inf).max(2)
    # The margin of a hand without a valid joint is -inf, which keeps it out of the union.
    margin = (high - low) / 2 * (_MARGIN - 1)
    low, high = (low - margin).min(1), (high + margin).max(1)
    # If no joint lies in front of the camera, only the annotated box is left.
    nowhere = ~np.asarray(valid.any((1, 2)))[:, None]
    bbox = index.bbox_px[selection.row]
    low, high = np.where(nowhere, bbox[:, :2], low), np.where(nowhere, bbox[:, :2] + bbox[:, 2:], high)
    limit = index.image_size_px[selection.row] - 1.0
    inside_low, inside_high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    # A hand wholly outside the image keeps its unclipped box: the crop is then empty but finite.
    outside = (inside_high <= inside_low).any(-1, keepdims=True)
    low, high = np.where(outside, low, inside_low), np.where(outside, high, inside_high)
    return np.concatenate([low, high - low], -1).astype(np.float64)


def _square(box: np.ndarray) -> np.ndarray:
    """(M, 4) x, y, w, h → (M, 3) centre and the longer side."""
    side = np.maximum(box[:, 2:].max(-1, keepdims=True), _SMALLEST_SIDE_PX)
    return np.concatenate([box[:, :2] + box[:, 2:] / 2, side], -1)


def _rootnet_boxes(
    index: InterHandIndex, rows: np.ndarray, path: str | Path | None, count: int, where: np.ndarray
) -> np.ndarray:
    if path is None:
        raise UserError("boxes=rootnet needs RootNet's published file: pass it as --data.rootnet_file.")
    entries = read_json(path, "RootNet's file", "download it again")
    try:
        box_of = {int(entry["annot_id"]): np.array(entry["bbox"], np.float64).reshape(4) for entry in entries}
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"'{path}' is not RootNet's output (a JSON list of annot_id and bbox): download it again."
        ) from None
    ids = index.annotation_id[rows]
    missing = [int(i) for i in ids if int(i) not in box_of]
    if missing:
        example = index.image_file(int(rows[list(ids).index(missing[0])]))
        raise UserError(
            f"RootNet's file '{path}' has no box for {len(missing)} of {len(ids)} annotations (the first: "
            f"{missing[0]}, '{example}'): use the file of this split, or boxes=joints."
        )
    boxes = np.zeros((count, 4))
    boxes[where] = [box_of[int(i)] for i in ids]
    return boxes
