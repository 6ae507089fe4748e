"""The shipped network, and files as visitors upload them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the detector runs on ONNX Runtime")
pytest.importorskip("gradio", reason="the app is made with Gradio")

import gesturehand
from gesturehand.inference import HandPredictor
from gesturehand.inference.output_files import new_video

EXAMPLES = sorted((Path(gesturehand.__file__).parent / "assets").glob("example_*.jpg"))


@pytest.fixture(scope="session")
def predictor():
    return HandPredictor.from_checkpoint("openphoto", "cpu")


@pytest.fixture(scope="session")
def given(tmp_path_factory):
    """Files as visitors upload them, by name."""
    folder = tmp_path_factory.mktemp("given")
    photo = EXAMPLES[1].read_bytes()
    (folder / "hand.jpg").write_bytes(photo)
    (folder / "point.jpg").write_bytes(EXAMPLES[3].read_bytes())
    (folder / "cut.jpg").write_bytes(photo[: len(photo) // 2])
    (folder / "text.jpg").write_text("not an image")
    (folder / "<b>text<b>.txt").write_text("not an image")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "empty.jpg").write_bytes(b"")
    cv2.imwrite(str(folder / "pixel.png"), np.full((1, 1, 3), 90, np.uint8))
    rng = np.random.default_rng(0)
    wall = cv2.GaussianBlur(rng.integers(60, 200, (240, 320, 3), np.uint8), (31, 31), 0)
    cv2.imwrite(str(folder / "wall.jpg"), wall)
    header = bytearray((folder / "pixel.png").read_bytes())
    header[16:24] = (30_000).to_bytes(4) * 2
    (folder / "huge.png").write_bytes(header)
    hands = [cv2.cvtColor(cv2.resize(cv2.imread(str(EXAMPLES[i])), (220, 220)), cv2.COLOR_BGR2RGB) for i in (1, 3)]
    for name, frames in (("clip.mp4", 8), ("long.mp4", 60)):
        with new_video(folder / name, 10) as video:
            for number in range(frames):
                frame = np.full((240, 480, 3), 170, np.uint8)
                if not 3 <= number < 5:
                    frame[10:230, 10 + number : 230 + number], frame[10:230, 250 - number : 470 - number] = hands
                video.add(frame)
    return {path.name: path for path in folder.iterdir()}
