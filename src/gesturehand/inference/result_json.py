"""A prediction as JSON: every name as users know it, nine digits (all that float32 has), arrays on one line."""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from gesturehand.inference.mesh_files import object_name
from gesturehand.inference.result import GestureResult, HandResult

#: What is written of a hand; of a video's hand also ``track``.
HAND_KEYS: Final = (
    "side",
    "box",
    "score",
    "gesture",
    "intrinsics",
    "cam_t",
    "global_orient",
    "hand_pose",
    "betas",
    "global_orient_axis_angle",
    "hand_pose_axis_angle",
    "hand_pose_axis_angle_flat",
    "joints",
    "joints_2d",
    "joints_2d_image",
    "weak_perspective",
    "crop_affine",
    "mesh_object",
)

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


def image_dictionary(
    name: str,
    size: tuple[int, int],
    intrinsics: np.ndarray,
    source: str,
    hands: Sequence[HandResult],
    model: dict[str, str],
    tracks: Sequence[int] | None = None,
    settings_sha256: str | None = None,
) -> dict[str, Any]:
    """What is written of an image; docs/predict.md describes every key.

    Args:
        name: Of the image.
        size: Its width and height, px.
        intrinsics: (3, 3) px.
        source: What they rest on: "given", "exif" or "assumed".
        hands: Predicted.
        model: What predicted them.
        tracks: Of each hand of a video, the number of its track.
        settings_sha256: Of the network and of what was asked, of an image's file.
    """
    return {
        "image": name,
        "width": size[0],
        "height": size[1],
        "frame": "camera: x right, y down, z forward; metres, radians, pixels (0 is the first pixel's centre)",
        "camera": {
            "focal": _numbers(intrinsics[(0, 1), (0, 1)]),
            "princpt": _numbers(intrinsics[:2, 2]),
            "intrinsics": source,
        },
        "model": model,
        **({} if settings_sha256 is None else {"settings_sha256": settings_sha256}),
        "hands": [
            hand_dictionary(number, hand, None if tracks is None else tracks[number])
            for number, hand in enumerate(hands)
        ],
    }


def hand_dictionary(number: int, hand: HandResult, track: int | None = None) -> dict[str, Any]:
    """One hand's entry; of a video's hand with its track."""
    arrays = (
        ("cam_t", hand.cam_t),
        ("global_orient", hand.global_orient),
        ("hand_pose", hand.hand_pose),
        ("betas", hand.betas),
        ("global_orient_axis_angle", hand.global_orient_axis_angle),
        ("hand_pose_axis_angle", hand.hand_pose_axis_angle),
        ("hand_pose_axis_angle_flat", hand.hand_pose_axis_angle_flat),
        ("joints", hand.joints),
        ("joints_2d", hand.joints_2d),
        ("joints_2d_image", hand.joints_2d_image),
        ("weak_perspective", hand.camera),
        ("crop_affine", hand.crop_affine),
    )
    return {
        "side": hand.side,
        **({} if track is None else {"track": track}),
        "box": _numbers(hand.box),
        "score": None if hand.score is None else round(hand.score, 6),
        "gesture": _gestures(hand),
        "intrinsics": hand.intrinsics_source,
        **{name: _numbers(array) for name, array in arrays},
        "mesh_object": object_name(number, hand),
    }


def dump(value: Any, indent: int = 0) -> str:
    """JSON with a line for every key and array, so that people can read it too."""
    inner, outer = "  " * (indent + 1), "  " * indent
    if isinstance(value, dict) and value and indent < 3:
        rows = [f"{inner}{json.dumps(key)}: {dump(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{outer}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = [f"{inner}{dump(item, indent + 1)}" for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{outer}]"
    return _ENCODER.encode(value)


def _gestures(hand: HandResult) -> dict[str, Any] | None:
    levels = {"coarse": hand.gesture_coarse, "fine": hand.gesture_fine}
    return {level: _gesture(result) for level, result in levels.items() if result is not None} or None


def _gesture(gesture: GestureResult) -> dict[str, Any]:
    return {
        "name": gesture.name,
        "probability": round(gesture.probability, 6),
        "top": [[name, round(probability, 6)] for name, probability in gesture.top()],
        "probabilities": {
            name: round(float(p), 6) for name, p in zip(gesture.names, gesture.probabilities, strict=True)
        },
    }


def _numbers(array: np.ndarray) -> Any:
    """Nested lists; nine significant digits give every float32 back."""
    numbers = np.asarray(array, np.float32).ravel().tolist()
    values = list(map(float, ("%.9g " * len(numbers) % tuple(numbers)).split()))
    nested: Any = np.array(values, np.float64).reshape(array.shape).tolist()
    return nested
