"""What a prediction is: one hand of an image, in plain arrays."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gesturehand.skeleton import Side

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GestureResult:
    """A gesture at one level.

    Attributes:
        name: Of the most probable class.
        probability: Its probability.
        names: Of all C classes.
        probabilities: (C,) float32, sums to 1.
    """

    name: str
    probability: float
    names: tuple[str, ...]
    probabilities: FloatArray

    @classmethod
    def of(cls, probabilities: FloatArray, names: tuple[str, ...]) -> "GestureResult":
        """From the distribution over classes."""
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
        joints: (21, 3) m, camera frame, the papers' order (:data:`gesturehand.skeleton.JOINT_NAMES`).
        joints_2d: (21, 2) px, ``joints`` projected through ``intrinsics``.
        joints_2d_image: (21, 2) px, where the network sees the joints in the image (the mean of its 2.5D joints and of
            its mesh's weak-perspective ones): what ``cam_t`` was solved from.
        camera: (3,) the network's weak-perspective camera in its crop (:func:`gesturehand.camera.weak_perspective`).
        intrinsics: (3, 3) px.
        intrinsics_source: What they rest on: "given"; "exif", the photo's focal length; "assumed", a guess.
        score: 0…1, how certain the detector was of the hand; None of a hand that was given.
        hands_mean: (45,) the hand model's mean finger pose, axis-angle.
        global_orient_axis_angle: (3,).
        hand_pose_axis_angle_flat: (45,) of ``hand_pose``: for smplx with ``flat_hand_mean=True``.
        hand_pose_axis_angle: (45,) relative to the mean pose, as in InterHand2.6M's files: for smplx with
            ``flat_hand_mean=False``.
        gesture_coarse: Of 27 classes; None where the network has no gesture head.
        gesture_fine: Of 35 classes; likewise.
        gesture_embedding: (E,) of the crop; likewise.
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
        """Nothing is known of the camera: the intrinsics, and with them the depth, are a guess."""
        return self.intrinsics_source == "assumed"
