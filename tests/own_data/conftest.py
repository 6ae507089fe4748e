"""Frames of the tiny synthetic set as a user's data: images in one folder, true joints in a list."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pytest
from set_files import true_hands


class OwnData(NamedTuple):
    """A folder of images and a list of hands with 2D and 3D joints, intrinsics and gesture."""

    images: Path
    hands: list[dict[str, Any]]


@pytest.fixture(scope="session")
def own_data(tmp_path_factory, two_hand_root) -> OwnData:
    folder = tmp_path_factory.mktemp("own")
    (folder / "photos").mkdir()
    hands = []
    for hand in true_hands(two_hand_root, "train"):
        name = f"photos/{hand.row:03d}.png"
        cv2.imwrite(str(folder / name), cv2.imread(str(hand.source)))
        k = hand.intrinsics
        entry = {
            "image": name,
            "hand": hand.side,
            "intrinsics": [k[0, 0], k[1, 1], k[0, 2], k[1, 2]],
            "subject": f"person {hand.subject}",
            "split": "train",
        }
        for key, points in (("joints_2d", hand.pixels), ("joints_3d", hand.joints)):
            entry[key] = [point.tolist() if ok else None for point, ok in zip(points, hand.valid, strict=True)]
        if hand.gesture:
            entry["gesture"] = hand.gesture
        hands.append(entry)
    return OwnData(folder, hands)
