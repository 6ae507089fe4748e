"""Videos without boxes, and until Ctrl-C."""

import json
import os
import signal
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from gesturehand.inference.boxes import HandBox
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import FOUND, Settings


@pytest.fixture(scope="module")
def photo():
    """A right hand, (150, 150, 3)."""
    with np.load(Path(__file__).parents[1] / "detection" / "mediapipe_reference.npz") as file:
        return cv2.resize(file["photo"], (150, 150), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def clip(tmp_path, photo):
    """Two hands that move, and one frame without them, with sides that a codec can keep."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 12.5, (482, 242))
    for step in range(8):
        frame = np.full((242, 482, 3), 215, np.uint8)
        if step != 5:
            frame[20:170, 10 + 8 * step : 160 + 8 * step] = photo
            frame[40:190, 320 - 6 * step : 470 - 6 * step] = photo[:, ::-1]
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def two_sizes(path, count):
    """Motion JPEG: two frames of one size, then others; the main thread is told of the change."""
    frames = [np.full((*shape, 3), 90, np.uint8) for shape in ((48, 64), (48, 64), *[(80, 48)] * count)]
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames))
    return path


def run(predictor, source, output, **settings):
    said = []
    done = predict_files(predictor, [source], Settings(output, progress=False, **settings), said.append)
    (path,) = output.glob("*.jsonl")
    return done, [json.loads(line) for line in path.read_text().splitlines()], said


def test_hands_that_are_found_are_tracked_and_smoothed(predictor, clip, tmp_path):
    pytest.importorskip("onnxruntime", reason="the detector runs on ONNX Runtime")
    done, lines, said = run(predictor, clip, tmp_path / "smooth", batch_size=3)
    assert FOUND in said
    assert (done.frames, done.hands, done.empty) == (8, 14, 1)
    assert [line["image"] for line in lines] == [f"clip.avi#{n}" for n in range(8)]
    assert {(line["width"], line["height"]) for line in lines} == {(482, 242)}
    kinds = [{(hand["track"], hand["side"]) for hand in line["hands"]} for line in lines]
    assert kinds[5] == set()
    assert kinds[0] in ({(0, "right"), (1, "left")}, {(0, "left"), (1, "right")})
    assert all(kind == kinds[0] for number, kind in enumerate(kinds) if number != 5)
    film = cv2.VideoCapture(str(tmp_path / "smooth" / "clip_overlay.mp4"))
    assert (film.get(cv2.CAP_PROP_FRAME_COUNT), film.get(cv2.CAP_PROP_FPS)) == (8, 12.5)
    film.release()
    _, raw, _ = run(predictor, clip, tmp_path / "raw", smooth=False, overlay=False)
    for line, other in zip(lines, raw, strict=True):
        for hand, before in zip(line["hands"], other["hands"], strict=True):
            assert (hand["track"], hand["box"]) == (before["track"], before["box"])
            assert not np.allclose(hand["hand_pose"], before["hand_pose"], atol=1e-5)


def test_without_smoothing_a_frame_is_predicted_like_an_image(predictor, clip, tmp_path):
    box = (20.0, 20.0, 150.0, 150.0)
    _, lines, _ = run(predictor, clip, tmp_path / "out", boxes=HandBox(box, "right"), smooth=False)
    capture = cv2.VideoCapture(str(clip))
    for line in lines:
        (hand,) = line["hands"]
        assert hand["track"] == 0
        (expected,) = predictor(np.ascontiguousarray(capture.read()[1][..., ::-1]), box, "right")
        # FFmpeg and OpenCV may round differently when they turn YUV into RGB.
        np.testing.assert_allclose(hand["joints_2d_image"], expected.joints_2d_image, atol=1.0)
    capture.release()


def test_an_interrupt_leaves_nothing_half_written(predictor, tmp_path):
    source, output = two_sizes(tmp_path / "clip.mjpeg", 20), tmp_path / "out"

    def interrupted(sentence):
        if "changes from" in sentence:
            raise KeyboardInterrupt

    threads = threading.active_count()
    settings = Settings(output, boxes=HandBox(None, "right"), progress=False, batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        predict_files(predictor, [source], settings, interrupted)
    assert list(output.iterdir()) == []
    assert threading.active_count() == threads


@pytest.mark.skipif(os.name == "nt", reason="signals to oneself end the process there")
def test_an_interrupt_ends_a_stream(predictor, tmp_path, served):
    folder, address = served
    two_sizes(folder / "live.mjpeg", 150)
    said = []

    def interrupted(sentence):
        said.append(sentence)
        if "changes from" in sentence:
            signal.raise_signal(signal.SIGINT)

    output = tmp_path / "out"
    settings = Settings(output, boxes=HandBox(None, "right"), progress=False, batch_size=2)
    done = predict_files(predictor, [f"{address}/live.mjpeg"], settings, interrupted)
    assert f"'{address}/live.mjpeg' is predicted until Ctrl-C, which ends the files." in said
    assert 3 <= done.frames < 50
    assert len((output / "live.jsonl").read_text().splitlines()) == done.frames
    film = cv2.VideoCapture(str(output / "live_overlay.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == done.frames
    film.release()
