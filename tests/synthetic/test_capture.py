"""A captured frame is consistent: parameters, meshes, joints, cameras and flags."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS
from gesturehand.synthetic.capture import CapturedFrame, CapturedHand, capture_frame
from gesturehand.synthetic.plan import SetSettings, make_plan
from gesturehand.synthetic.view import MASK_LEVELS, draw_view


def frames(count: int, seed: int, views: int = 1, cone_deg: float = 35.0, **changes: float) -> list[CapturedFrame]:
    settings = SetSettings(
        **{"without_fit_share": 0.1, "rom_share": 0.1, **changes},
        subjects=(2, 0, 0),
        frames=(count, 0, 0),
        views=views,
        seed=seed,
    )
    return [capture_frame(frame, seed, cone_deg) for frame in make_plan(settings)]


def mesh_of(hand: CapturedHand, rotation: np.ndarray, translation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poses the hand by its file's parameters, with the root moved into another frame (R (J₀ + t) + T − J₀)."""
    data = open_hand(hand.side)
    betas = hand.betas[None].astype(np.float64)
    root = data.J_regressor[0] @ (data.v_template + data.shapedirs @ betas[0])
    rotvec = hand.pose.astype(np.float64)
    rotvec[3:] += data.hands_mean
    rotations = Rotation.from_rotvec(rotvec.reshape(16, 3)).as_matrix()
    rotations[0] = rotation @ rotations[0]
    moved = rotation @ (root + hand.trans.astype(np.float64)) + translation - root
    vertices, joints = skin(data, rotations[None], betas, moved[None])
    every = np.concatenate([joints[0], vertices[0, list(EANET_TIP_VERTICES)]])
    return vertices[0], every[list(JOINTS_FROM_MANO_AND_TIPS)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parameters_give_the_joints_in_the_world_and_in_every_camera(seed):
    for frame in frames(10, seed, views=3, two_hand_share=0.3):
        for hand in frame.hands:
            _, joints = mesh_of(hand, np.eye(3), np.zeros(3))
            np.testing.assert_allclose(joints, hand.joints, atol=1e-6)
            for camera in frame.cameras:
                rotation = camera.rotation.astype(np.float64)
                translation = -rotation @ camera.position_mm.astype(np.float64) / 1000
                vertices, joints = mesh_of(hand, rotation, translation)
                np.testing.assert_allclose(joints, camera.to_camera(hand.joints), atol=1e-5)
                np.testing.assert_allclose(vertices, camera.to_camera(hand.vertices), atol=1e-5)


@pytest.mark.parametrize("views", [1, 3])
def test_single_hands_lie_inside_every_image_and_their_joints_on_the_mask(views):
    on_mask = []
    for frame in frames(36, 4, views):
        for number, camera in enumerate(frame.cameras):
            pixels = camera.project(frame.hands[0].joints)
            assert (pixels >= 0).all()
            assert (pixels <= [camera.width - 1, camera.height - 1]).all()
            image, mask = draw_view(frame, number, 4)
            assert image.shape == (camera.height, camera.width, 3)
            assert mask.shape == image.shape[:2]
            assert set(np.unique(mask)) == {0, MASK_LEVELS[frame.hands[0].side]}
            columns, rows = np.rint(pixels).astype(int).T
            on_mask.append((mask[rows, columns] > 0)[1:].mean())
            assert bool((image == image[..., :1]).all()) == camera.is_grey
    # The wrist lies at the end of the mesh, where the arm begins. Fingertips are surface vertices, which can fall just
    # outside the silhouette.
    assert np.mean(on_mask) > 0.95


def test_two_hands_are_both_in_the_mask_and_one_is_before_the_other():
    seen = [frame for frame in frames(12, 5, two_hand_share=0.5) if len(frame.hands) == 2]
    assert len(seen) == 6
    for frame in seen:
        _, mask = draw_view(frame, 0, 5)
        assert set(np.unique(mask)) == {0, *MASK_LEVELS.values()}
        right, left = (frame.cameras[0].to_camera(hand.joints).mean(0) for hand in frame.hands)
        assert left[2] - right[2] > 0.03
        apart = np.linalg.norm(frame.hands[0].vertices[:, None] - frame.hands[1].vertices[None, ::7], axis=-1)
        assert apart.min() > 0.005


def test_the_two_validity_flags_differ_only_without_a_fit():
    differ = 0
    for frame in frames(40, 6, views=2):
        of_frame = frame.hands[0].joint_valid
        of_images = [valid[0] for valid in frame.joint_valid_image]
        if frame.plan.has_fit:
            assert of_frame.all()
            assert all(valid.all() for valid in of_images)
        else:
            assert not of_frame.all()
            assert not any((valid & ~of_frame).any() for valid in of_images)
            differ += any((of_frame & ~valid).any() for valid in of_images)
    assert differ > 0


def test_a_hand_partly_outside_has_lost_joints_in_the_image_but_not_in_the_world():
    seen = frames(20, 10, views=2, outside_share=0.5, without_fit_share=0.0)
    lost = 0
    for frame in seen:
        assert frame.hands[0].joint_valid.all()
        for camera, (valid,) in zip(frame.cameras, frame.joint_valid_image, strict=True):
            pixels = camera.project(frame.hands[0].joints)
            within = ((pixels >= 0) & (pixels <= [camera.width - 1, camera.height - 1])).all(1)
            np.testing.assert_array_equal(valid, within)
            assert valid.sum() >= 4
        lost += frame.plan.partly_outside and not frame.joint_valid_image[0][0].all()
    assert lost >= 6


def test_a_frame_is_a_function_of_its_plan_and_the_seed():
    first, again, other = frames(3, 7), frames(3, 7), frames(3, 8)
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.hands[0].vertices, b.hands[0].vertices)
        assert not np.array_equal(a.hands[0].pose, c.hands[0].pose)


def test_subjects_keep_their_shape():
    shapes: dict[int, set[bytes]] = {}
    for frame in frames(20, 9):
        shapes.setdefault(frame.subject.number, set()).add(frame.hands[0].betas.tobytes())
    assert len(shapes) == 2
    assert all(len(betas) == 1 for betas in shapes.values())
    assert len(set.union(*shapes.values())) == 2
