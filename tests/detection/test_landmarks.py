import numpy as np

from gesturehand.camera import transform_affine
from gesturehand.data.crop import crop_affine
from gesturehand.detection.landmarks import crops_of_joints, crops_of_palms, upright_angles
from gesturehand.detection.palms import Palms
from gesturehand.skeleton import MIDDLE_MCP, WRIST


def test_upright_angles_turn_the_middle_knuckle_above_the_wrist():
    rng = np.random.default_rng(0)
    wrists, knuckles = rng.normal(0, 100, (2, 50, 2))
    angles = upright_angles(wrists, knuckles)
    assert (np.abs(angles) <= np.pi).all()
    for angle, pair in zip(angles, np.stack([wrists, knuckles], 1), strict=True):
        wrist, knuckle = transform_affine(pair, crop_affine(np.array([3.0, 5.0, 64.0]), 64, angle=float(angle)))
        np.testing.assert_allclose(wrist[0], knuckle[0], atol=1e-9)
        assert knuckle[1] < wrist[1]
    assert upright_angles(np.zeros((1, 2)), np.zeros((1, 2))).tolist() == [0.0]


def test_the_crop_of_joints_is_upright_and_around_them():
    joints = np.random.default_rng(1).normal(0, 40, (20, 21, 2)) * [1, 0.4] + 300
    squares, angles = crops_of_joints(joints)
    for points, square, angle in zip(joints, squares, angles, strict=True):
        seen = transform_affine(points, crop_affine(square, 160, angle=float(angle)))
        assert abs(seen[WRIST, 0] - seen[MIDDLE_MCP, 0]) < 1e-9
        low, high = seen.min(0), seen.max(0)
        np.testing.assert_allclose((low + high) / 2, 79.5, atol=1e-9)
        np.testing.assert_allclose((high - low).max(), 100, atol=1e-9)


def test_the_crop_of_a_palm_reaches_towards_the_fingers():
    # A hand that points to the right.
    palms = Palms(*(np.array([value]) for value in ([50.0, 40.0], 20.0, [41.0, 40.0], [59.0, 40.0], 0.9)))
    (square,), (angle,) = crops_of_palms(palms)
    np.testing.assert_allclose(square, [60, 40, 52])
    np.testing.assert_allclose(angle, -np.pi / 2)
