import numpy as np
import pytest

from gesturehand.draw.data_set import frame_sheet
from gesturehand.errors import UserError


def test_frames_keep_their_shapes_and_stand_in_rows(synthetic_root):
    sheet = frame_sheet(synthetic_root, "train", count=4, columns=2, height_px=100)
    assert sheet.shape[0] == 2 * 106
    assert sheet.dtype == np.uint8
    # Portrait frames are 65 px wide, landscape ones 153, with a gap of 6.
    assert sheet.shape[1] in {71 + 71, 71 + 159, 159 + 159}
    np.testing.assert_array_equal(sheet, frame_sheet(synthetic_root, "train", count=4, columns=2, height_px=100))


def test_more_frames_than_there_are(synthetic_root):
    with pytest.raises(UserError, match="at most 32"):
        frame_sheet(synthetic_root, "val", count=33, columns=4, height_px=100)
