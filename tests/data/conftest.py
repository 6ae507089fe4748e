"""InterHand2.6M's files read in a slow and plain way, and copies of a set with changed annotations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from set_files import frames_of

from gesturehand.data.files import annotation_path

#: For each of the 21 joints in the papers' order (wrist, thumb 1-4, …), its place in InterHand2.6M's.
PLACE_IN_INTERHAND = [20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16]
KINDS = ("data", "camera", "joint_3d", "MANO_NeuralAnnot")


def load(root: Path, split: str, kind: str) -> dict[str, Any]:
    path = annotation_path(root, split, kind)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def flag(value: Any) -> bool:
    return bool(value[0] if isinstance(value, list) else value)


@pytest.fixture(scope="session")
def plain_records() -> Callable[[Path, str], list[dict[str, Any]]]:
    """A split as one dictionary per annotation, in the file's order; joints in the papers' order, metres."""

    def read(root: Path, split: str) -> list[dict[str, Any]]:
        data, camera, joint_3d, mano = (load(root, split, kind) for kind in KINDS)
        records = []
        for annotation in data["annotations"]:
            image = next(entry for entry in data["images"] if entry["id"] == annotation["image_id"])
            capture, name = str(image["capture"]), image["camera"]
            frame = joint_3d[capture][str(image["frame_idx"])]
            fits = mano.get(capture, {}).get(str(image["frame_idx"])) or {}
            camera_of = {
                kind: np.array(camera[capture][kind][name]) for kind in ("campos", "camrot", "focal", "princpt")
            }
            record: dict[str, Any] = {
                "id": annotation["id"],
                "file_name": image["file_name"],
                "size": (image["width"], image["height"]),
                "bbox": annotation["bbox"],
                "hand_type": annotation["hand_type"],
                "seq_name": image["seq_name"],
                "subject": image["subject"],
                "rotation": camera_of["camrot"],
                "position": camera_of["campos"] / 1000,
                "intrinsics": np.array(
                    [
                        [camera_of["focal"][0], 0, camera_of["princpt"][0]],
                        [0, camera_of["focal"][1], camera_of["princpt"][1]],
                        [0, 0, 1],
                    ]
                ),
                "hands": [],
            }
            for hand, side in enumerate(("right", "left")):
                places = [21 * hand + place for place in PLACE_IN_INTERHAND]
                record["hands"].append(
                    {
                        "side": side,
                        "shown": annotation["hand_type"] in (side, "interacting"),
                        "joints": np.array([frame["world_coord"][place] for place in places]) / 1000,
                        "valid_frame": np.array([flag(frame["joint_valid"][place]) for place in places]),
                        "valid_image": np.array([flag(annotation["joint_valid"][place]) for place in places]),
                        "fit": fits.get(side),
                    }
                )
            records.append(record)
        return records

    return read


@pytest.fixture
def edited_set(tmp_path) -> Callable[..., Path]:
    """Copies one split of a set, with the annotations changed in place by a function for each kind of file.

    Its images are a link to those of the original set.
    """

    def make(root: Path, split: str, **edits: Callable[[dict[str, Any]], None]) -> Path:
        copy = tmp_path / "edited"
        annotation_path(copy, split, "data").parent.mkdir(parents=True)
        (copy / "images").symlink_to(root / "images", target_is_directory=True)
        for kind in KINDS:
            if annotation_path(root, split, kind).exists():
                content = load(root, split, kind)
                edits.get(kind, lambda content: None)(content)
                annotation_path(copy, split, kind).write_text(json.dumps(content), encoding="utf-8")
        return copy

    return make


def project_by_hand(record: dict[str, Any], point: np.ndarray) -> np.ndarray:
    """World (m) → px, one point at a time."""
    x, y, z = record["rotation"] @ (point - record["position"])
    intrinsics = record["intrinsics"]
    return np.array([intrinsics[0, 0] * x / z + intrinsics[0, 2], intrinsics[1, 1] * y / z + intrinsics[1, 2]])


@pytest.fixture(scope="session")
def project_point() -> Callable[[dict[str, Any], np.ndarray], np.ndarray]:
    return project_by_hand


@pytest.fixture
def everything_flagged(edited_set) -> Callable[[Path, str], Path]:
    """A copy in which all 42 joints and both hands' fits exist, whichever hands the annotations show."""

    def make(root: Path, split: str) -> Path:
        def data(content: dict[str, Any]) -> None:
            for annotation in content["annotations"]:
                annotation["joint_valid"] = [1] * 42

        def joint_3d(content: dict[str, Any]) -> None:
            for frame in frames_of(content):
                frame["joint_valid"] = [1] * 42

        def mano(content: dict[str, Any]) -> None:
            for fits in frames_of(content):
                known = next((fit for fit in (fits or {}).values() if fit), None)
                if known:
                    fits.update({side: fits.get(side) or known for side in ("right", "left")})

        return edited_set(root, split, data=data, joint_3d=joint_3d, MANO_NeuralAnnot=mano)

    return make
