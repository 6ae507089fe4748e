"""A prediction: one hand of an image in plain arrays, and as JSON with the documented names, nine digits (all that
float32 has), and each array on one line.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from gesturehand.skeleton import Side

FloatArray = npt.NDArray[np.float32]
#: The arrays that are written for a hand.
_ARRAYS: Final = (
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
)
#: The keys that are written for a hand; for a video's hand also ``track``.
HAND_KEYS: Final = ("side", "box", "score", "gesture", "intrinsics", *_ARRAYS, "mesh_object")

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True)
class GestureResult:
    """A gesture at one level.

    Attributes:
        name: Name of the most probable class.
        probability: Its probability.
        names: Names of all C classes.
        probabilities: (C,) float32, sums to 1.
    """

    name: str
    probability: float
    names: tuple[str, ...]
    probabilities: FloatArray

    @classmethod
    def of(cls, probabilities: FloatArray, names: tuple[str, ...]) -> "GestureResult":
        """The most probable gesture of a distribution over classes."""
        best = int(probabilities.argmax())
        return cls(names[best], float(probabilities[best]), names, probabilities)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.names[i], float(self.probabilities[i])) for i in order.tolist()]


@dataclass(frozen=True)
class HandResult:
    """One predicted hand. Arrays are float32; metres, radians and pixels of the given image.

    The camera's frame is x right, y down, z forward; the hand is as the image shows it (a left hand is a left hand).
    ``MANO(global_orient, hand_pose, betas) + cam_t`` gives ``vertices``: ``cam_t`` is what smplx calls ``transl``.

    Attributes:
        side: "right" or "left".
        box: (4,) x, y, width, height px: the box it was predicted from.
        crop_affine: (2, 3) px of the image → px of the network's crop, which shows left hands mirrored.
        global_orient: (3, 3) rotation of the wrist, camera frame.
        hand_pose: (15, 3, 3) rotations of the finger joints relative to their parents, MANO's order, the mean pose
            included.
        betas: (10,) shape.
        cam_t: (3,) m, camera frame. With assumed intrinsics its depth is only as good as they are.
        vertices: (V, 3) m, camera frame.
        faces: (F, 3) int64 triangles of this side's mesh.
        joints: (21, 3) m, camera frame, the papers' order (:data:`gesturehand.skeleton.JOINT_NAMES`): as they are
            marked in photographs if the weights know where, otherwise the hand model's own
            (:data:`gesturehand.inference.joint_definition.Joints`).
        joints_2d: (21, 2) px, ``joints`` projected through ``intrinsics``.
        joints_2d_image: (21, 2) px, where the network sees the joints in the image (the mean of its 2.5D joints and of
            its mesh's weak-perspective ones): what ``cam_t`` was solved from.
        camera: (3,) the network's weak-perspective camera in its crop (:func:`gesturehand.camera.weak_perspective`).
        intrinsics: (3, 3) px.
        intrinsics_source: What they are based on: "given"; "exif", the photo's focal length; "assumed", a guess.
        score: 0…1, how certain the detector was of the hand; None for a hand that was given.
        hands_mean: (45,) the hand model's mean finger pose, axis-angle.
        global_orient_axis_angle: (3,).
        hand_pose_axis_angle_flat: (45,) ``hand_pose`` itself: for smplx with ``flat_hand_mean=True``.
        hand_pose_axis_angle: (45,) relative to the mean pose, as in InterHand2.6M's files: for smplx with
            ``flat_hand_mean=False``.
        gesture_coarse: Over 27 classes; None if the network has no gesture head.
        gesture_fine: Over 35 classes; likewise.
        gesture_embedding: (E,) embedding of the crop; likewise.
    """

    side: Side
    box: FloatArray
    crop_affine: FloatArray
    global_orient: FloatArray
    hand_pose: FloatArray
    betas: FloatArray
    cam_t: FloatArray
    vertices: FloatArray
    faces: npt.NDArray[np.int64]
    joints: FloatArray
    joints_2d: FloatArray
    joints_2d_image: FloatArray
    camera: FloatArray
    intrinsics: FloatArray
    intrinsics_source: Literal["given", "exif", "assumed"]
    score: float | None
    hands_mean: FloatArray
    global_orient_axis_angle: FloatArray
    hand_pose_axis_angle_flat: FloatArray
    hand_pose_axis_angle: FloatArray
    gesture_coarse: GestureResult | None
    gesture_fine: GestureResult | None
    gesture_embedding: FloatArray | None

    @property
    def intrinsics_assumed(self) -> bool:
        """Whether nothing is known about the camera, so that the intrinsics, and with them the depth, are a guess."""
        return self.intrinsics_source == "assumed"


def object_name(number: int, hand: HandResult) -> str:
    """Name of a hand's object in an OBJ or GLB file."""
    return f"hand{number}_{hand.side}"


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
    """The content of an image's JSON; docs/predict.md describes every key.

    Args:
        name: Name of the image.
        size: Its width and height, px.
        intrinsics: (3, 3) px.
        source: What they are based on: "given", "exif" or "assumed".
        hands: The predicted hands.
        model: The network that predicted them.
        tracks: Number of the track of each hand in a video.
        settings_sha256: Digest of the network and the settings, for an image's file.
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
    """One hand's entry, with its track if it is a video's."""
    return {
        "side": hand.side,
        **({} if track is None else {"track": track}),
        "box": _numbers(hand.box),
        "score": None if hand.score is None else round(hand.score, 6),
        "gesture": _gestures(hand),
        "intrinsics": hand.intrinsics_source,
        **{name: _numbers(getattr(hand, "camera" if name == "weak_perspective" else name)) for name in _ARRAYS},
        "mesh_object": object_name(number, hand),
    }


def dump(value: Any, indent: int = 0) -> str:
    """JSON with a line for every key and array, so that people can read it too.

    Bytes of a file's name that are not UTF-8 are written as JSON's escapes, from which Python's reader restores them.
    """
    inner, outer = "  " * (indent + 1), "  " * indent
    if isinstance(value, dict) and value and indent < 3:
        rows = [f"{inner}{json.dumps(key)}: {dump(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{outer}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = [f"{inner}{dump(item, indent + 1)}" for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{outer}]"
    return _ENCODER.encode(value).encode("utf-8", "backslashreplace").decode()


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
