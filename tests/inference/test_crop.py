"""Crops for prediction: the same as in training at its sizes, and without aliasing for larger images."""

import cv2
import numpy as np
import pytest

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import read_image
from gesturehand.inference.crop import crop_image


def test_crops_are_the_data_sets_own(synthetic_root):
    dataset = InterHandDataModule(str(synthetic_root), image_size=160, num_workers=0).dataset("test")
    sides = dataset.selection.hand[:, 0]
    for number in (int(np.flatnonzero(sides == 0)[0]), int(np.flatnonzero(sides == 1)[0])):
        sample = dataset[number]
        square, mirror = dataset.boxes[number], bool(sides[number] == 1)
        assert square[2] < 4 * 160
        crop, affine = crop_image(read_image(dataset.image_file(number)), square, 160, mirror)
        away = np.abs(crop.astype(int) - sample["image"].permute(1, 2, 0).numpy())
        assert away.max() <= 1  # the prediction warps a part of the image, whose coordinates are rounded differently
        assert (away > 0).mean() < 1e-3
        np.testing.assert_allclose(affine, sample["crop_affine"].numpy(), rtol=1e-6)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("place", [(700.25, 911.5), (20.0, 30.0), (1990.0, 1480.0)])
def test_large_crops_show_things_where_the_map_says(mirror, place):
    image = np.zeros((1500, 2000, 3), np.uint8)
    cv2.circle(image, tuple(round(p * 16) for p in place), 60 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    # The centre of gravity of the part of the disc that lies inside the image.
    ys, xs, weights = (*np.nonzero(image[..., 0]), image[..., 0][np.nonzero(image[..., 0])].astype(float))
    true = np.array([(xs * weights).sum(), (ys * weights).sum()]) / weights.sum()
    crop, affine = crop_image(image, np.array([*place, 1113.0]), 64, mirror)
    rows, columns = np.mgrid[:64, :64]
    value = crop[..., 0].astype(float)
    centre = np.array([(columns * value).sum(), (rows * value).sum()]) / value.sum()
    np.testing.assert_allclose(centre, affine @ [*true, 1], atol=0.2)


def test_large_crops_do_not_alias():
    """A checkerboard of single pixels is grey from afar; a plain warp would show a pattern of black and white."""
    board = np.indices((1024, 1024)).sum(0) % 2 * 255
    image = np.repeat(board[..., None], 3, -1).astype(np.uint8)
    square = np.array([511.3, 511.7, 900.0])
    crop, affine = crop_image(image, square, 64, False)
    assert np.abs(crop.astype(int) - 128).max() <= 4
    plain = cv2.warpAffine(image, affine, (64, 64), flags=cv2.INTER_LINEAR)
    assert np.abs(plain.astype(int) - 128).max() > 60


def test_outside_is_black():
    image = np.full((3000, 3000, 3), 200, np.uint8)
    crop, _ = crop_image(image, np.array([0.0, 0.0, 2000.0]), 50, False)
    assert (crop[:23, :] == 0).all()
    assert (crop[27:, 27:] == 200).all()
    assert (crop_image(image, np.array([9000.0, 9000.0, 2000.0]), 50, False)[0] == 0).all()
