import numpy as np

from gesturehand.synthetic.background import add_grain, draw_background, grain_of
from gesturehand.synthetic.cameras import dome_cameras

CAMERAS = dome_cameras(np.random.default_rng(0))


def test_dark_with_bright_points_and_grey_where_the_camera_is():
    brightest = []
    for camera in CAMERAS.values():
        image = draw_background(camera, np.random.default_rng(1))
        brightest.append(image.max())
        assert image.shape == (camera.height, camera.width, 3)
        assert np.median(image) < 25
        grey = bool((image == image[..., :1]).all())
        assert grey == camera.is_grey
    # A few cameras look past the lamps.
    assert 0.6 < np.mean(np.array(brightest) == 255) < 1


def test_grain_has_the_given_strength_and_saturates():
    rng = np.random.default_rng(2)
    grain = grain_of(0)
    noisy = add_grain(np.full((334, 512), 128, np.uint8), grain, 3.0, rng)
    assert abs(noisy.astype(float).std() - 3.0) < 0.2
    assert abs(noisy.mean() - 128) < 0.2
    assert add_grain(np.full((9, 9, 3), 255, np.uint8), grain, 3.0, rng).min() > 230
