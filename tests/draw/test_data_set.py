import numpy as np
import pytest

from gesturehand.draw.data_set import frame_sheet
from gesturehand.errors import UserError


def test_rows_are_full_and_frames_keep_their_shapes(synthetic_root):
    sheet = frame_sheet(synthetic_root, "train", count=4, columns=2, height_px=100)
    assert sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet, frame_sheet(synthetic_root, "train", count=4, columns=2, height_px=100))
    white = (sheet == 255).all(-1)
    # Gaps of 3 px around, of 6 between; nothing else is white over a whole row or column.
    rows = np.flatnonzero(white.all(1))
    cuts = np.flatnonzero(np.diff(rows) > 1)
    assert len(cuts) == 2
    for top, bottom in zip(rows[cuts] + 1, rows[cuts + 1], strict=True):
        gaps = np.flatnonzero(white[top:bottom].all(0))
        sides = np.flatnonzero(np.diff(gaps) > 1)
        assert gaps[0] == 0
        assert gaps[-1] == sheet.shape[1] - 1
        shapes = (gaps[sides + 1] - gaps[sides] - 1) / (bottom - top)
        assert len(shapes) == 2
        for shape in shapes:
            assert min(abs(shape - 334 / 512), abs(shape - 512 / 334)) < 0.04


def test_gamma_brightens_what_is_dark_and_keeps_black_and_white(synthetic_root):
    plain = frame_sheet(synthetic_root, "train", count=2, columns=2, height_px=100)
    bright = frame_sheet(synthetic_root, "train", count=2, columns=2, height_px=100, gamma=2)
    assert bright.shape == plain.shape
    assert (bright.astype(int) + 1 >= plain).all()
    assert bright.mean() > plain.mean() + 10
    with pytest.raises(UserError, match="gamma is 0"):
        frame_sheet(synthetic_root, "train", count=2, columns=2, height_px=100, gamma=0)


def test_more_frames_than_there_are(synthetic_root):
    with pytest.raises(UserError, match="at most 32"):
        frame_sheet(synthetic_root, "val", count=33, columns=4, height_px=100)
