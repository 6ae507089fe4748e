"""Frames of the tiny synthetic set as somebody else's data: images in one folder, true joints in a list."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from gesturehand.camera import project, transform_points
from gesturehand.data.files import image_path
from gesturehand.data.index import read_index
from gesturehand.gestures import vocabulary


class OwnData(NamedTuple):
    """A folder of images and a list of hands with 2D and 3D joints, intrinsics and gesture."""

    images: Path
    hands: list[dict[str, Any]]


@pytest.fixture(scope="session")
def own_data(tmp_path_factory, two_hand_root) -> OwnData:
    index = read_index(two_hand_root, "train")
    folder = tmp_path_factory.mktemp("own")
    hands = []
    for row in range(len(index)):
        frame, camera = index.frame[row], index.camera[row]
        source = image_path(two_hand_root, "train", index.file_name[row].decode())
        name = f"photos/{row:03d}.png"
        (folder / "photos").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), cv2.imread(str(source)))
        for side, hand in ((0, "right"), (1, "left")):
            if not index.hand_type[row] & (1 << side):
                continue
            joints = transform_points(
                index.joints_world[frame, side].astype(np.float64),
                index.camera_rotation[camera].astype(np.float64),
                index.camera_translation[camera].astype(np.float64),
            )
            valid = np.asarray(index.joint_valid_frame[frame])[side]
            pixels = project(joints, index.intrinsics[camera].astype(np.float64))
            k = index.intrinsics[camera]
            entry = {
                "image": name,
                "hand": hand,
                "joints_2d": [point.tolist() if ok else None for point, ok in zip(pixels, valid, strict=True)],
                "joints_3d": [point.tolist() if ok else None for point, ok in zip(joints, valid, strict=True)],
                "intrinsics": [float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])],
                "subject": f"person {index.subject[row]}",
                "split": "train",
            }
            fine = int(index.gesture[row, 1])
            if fine >= 0:
                entry["gesture"] = vocabulary().fine[fine]
            hands.append(entry)
    return OwnData(folder, hands)
