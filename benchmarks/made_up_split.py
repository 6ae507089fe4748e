"""Annotation files of a made-up split of any size in InterHand2.6M's format, written as a stream."""

import json
from pathlib import Path

import numpy as np

from gesturehand.data.files import annotation_path
from gesturehand.gestures import vocabulary

#: The numbers of the real train split.
IMAGES, FRAMES, CAPTURES, CAMERAS = 1_361_062, 18_718, 26, 80


def write_split(root: Path, images: int = IMAGES, frames: int = FRAMES, split: str = "train") -> None:
    """Writes the four files, with numbers and names of real lengths and random contents."""
    random = np.random.default_rng(0)
    annotation_path(root, split, "data").parent.mkdir(parents=True)
    (root / "images").mkdir()
    sequences = [f"{number:04d}_{name}" for number, name in enumerate(vocabulary().fine_of_sequence)]
    names = [f"{400000 + 2 * number}" for number in range(CAMERAS)]
    per_capture = -(-frames // CAPTURES)
    capture_of = [min(frame // per_capture, CAPTURES - 1) for frame in range(frames)]
    kinds = random.choice(["right", "left", "interacting"], frames, p=[0.3, 0.3, 0.4]).tolist()
    shown = {"right": [1] * 21 + [0] * 21, "left": [0] * 21 + [1] * 21, "interacting": [1] * 42}

    def image(number: int) -> dict[str, object]:
        frame = number % frames
        capture, camera, sequence = capture_of[frame], names[number // frames], sequences[frame // 40 % len(sequences)]
        name = f"Capture{capture}/{sequence}/cam{camera}/image{1000 + frame}.jpg"
        width, height = (512, 334) if number // frames % 2 else (334, 512)
        return {
            "id": number, "file_name": name, "width": width, "height": height, "capture": capture, "subject": capture,
            "seq_name": sequence, "camera": camera, "frame_idx": 1000 + frame,
        }  # fmt: skip

    boxes = random.uniform(20, 200, (4096, 4)).tolist()
    dropped = random.integers(0, 42, 4096).tolist()

    def annotation(number: int) -> dict[str, object]:
        kind = kinds[number % frames]
        valid = list(shown[kind])
        if number % 5 == 0:  # a joint outside the image
            valid[dropped[number % 4096]] = 0
        return {
            "id": number, "image_id": number, "bbox": boxes[number % 4096], "joint_valid": [[flag] for flag in valid],
            "hand_type": kind, "hand_type_valid": 1,
        }  # fmt: skip

    with annotation_path(root, split, "data").open("w", encoding="utf-8") as file:
        for key, make in (("images", image), ("annotations", annotation)):
            file.write('{"images": [' if key == "images" else '], "annotations": [')
            for number in range(images):
                file.write((", " if number else "") + json.dumps(make(number)))
        file.write("]}")
    joints: dict[str, dict[str, object]] = {str(capture): {} for capture in range(CAPTURES)}
    fits: dict[str, dict[str, object]] = {str(capture): {} for capture in range(CAPTURES)}
    for frame in range(frames):
        capture, kind = str(capture_of[frame]), kinds[frame]
        joints[capture][str(1000 + frame)] = {
            "world_coord": random.normal(0, 100, (42, 3)).tolist(),
            "joint_valid": [[flag] for flag in shown[kind]],
            "hand_type": kind,
            "hand_type_valid": True,
        }
        fits[capture][str(1000 + frame)] = {
            side: {
                "pose": random.normal(0, 0.3, 48).tolist(),
                "shape": random.normal(0, 1, 10).tolist(),
                "trans": random.normal(0, 0.1, 3).tolist(),
            }
            if kind in (side, "interacting")
            else None
            for side in ("right", "left")
        }
    eye = np.eye(3).tolist()
    cameras = {
        str(capture): {
            "campos": {name: [0.0, 0.0, -1000.0] for name in names},
            "camrot": dict.fromkeys(names, eye),
            "focal": {name: [1200.0, 1200.0] for name in names},
            "princpt": {name: [256.0, 167.0] for name in names},
        }
        for capture in range(CAPTURES)
    }
    for kind, content in (("camera", cameras), ("joint_3d", joints), ("MANO_NeuralAnnot", fits)):
        annotation_path(root, split, kind).write_text(json.dumps(content), encoding="utf-8")
