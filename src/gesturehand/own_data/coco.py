"""COCO key points, as annotation tools export them, as rows of hands."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gesturehand.data.coco_file import CocoFile, CocoJoints
from gesturehand.data.image_file import look_at_image
from gesturehand.errors import UserError
from gesturehand.own_data.rows import ImageNames, Row

#: The unit of ``joint_cam``.
_MM_PER_M = 1000.0


def is_coco(content: Any) -> bool:
    """Whether a JSON file's content is COCO's: an object with lists of images and annotations."""
    return isinstance(content, dict) and all(isinstance(content.get(name), list) for name in ("images", "annotations"))


def coco_rows(path: Path, content: Any, images: Path) -> list[Row]:
    """The annotated hands of a COCO file; annotations without key points, and joints with v = 0, are left out.

    Args:
        path: The file, for messages.
        content: The file's content.
        images: Folder of the images.

    Raises:
        UserError: It does not have COCO's layout, an annotation's image is not listed or does not exist, or its key
            points are not those of hands.
    """
    try:
        file = msgspec.convert(content, CocoFile)
    except msgspec.ValidationError as error:
        raise UserError(f"The COCO file '{path}' does not fit COCO's layout ({error}): export it again.") from None
    listed = {image.id: image for image in file.images}
    names = ImageNames(images)
    joints = CocoJoints(file.categories or [])
    rows = []
    for number, annotation in enumerate(file.annotations):
        where = f"Annotation {number if annotation.id is None else annotation.id} of '{path}'"
        if annotation.image_id not in listed:
            raise UserError(f"{where} is of the image {annotation.image_id!r}, which is not listed: export it again.")
        image = listed[annotation.image_id]
        try:
            hands = list(joints.hands(annotation))
        except ValueError as error:
            raise UserError(
                f"{where} {error}: annotate hands with 21 key points each, in the order of docs/own_data.md, or "
                "named as there."
            ) from None
        if not hands:
            continue
        name = names.find(where, image.file_name)
        if image.width and image.height:
            # Tools that make images smaller than the annotated ones keep the size in the file.
            look_at_image(images / name, (int(image.width), int(image.height)))
        for hand in hands:
            values: dict[str, Any] = {"image": name, "joints_2d": _points(hand.joints)}
            if hand.side is not None:
                values["hand"] = hand.side
            if hand.joints_cam is not None:
                values["joints_3d"] = _points(hand.joints_cam / _MM_PER_M)
            if image.cam_param is not None:
                values["intrinsics"] = [*image.cam_param.focal, *image.cam_param.princpt]
            rows.append(Row(where, values))
    if not rows:
        raise UserError(f"The COCO file '{path}' has no annotation with key points: annotate the joints of hands.")
    return rows


def _points(joints: np.ndarray) -> list[list[float] | None]:
    return [point.tolist() if np.isfinite(point).all() else None for point in joints]
