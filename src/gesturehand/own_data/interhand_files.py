"""An annotated image as entries in InterHand2.6M's files; the world frame is the camera's."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from gesturehand.camera import solve_translation
from gesturehand.data.files import Kind
from gesturehand.errors import UserError
from gesturehand.own_data.entries import HandEntry
from gesturehand.own_data.hand_checks import Intrinsics, projected
from gesturehand.skeleton import INTERHAND_FROM_JOINTS, NUM_JOINTS, SIDES

_CAPTURE: Final = "0"
#: The plane on which 2D joints are put: z = 1 m.
_PLANE_MM: Final = 1000.0
#: The mean distance of projected 3D joints to 2D ones, as a share of the hand's size, beyond which a unit, a frame or
#: the intrinsics must be wrong.
_MOST_DISAGREEMENT: Final = 0.1
_NO_GESTURE: Final = "unlabelled"
_BOX_FACTOR: Final = 1.2
#: Factor on a box around a hand: a crop's side is then 1.4 times as long, as if `predict` were given the box.
_HAND_BOX_FACTOR: Final = 1.12


def lifted(joints_2d: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """(21, 2) px → (21, 3) mm on the plane z = 1 m that project to them."""
    focal, centre = np.array(intrinsics[:2]), np.array(intrinsics[2:])
    plane = (joints_2d - centre) / focal * _PLANE_MM
    return np.concatenate([plane, np.full((len(plane), 1), _PLANE_MM)], 1)


def empty_files() -> dict[Kind, Any]:
    """The four annotation files of a split without images."""
    return {
        "data": {"images": [], "annotations": []},
        "camera": {_CAPTURE: {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}},
        "joint_3d": {_CAPTURE: {}},
        "MANO_NeuralAnnot": {_CAPTURE: {}},
    }


def add_image(
    content: dict[Kind, Any],
    number: int,
    hands: Sequence[HandEntry],
    size: tuple[int, int],
    camera: str,
    calibration: Intrinsics,
    subject: int,
    suffix: str,
) -> str:
    """Adds an image's entries to a split's files.

    Args:
        content: The files by kind; changed.
        number: Id of the image, its annotation and its frame.
        hands: The hands in it, right before left.
        size: Width and height as shown, px.
        camera: Name of the calibration.
        calibration: Its intrinsics.
        subject: The person whose hands they are.
        suffix: Suffix of the image's file name.

    Returns:
        The image's file name, relative to ``images/{split}``.

    Raises:
        UserError: A hand's 3D joints do not project onto its 2D ones.
    """
    joints = np.full((len(SIDES), NUM_JOINTS, 3), np.nan)
    pixels = np.full((len(SIDES), NUM_JOINTS, 2), np.nan)
    for hand in hands:
        side = SIDES.index(hand.side)
        joints[side] = _joints_mm(hand, calibration)
        pixels[side] = projected(joints[side], calibration)
    valid = np.isfinite(joints).all(-1)
    flags = valid[:, list(INTERHAND_FROM_JOINTS)].ravel()
    kind = hands[0].side if len(hands) == 1 else "interacting"
    sequence = next((hand.sequence for hand in hands if hand.sequence), _NO_GESTURE)
    prefix = {"right": "00", "left": "01", "interacting": "02"}[kind]
    seq_name = f"{prefix}00_{sequence}"
    file_name = f"Capture{_CAPTURE}/{seq_name}/cam{camera}/image{number}{suffix}"
    content["data"]["images"].append(
        {
            "id": number,
            "file_name": file_name,
            "width": size[0],
            "height": size[1],
            "capture": int(_CAPTURE),
            "subject": subject,
            "seq_name": seq_name,
            "camera": camera,
            "frame_idx": number,
        }
    )
    content["data"]["annotations"].append(
        {
            "id": number,
            "image_id": number,
            "bbox": _bbox(hands, pixels[valid], size),
            "joint_valid": [[int(ok)] for ok in flags],
            "hand_type": kind,
            "hand_type_valid": 1,
            **({"hand_labels": labels} if (labels := _labels(hands)) else {}),
        }
    )
    world = np.where(valid[..., None], joints, 1.0)[:, list(INTERHAND_FROM_JOINTS)].reshape(-1, 3)
    content["joint_3d"][_CAPTURE][str(number)] = {
        "world_coord": world.tolist(),
        "joint_valid": [[bool(ok)] for ok in flags],
        "hand_type": kind,
        "hand_type_valid": True,
        # If one hand has no depth, its whole frame counts as having none.
        "depth_known": all(hand.has_depth for hand in hands),
    }
    fits = {hand.side: hand.mano for hand in hands if hand.mano is not None}
    if fits:
        content["MANO_NeuralAnnot"][_CAPTURE][str(number)] = {side: fits.get(side) for side in SIDES}
    table = content["camera"][_CAPTURE]
    table["campos"][camera], table["camrot"][camera] = [0.0, 0.0, 0.0], np.eye(3).tolist()
    table["focal"][camera], table["princpt"][camera] = list(calibration[:2]), list(calibration[2:])
    return file_name


def _joints_mm(hand: HandEntry, calibration: Intrinsics) -> np.ndarray:
    """(21, 3) mm, camera frame: the 3D joints, checked against the 2D ones, or these lifted or placed."""
    joints = hand.joints_3d if hand.joints_relative is None else _placed(hand, calibration)
    if joints is None:
        return np.full((NUM_JOINTS, 3), np.nan) if hand.joints_2d is None else lifted(hand.joints_2d, calibration)
    if hand.joints_2d is not None:
        distance = np.linalg.norm(projected(joints, calibration) - hand.joints_2d, axis=1)
        size = np.ptp(hand.joints_2d[np.isfinite(distance)], axis=0).max(initial=1.0)
        if np.isfinite(distance).any() and np.nanmean(distance) > _MOST_DISAGREEMENT * size:
            raise UserError(
                f"The {hand.side} hand of '{hand.image}': 3D joints project {np.nanmean(distance):.0f} px beside the "
                "2D ones: check unit (metres), frame (x right, y down, z forward), order and intrinsics."
            )
    if hand.joints_relative is None:
        return joints * 1000
    assert hand.joints_2d is not None  # an entry has both
    # The pixels are the better label: each joint is moved at its depth onto its own.
    rays = lifted(hand.joints_2d, calibration) / _PLANE_MM
    return rays * joints[:, 2:] * 1000


def _placed(hand: HandEntry, calibration: Intrinsics) -> np.ndarray:
    """(21, 3) m, camera frame: relative joints, placed where they project best onto the 2D ones."""
    assert hand.joints_2d is not None
    assert hand.joints_relative is not None
    joints = hand.joints_relative
    known = np.isfinite(joints).all(-1) & np.isfinite(hand.joints_2d).all(-1)
    matrix = np.array([[calibration[0], 0, calibration[2]], [0, calibration[1], calibration[3]], [0, 0, 1]])
    place = solve_translation(joints[known], hand.joints_2d[known], matrix)
    if not np.isfinite(place).all():
        raise UserError(
            f"The {hand.side} hand of '{hand.image}' has joints_relative that project nowhere onto its joints_2d: "
            "check frame (x right, y down, z forward) and order."
        )
    return joints + place


def _labels(hands: Sequence[HandEntry]) -> dict[str, dict[str, Any]]:
    """By side, the labels that InterHand2.6M's files have no field for; hands without any are left out."""
    labels: dict[str, dict[str, Any]] = {}
    for hand in hands:
        said = {"label": hand.label, "label_set": hand.label_set, "presence": hand.presence, **hand.notes}
        said["pseudo_label"] = hand.pseudo_label or None
        known = {name: value for name, value in said.items() if value is not None}
        if known:
            labels[hand.side] = known
    return labels


def _bbox(hands: Sequence[HandEntry], pixels: np.ndarray, size: tuple[int, int]) -> list[float]:
    """x, y, width, height: the joints' tight box × 1.2 within the image, as in InterHand2.6M, or the given boxes'."""
    boxes = np.array([hand.box for hand in hands if not hand.has_joints]).reshape(-1, 4)
    points = np.concatenate([pixels, boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    return _widened(points, _BOX_FACTOR if len(pixels) else _HAND_BOX_FACTOR, size)


def _widened(points: np.ndarray, factor: float, size: tuple[int, int]) -> list[float]:
    low, high = points.min(0), points.max(0)
    middle, half = (low + high) / 2, (high - low) / 2 * factor
    limit = np.array(size) - 1.0
    low, high = np.clip(middle - half, 0, limit), np.clip(middle + half, 0, limit)
    return [*low.tolist(), *(high - low).tolist()]
