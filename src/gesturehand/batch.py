"""The contract between data, targets, networks, losses and metrics: every field's shape, unit and frame, once.

B samples, H hands: H = 1 for a network that sees one hand, H = 2 (right, left) for one that sees both. V vertices.
S is the crop's size in pixels. Rotations are matrices (axis-angle only in fields named ``pose``, as in files).

Frames:

- *world*: the recording's, as in the annotation files, but in metres.
- *crop frame*: the camera's (x right, y down, z forward), turned and mirrored with the crop
  (:func:`gesturehand.camera.frame_of_affine`), so that it lies over the crop's pixels.
- *normalised crop coordinates*: -1 … 1 over the crop (:mod:`gesturehand.camera`).
"""

from typing import Final, NamedTuple, NotRequired, TypedDict

from torch import Tensor

#: Root-relative depth that 2.5D coordinates map to ±1 (EANet's volume: 0.3 m deep), in metres.
DEPTH_HALF_RANGE_M: Final = 0.15
#: MANO's shape coefficients.
NUM_BETAS: Final = 10


class Batch(TypedDict):
    """A loader's batch; a sample has the same fields without B.

    Attributes:
        image: (B, 3, S, S) uint8, RGB crop. The encoder normalises it.
        annotation_id: (B,) int64, id in ``data.json``.
        counted: (B,) bool, False for a sample that only pads a process's last batch and is masked everywhere.
        crop_affine: (B, 2, 3) float32, px of the original image → px of the crop; mirrors if its determinant is < 0.
        intrinsics: (B, 3, 3) float32, px of the original image.
        camera_rotation: (B, 3, 3) float32, world → camera.
        camera_translation: (B, 3) float32, m, world → camera: X_cam = R X_world + t.
        is_right: (B, H) bool, the hand's side *as the crop shows it* (a mirrored left hand is a right one).
        hand_present: (B, H) bool.
        interacting: (B,) bool, the annotation's hand type is "interacting".
        pair_fitted: (B,) bool, the annotation is interacting, and both of its hands are samples with a MANO fit.
        depth_known: (B,) bool, False if only 2D joints were annotated: ``joints_world`` then lifts them to a plane, so
            they are correct in the image and arbitrary in depth.
        joints_world: (B, H, 21, 3) float32, m, world, the papers' order; 0 where invalid.
        joint_valid_image: (B, H, 21) bool, ``data.json``'s flag (per image).
        joint_valid_frame: (B, H, 21) bool, ``joint_3d.json``'s flag (per captured frame).
        mano_valid: (B, H) bool, a MANO fit exists.
        mano_pose: (B, H, 48) float32, axis-angle, world, relative to the mean pose, of the *original* hand.
        mano_betas: (B, H, 10) float32.
        mano_trans: (B, H, 3) float32, m, world.
        pose_form: (B,) int64, how the set writes ``mano_pose`` and ``mano_trans``
            (:class:`gesturehand.hand.conventions.PoseForm`); 0 for the above.
        joint_definition: (B,) int64, the set's definition of a joint, by
            :func:`gesturehand.hand.conventions.definition_number`; 0 for the hand model's own.
        set_number: (B,) int64, the set in a mixture to which the sample belongs: 0 for ``data.root``, then those of
            ``data.sets`` in their order.
        gesture_coarse: (B,) int64, class of the sequence, -1 for none.
        gesture_fine: (B,) int64, class of the sequence, -1 for none.
        own_label: (B,) int64, the hand's label in the vocabulary of its own set of labels, a number from
            :meth:`gesturehand.data.datamodule.InterHandDataModule.label_vocabulary`; -1 for none.
        training_targets: The targets of the second stage's losses, if the loader has already computed them.
    """

    image: Tensor
    annotation_id: Tensor
    counted: Tensor
    crop_affine: Tensor
    intrinsics: Tensor
    camera_rotation: Tensor
    camera_translation: Tensor
    is_right: Tensor
    hand_present: Tensor
    interacting: Tensor
    pair_fitted: Tensor
    depth_known: Tensor
    joints_world: Tensor
    joint_valid_image: Tensor
    joint_valid_frame: Tensor
    mano_valid: Tensor
    mano_pose: Tensor
    mano_betas: Tensor
    mano_trans: Tensor
    pose_form: Tensor
    joint_definition: Tensor
    set_number: Tensor
    gesture_coarse: Tensor
    gesture_fine: Tensor
    own_label: Tensor
    training_targets: NotRequired["TrainingTargets"]


class Targets(TypedDict):
    """The targets of predictions, computed from a :class:`Batch` on the device (:mod:`gesturehand.targets`).

    Attributes:
        source_is_right: (B, H) bool, the hand's side as recorded, before the crop mirrored it.
        crop_intrinsics: (B, 3, 3) px of the crop; projects from the crop frame.
        joints: (B, H, 21, 3) m, crop frame, the annotated joints.
        joints_2d: (B, H, 21, 2) normalised crop coordinates of the annotated joints.
        joints_25d: (B, H, 21, 3): ``joints_2d`` and the root-relative depth over 0.15 m.
        depth_known: (B,) bool, as in the batch. If it is False, so are all masks below except ``joint_valid_2d`` and
            the image-plane part of ``joint_valid_25d``.
        joint_valid_2d: (B, H, 21) bool, per-frame flag.
        joint_valid_3d: (B, H, 21) bool, per-frame flag × the wrist's.
        joint_valid_25d: (B, H, 21, 3) bool, per-image × per-frame flag × inside the volume; depth also × the wrist's
            flags.
        joint_valid_eval: (B, H, 21) bool, per-image × per-frame flag × the wrist's: what evaluation counts.
        rotations: (B, H, 16, 3, 3), crop frame, including the mean pose; identity if there is no fit.
        betas: (B, H, 10).
        transl: (B, H, 3) m, crop frame.
        mano_valid: (B, H) bool.
        betas_valid: (B, H) bool, a fit exists and every β within ±3 (EANet's bound on credible shapes).
        vertices: (B, H, V, 3) m, crop frame, the fit's mesh.
        joints_mano: (B, H, 21, 3) m, crop frame, the fit's joints.
        relative_translation: (B, 3) m, crop frame, from the right wrist to the left one; 0 if H = 1.
        relative_translation_valid: (B,) bool, both wrists are valid.
    """

    source_is_right: Tensor
    crop_intrinsics: Tensor
    joints: Tensor
    joints_2d: Tensor
    joints_25d: Tensor
    depth_known: Tensor
    joint_valid_2d: Tensor
    joint_valid_3d: Tensor
    joint_valid_25d: Tensor
    joint_valid_eval: Tensor
    rotations: Tensor
    betas: Tensor
    transl: Tensor
    mano_valid: Tensor
    betas_valid: Tensor
    vertices: Tensor
    joints_mano: Tensor
    relative_translation: Tensor
    relative_translation_valid: Tensor


class ObjectiveTargets(NamedTuple):
    """The targets of the layered objective's terms in one row per hand, one term after the other.

    :func:`gesturehand.losses.objective_targets` computes them from :class:`Targets`.

    Attributes:
        values: (B, H, E) the true values of the terms' E entries; invalid ones are arbitrary.
        valid: (B, H, E) bool.
        counts: (8,) float32 number of valid entries of each term.
    """

    values: Tensor
    valid: Tensor
    counts: Tensor


class GestureTargets(NamedTuple):
    """The targets of the gesture losses; :func:`gesturehand.losses.gesture_targets` computes them from labels.

    Attributes:
        coarse: (B,) int64, -1 for none.
        fine: (B,) int64, -1 for none.
        coarse_count: () float32 number of coarse labels.
        fine_count: () float32 number of fine labels.
        hierarchy: (B, 1) float32 weight of either head's divergence from their mean: a half, or 0 without a fine label.
    """

    coarse: Tensor
    fine: Tensor
    coarse_count: Tensor
    fine_count: Tensor
    hierarchy: Tensor


class TrainingTargets(TypedDict):
    """The targets of a training step: the part of :class:`Targets` that the losses need.

    Attributes:
        objective: Targets of the layered objective's terms.
        gestures: Targets of the gesture losses.
        relative_translation: As in :class:`Targets`; only if H = 2.
        relative_translation_valid: As in :class:`Targets`; only if H = 2.
        defined_joints: Whether a sample's set may have its own joint definition (``Batch.joint_definition``).
    """

    objective: ObjectiveTargets
    gestures: GestureTargets
    relative_translation: NotRequired[Tensor]
    relative_translation_valid: NotRequired[Tensor]
    defined_joints: bool


class GesturePrediction(TypedDict):
    """The output of the gesture branch.

    Attributes:
        gesture_embedding: (B, E), the embedding learned in the method's first stage.
        coarse_logits: (B, coarse classes).
        fine_logits: (B, fine classes).
    """

    gesture_embedding: Tensor
    coarse_logits: Tensor
    fine_logits: Tensor


class HandPrediction(TypedDict):
    """The output of a hand network; float32 whatever the precision of training.

    Attributes:
        joints_25d: (B, H, 21, 3) as ``Targets.joints_25d``.
        rotations: (B, H, 16, 3, 3), crop frame.
        betas: (B, H, 10).
        camera: (B, H, 3), weak perspective (:func:`gesturehand.camera.weak_perspective`).
        vertices: (B, H, V, 3) m, crop frame, relative to the predicted wrist.
        joints: (B, H, 21, 3) m, crop frame, relative to the predicted wrist.
        joints_2d: (B, H, 21, 2) normalised crop coordinates.
        relative_translation: (B, 3) m, crop frame, from the right wrist to the left one; only if H = 2.
    """

    joints_25d: Tensor
    rotations: Tensor
    betas: Tensor
    camera: Tensor
    vertices: Tensor
    joints: Tensor
    joints_2d: Tensor
    relative_translation: NotRequired[Tensor]
