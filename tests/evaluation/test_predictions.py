"""Files that are no predictions, found by trying mutated ones: each is refused with a sentence."""

import numpy as np
import pytest

from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import SavedPredictions, read_predictions, write_predictions


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"text", b"\x80\x04."])
def test_other_files(tmp_path, raw):
    path = tmp_path / "predictions.npz"
    path.write_bytes(raw)
    with pytest.raises(UserError, match="predictions"):
        read_predictions(path)


def test_size_that_is_not_there(tmp_path):
    path = tmp_path / "predictions.npz"
    write_predictions(path, SavedPredictions(np.arange(5), np.zeros((5, 1, 21, 3), np.float32)))
    path.write_bytes(path.read_bytes().replace(b"(5,)", b"(9,)"))
    with pytest.raises(UserError):
        read_predictions(path)
