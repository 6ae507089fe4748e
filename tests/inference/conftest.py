"""A predictor with the small trained network."""

from typing import Any

import pytest

from gesturehand.inference import HandPredictor


@pytest.fixture(scope="session")
def predictor(trained_checkpoint) -> HandPredictor:
    return HandPredictor.from_checkpoint(trained_checkpoint, "cpu")


@pytest.fixture(scope="session")
def frame_with_both(pair_frames) -> dict[str, Any]:
    """A frame with a right and a left hand."""
    return next(frame for frame in pair_frames if len(frame["hands"]) == 2)
