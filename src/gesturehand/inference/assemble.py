"""From the network's tensors in its crop to hands in the image's camera."""

from typing import Any, Final

import cv2
import numpy as np
import roma
import torch
from torch import Tensor

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.camera import (
    FloatArray,
    frame_of_affine,
    normalised_to_px,
    project,
    scaled_translation,
    solve_translation,
    transform_affine,
)
from gesturehand.evaluation.predictions import camera_rotations
from gesturehand.hand.layer import HandModel
from gesturehand.inference.query import CropRequest, IntrinsicsSource
from gesturehand.inference.result import GestureResult, HandResult
from gesturehand.skeleton import SIDES, WRIST

#: Weight of the 2.5D joints, against the mesh's, in the joints' places in the image: the demo's network is nearest to
#: the true ones with the mean of both (docs/predict.md); shipped weights have their own share.
JOINTS_25D_SHARE: Final = 0.5


def numpy_prediction(
    hand: HandPrediction,
    gesture: GesturePrediction | None,
    crop_affine: Tensor,
    is_right: Tensor,
    hand_model: HandModel,
) -> dict[str, np.ndarray]:
    """A batch's prediction in the camera's frame, as arrays.

    The crop's mirroring is undone in the parameters, and the hand in the image is posed again: a left hand with the
    left model, which need not be the right one's exact mirror image.

    Args:
        hand: The network's prediction, crop frame, (B, H, …).
        gesture: The network's gesture prediction, or None.
        crop_affine: (B, 2, 3) px of the image → px of the crop.
        is_right: (B, H) bool, the sides as the crop shows them.
        hand_model: On the tensors' device.

    Returns:
        ``rotations`` (B, H, 16, 3, 3), camera frame; ``axis_angle`` (B, H, 16, 3); ``betas``; ``vertices`` (B, H, V, 3)
        and ``joints`` (B, H, 21, 3), m, camera axes, untranslated; ``is_right`` (B, H) as the image shows them;
        ``camera``, ``joints_2d`` and ``joints_25d`` as the network gives them; ``way`` (B, 3) from the right wrist to
        the left one, if predicted; ``coarse``, ``fine`` (B, classes) probabilities and ``embedding``, likewise.
    """
    frame = frame_of_affine(crop_affine.float())
    rotations = camera_rotations(hand["rotations"].float(), frame)
    sides = is_right ^ (torch.linalg.det(frame) < 0)[:, None]
    vertices, joints = hand_model(rotations, hand["betas"], None, sides)
    predicted: dict[str, Any] = {**hand}
    tensors = {
        "rotations": rotations,
        "axis_angle": roma.rotmat_to_rotvec(rotations.double()),
        "vertices": vertices,
        "joints": joints,
        "is_right": sides,
        **{name: predicted[name] for name in ("betas", "camera", "joints_2d", "joints_25d")},
    }
    if "relative_translation" in predicted:
        tensors["way"] = (predicted["relative_translation"][:, None] @ frame)[:, 0]
    if gesture is not None:
        tensors["coarse"] = gesture["coarse_logits"].softmax(-1)
        tensors["fine"] = gesture["fine_logits"].softmax(-1)
        tensors["embedding"] = gesture["gesture_embedding"].float()
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


def assemble_hands(
    arrays: dict[str, np.ndarray],
    slots: list[int],
    request: CropRequest,
    crop_affine: np.ndarray,
    intrinsics: FloatArray,
    *,
    source: IntrinsicsSource,
    joints_25d_share: float,
    image_size: int,
    faces: np.ndarray,
    hands_mean: np.ndarray,
    names: dict[str, tuple[str, ...]],
) -> list[HandResult]:
    """The wanted hands of one crop, placed in front of the image's camera.

    Args:
        arrays: The arrays of one crop from :func:`numpy_prediction`.
        slots: Which of the H hands to return.
        request: The request from which the crop was made.
        crop_affine: (2, 3) px of the image → px of the crop.
        intrinsics: (3, 3) px of the image.
        source: The basis of the intrinsics.
        joints_25d_share: Weight of the 2.5D joints in :func:`seen_joints`.
        image_size: Side of the crop, px.
        faces: (2, F, 3) of the right and the left hand.
        hands_mean: (2, 45) likewise.
        names: Class names by level.
    """
    back = cv2.invertAffineTransform(crop_affine)
    joints = arrays["joints"][slots].astype(np.float64)
    roots = joints[:, WRIST : WRIST + 1]
    relative = joints - roots
    seen_px = transform_affine(normalised_to_px(seen_joints(arrays, slots, joints_25d_share), image_size), back)
    # Two hands whose relative place is predicted are placed as one body.
    way = np.zeros((len(slots), 3))
    if "way" in arrays and len(slots) == 2:
        way[1] = arrays["way"]
        shifted = (relative + way[:, None]).reshape(1, -1, 3)
        wrists = solve_translation(shifted, seen_px.reshape(1, -1, 2), intrinsics) + way
    else:
        wrists = solve_translation(relative, seen_px, intrinsics)
    lost = np.asarray(np.isnan(wrists).any(-1))
    if lost.any():
        scale = arrays["camera"][slots, 0] * (image_size / 2) * np.sqrt(abs(np.linalg.det(back[:, :2])))
        wrists = np.where(lost[:, None], scaled_translation(relative, seen_px, scale, intrinsics), wrists)
    scores = request.scores or (None,) * len(slots)
    gestures: dict[str, Any] = dict.fromkeys(names)
    if "fine" in arrays:
        gestures = {level: GestureResult.of(arrays[level], names[level]) for level in names}
    results = []
    for slot, score, wrist, root, seen in zip(slots, scores, wrists, roots, seen_px, strict=True):
        side, cam_t = int(not arrays["is_right"][slot]), wrist - root[0]
        joints = arrays["joints"][slot] + cam_t
        axis_angle = arrays["axis_angle"][slot]
        results.append(
            HandResult(
                side=SIDES[side],
                box=_float32(request.box),
                crop_affine=_float32(crop_affine),
                global_orient=arrays["rotations"][slot, 0],
                hand_pose=arrays["rotations"][slot, 1:],
                betas=arrays["betas"][slot],
                cam_t=_float32(cam_t),
                vertices=_float32(arrays["vertices"][slot] + cam_t),
                faces=faces[side],
                joints=_float32(joints),
                joints_2d=_float32(project(joints, intrinsics)),
                joints_2d_image=_float32(seen),
                camera=arrays["camera"][slot],
                intrinsics=_float32(intrinsics),
                intrinsics_source=source,
                score=score,
                hands_mean=hands_mean[side],
                global_orient_axis_angle=_float32(axis_angle[0]),
                hand_pose_axis_angle_flat=_float32(axis_angle[1:].reshape(-1)),
                hand_pose_axis_angle=_float32(axis_angle[1:].reshape(-1) - hands_mean[side]),
                gesture_coarse=gestures["coarse"],
                gesture_fine=gestures["fine"],
                gesture_embedding=arrays.get("embedding"),
            )
        )
    return results


def seen_joints(
    arrays: dict[str, np.ndarray], slots: list[int], joints_25d_share: float = JOINTS_25D_SHARE
) -> np.ndarray:
    """Normalised crop coordinates (H', 21, 2) of the joints in the image, from one crop's arrays.

    The network gives them twice, as 2.5D joints and as the mesh's weak-perspective joints. They are averaged, with the
    given share of the 2.5D joints.
    """
    volume, mesh = (arrays[name][slots].astype(np.float64) for name in ("joints_25d", "joints_2d"))
    return joints_25d_share * volume[..., :2] + (1 - joints_25d_share) * mesh


def _float32(values: Any) -> np.ndarray:
    return np.asarray(values, np.float32)
