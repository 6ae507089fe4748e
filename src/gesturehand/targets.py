"""Makes a batch's targets, on the training device and for every architecture."""

import torch
from torch import Tensor

from gesturehand.batch import DEPTH_HALF_RANGE_M, Batch, HandPrediction, Targets, TrainingTargets
from gesturehand.camera import (
    crop_intrinsics,
    frame_of_affine,
    project,
    px_to_normalised,
    transform_affine,
    transform_points,
    weak_perspective,
)
from gesturehand.hand.conventions import PoseForm
from gesturehand.hand.layer import HandModel, change_frame, mirror_x
from gesturehand.losses import counted_labels, gesture_targets, objective_targets
from gesturehand.skeleton import WRIST

#: A shape coefficient beyond this is not credible: EANet's bound for the shape target.
LARGEST_CREDIBLE_BETA = 3.0


@torch.no_grad()
def build_targets(batch: Batch, hand_model: HandModel) -> Targets:
    """Targets in the crop's frame.

    World → camera is X_cam = R X + t; the crop then turns and mirrors the camera frame. MANO parameters follow with the
    root joint's rest position J₀(β), about which MANO rotates.

    Args:
        batch: As the loader returns it, on any device.
        hand_model: Hand model, on the batch's device.

    Returns:
        :class:`gesturehand.batch.Targets`, float32.
    """
    with torch.autocast(batch["image"].device.type, enabled=False):
        return _build(batch, hand_model)


def training_targets(batch: Batch, hand_model: HandModel) -> TrainingTargets:
    """The targets of a training step.

    They depend on nothing that is learned, so a loader's workers can compute them while the device trains
    (:func:`with_training_targets`), which saves a GPU the launch of two hundred operations.

    Args:
        batch: As the loader gives it, on any device.
        hand_model: Hand model, on the batch's device.
    """
    targets = build_targets(batch, hand_model)
    with torch.no_grad():
        objective = objective_targets(targets)
        gestures = gesture_targets(counted_labels(batch, "coarse"), counted_labels(batch, "fine"))
    definition = batch["joint_definition"]
    # Whether a tensor on the GPU holds anything is only known after waiting for it.
    defined = definition.is_cuda or bool(definition.any())
    made = TrainingTargets(objective=objective, gestures=gestures, defined_joints=defined)
    if batch["is_right"].shape[1] == 2:
        made["relative_translation"] = targets["relative_translation"]
        made["relative_translation_valid"] = targets["relative_translation_valid"]
    return made


def with_training_targets(batch: Batch, hand_model: HandModel) -> Batch:
    """A loader's batch with its training targets."""
    return Batch(**(dict(batch) | {"training_targets": training_targets(batch, hand_model)}))  # type: ignore[typeddict-item]


def as_defined(prediction: HandPrediction, batch: Batch, hand_model: HandModel) -> HandPrediction:
    """A prediction with its joints as each sample's set defines them, for losses and metrics.

    Args:
        prediction: The prediction of a network or a baseline.
        batch: The same samples.
        hand_model: The hand model of the predicted meshes.

    Returns:
        The prediction with ``joints`` and their projection ``joints_2d`` in the sets' definitions, otherwise unchanged.
    """
    joints = hand_model.joints_as_defined(
        prediction["joints"], prediction["vertices"], batch["is_right"], batch["joint_definition"]
    )
    return HandPrediction(
        **(dict(prediction) | {"joints": joints, "joints_2d": weak_perspective(joints, prediction["camera"])})  # type: ignore[typeddict-item]
    )


def _build(batch: Batch, hand_model: HandModel) -> Targets:
    size = batch["image"].shape[-1]
    affine = batch["crop_affine"]
    frame = frame_of_affine(affine)
    rotation, translation = batch["camera_rotation"][:, None], batch["camera_translation"][:, None]

    joints_camera = transform_points(batch["joints_world"], rotation, translation)
    in_front = joints_camera[..., 2] > 0
    # An invalid joint's place is arbitrary: one metre ahead keeps its projection finite.
    joints_camera = torch.where(in_front[..., None], joints_camera, torch.ones_like(joints_camera))
    points_px = project(joints_camera, batch["intrinsics"][:, None])
    joints_2d = px_to_normalised(transform_affine(points_px, affine[:, None]), size)
    joints = joints_camera @ frame[:, None].mT
    depth = (joints[..., 2:] - joints[..., WRIST : WRIST + 1, 2:]) / DEPTH_HALF_RANGE_M
    joints_25d = torch.cat([joints_2d, depth], -1)

    seen = batch["hand_present"] & batch["counted"][:, None]
    valid_frame = batch["joint_valid_frame"] & in_front & seen[..., None]
    # A joint that is valid only in the image's file has no coordinates to compare with.
    valid_image = batch["joint_valid_image"] & valid_frame
    depth_known = batch["depth_known"][:, None]
    mano_valid = batch["mano_valid"] & seen & depth_known
    mirrored = torch.linalg.det(affine[..., :2]) < 0
    source_is_right = batch["is_right"] ^ mirrored[:, None]
    rotations, transl = _mano_parameters(batch, hand_model, frame, source_is_right)
    betas = batch["mano_betas"]
    joint_valid_3d = _with_wrist(valid_frame) & batch["depth_known"][:, None, None]
    vertices, joints_mano = hand_model(rotations, betas, transl, batch["is_right"])
    joints_mano = hand_model.joints_as_defined(joints_mano, vertices, batch["is_right"], batch["joint_definition"])
    return Targets(
        source_is_right=source_is_right,
        crop_intrinsics=crop_intrinsics(affine, batch["intrinsics"]),
        joints=joints,
        joints_2d=joints_2d,
        joints_25d=joints_25d,
        depth_known=batch["depth_known"],
        joint_valid_2d=valid_frame,
        joint_valid_3d=joint_valid_3d,
        joint_valid_25d=_valid_25d(joints_25d, valid_image, depth_known),
        joint_valid_eval=_with_wrist(valid_image) & depth_known[..., None],
        rotations=rotations,
        betas=betas,
        transl=transl,
        mano_valid=mano_valid,
        betas_valid=mano_valid & (betas.abs() <= LARGEST_CREDIBLE_BETA).all(-1),
        vertices=vertices,
        joints_mano=joints_mano,
        # H = 1 has no other wrist: the difference is 0 and not valid.
        relative_translation=joints[:, -1, WRIST] - joints[:, 0, WRIST],
        relative_translation_valid=joint_valid_3d[..., WRIST].all(-1) & (joints.shape[1] == 2),
    )


def _with_wrist(valid: Tensor) -> Tensor:
    """An invalid wrist makes every root-relative target of its hand invalid."""
    return valid & valid[..., WRIST : WRIST + 1]


def _valid_25d(joints_25d: Tensor, valid: Tensor, depth_known: Tensor) -> Tensor:
    """The coordinates that the volume can represent: the joint is inside the crop, its depth known and within range."""
    inside = (joints_25d.abs() <= 1).all(-1)
    # Root-relative depth is undefined without the root, but a position in the image is not.
    depth = _with_wrist(valid) & inside & depth_known[..., None]
    in_crop = valid & (joints_25d[..., :2].abs() <= 1).all(-1)
    return torch.stack([in_crop, in_crop, depth], -1)


def _mano_parameters(
    batch: Batch, hand_model: HandModel, frame: Tensor, source_is_right: Tensor
) -> tuple[Tensor, Tensor]:
    """The fits' rotations (B, H, 16, 3, 3) and translations (B, H, 3) m in the crop's frame.

    Files describe the hand as it is: a mirrored left hand's parameters are the left model's until they are mirrored.
    """
    mirrored = batch["is_right"] ^ source_is_right
    betas = batch["mano_betas"]
    form = batch["pose_form"][:, None].expand_as(source_is_right)
    rotations = hand_model.rotations_from_file_pose(batch["mano_pose"], source_is_right, form)
    rest_root = hand_model.rest_root(betas, source_is_right)
    is_place = (form & PoseForm.ROOT_PLACE > 0)[..., None]
    rotations, transl = change_frame(
        rotations,
        torch.where(is_place, batch["mano_trans"] - rest_root, batch["mano_trans"]),
        rest_root,
        batch["camera_rotation"][:, None],
        batch["camera_translation"][:, None],
    )
    mirrored_rotations, mirrored_transl = mirror_x(rotations, transl)
    rotations = torch.where(mirrored[..., None, None, None], mirrored_rotations, rotations)
    transl = torch.where(mirrored[..., None], mirrored_transl, transl)
    # The crop's M = Q' diag(-1, 1, 1): the mirror is applied, the rotation Q' is left.
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], device=frame.device, dtype=frame.dtype))
    turn = torch.where(mirrored[..., None, None], (frame @ mirror)[:, None], frame[:, None])
    root = hand_model.rest_root(betas, batch["is_right"])
    rotations, transl = change_frame(rotations, transl, root, turn, torch.zeros_like(transl))
    identity = torch.eye(3, device=frame.device, dtype=frame.dtype)
    rotations = torch.where(batch["mano_valid"][..., None, None, None], rotations, identity)
    return rotations, transl
