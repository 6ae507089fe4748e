import numpy as np
import torch

from gesturehand.camera import project, transform_points
from gesturehand.synthetic.cameras import CAMERA_NAMES, DOME_CENTRE, dome_cameras

CAMERAS = dome_cameras(np.random.default_rng(0))


def test_cameras_are_like_the_real_ones():
    assert {(camera.width, camera.height) for camera in CAMERAS.values()} == {(334, 512), (512, 334)}
    assert tuple(CAMERAS) == CAMERA_NAMES
    assert all(camera.is_grey == (name[:2] == "41") for name, camera in CAMERAS.items())
    assert {name[:2] for name in CAMERAS} == {"40", "41"}
    for camera in CAMERAS.values():
        assert camera.focal_px[0] != camera.focal_px[1]
        assert np.all(np.abs(camera.focal_px - 1270) < 30)


def test_rotations_look_at_the_dome_upright():
    for camera in CAMERAS.values():
        rotation = camera.rotation.astype(np.float64)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(rotation) > 0
        assert rotation[1] @ [0, 1, 0] > 0.9
        centre = camera.to_camera(np.array(DOME_CENTRE))
        assert 0.95 < centre[2] < 1.25
        assert np.linalg.norm(centre[:2]) < 0.05


def test_projection_is_interhands_formula():
    points = np.array(DOME_CENTRE) + np.random.default_rng(1).normal(size=(7, 3)) * 0.1
    for camera in CAMERAS.values():
        rotation = torch.tensor(camera.rotation, dtype=torch.float64)
        position = torch.tensor(camera.position_mm, dtype=torch.float64)
        inside = transform_points(torch.tensor(points) * 1000, rotation, -rotation @ position)
        expected = project(inside, torch.tensor(camera.intrinsics))
        np.testing.assert_allclose(camera.project(points), expected, atol=1e-6)
        np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-6)


def test_calibrations_differ_between_captures():
    other = dome_cameras(np.random.default_rng(1))
    assert all(not np.array_equal(CAMERAS[name].position_mm, other[name].position_mm) for name in CAMERA_NAMES)
