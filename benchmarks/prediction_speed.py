"""The cost of predicting a hand on one thread of a CPU, against MediaPipe's landmark model and against PyTorch.

    python benchmarks/bench.py --only prediction

A call consists of crop, network, skinning and placing for one hand whose box, side and turn are given. MediaPipe's
model is measured as its network alone, and with the crop of the same box as floats, by LiteRT if ``ai-edge-litert`` and
the model are installed:

    pip install 'gesturehand[benchmark]'
    npm pack @mediapipe/hands@0.4.1675469240
    GESTUREHAND_LANDMARK_MODEL=hand_landmark_full.tflite (from the package) make bench

Times are processor times, which other processes disturb less, and everything is measured alternately.
"""

import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from gesturehand.inference import HandBox, HandPredictor, ImageQuery
from gesturehand.inference.boxes import BoxFile
from gesturehand.inference.crop import crop_image
from gesturehand.inference.predict_files import Settings, predict_files

MODEL_VARIABLE: Final = "GESTUREHAND_LANDMARK_MODEL"
BATCH: Final = 32
BOX: Final = (150.0, 90.0, 280.0, 300.0)
TURN_DEG: Final = 20.0
#: The pictures, from the package, of the folder in which hands are searched for, and their number.
EXAMPLES: Final = tuple(f"example_{number}.jpg" for number in range(1, 5))
SEARCHED: Final = 16


def landmark_model() -> Callable[[np.ndarray | None], None] | str:
    """A run of MediaPipe's landmark network on one thread, or why there is none.

    It takes a crop (S, S, 3) uint8, or None for a random one that is given as floats already.
    """
    path = os.environ.get(MODEL_VARIABLE)
    if path is None:
        return f"{MODEL_VARIABLE} names no file"
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return "ai-edge-litert is not installed"
    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    pixels = np.random.default_rng(0).random(entry["shape"], np.float32)

    def run(crop: np.ndarray | None = None) -> None:
        given = pixels if crop is None else crop[None].astype(np.float32) / np.float32(255)
        interpreter.set_tensor(entry["index"], given)
        interpreter.invoke()

    return run


def cpu_times_ms(tasks: dict[str, Callable[[], Any]], repeats: int) -> dict[str, dict[str, float]]:
    """Least and median CPU time of each, ms, measured alternately."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            times[name].append(1e3 * (time.process_time() - start))
    return {name: {"min": min(own), "median": float(np.median(own))} for name, own in times.items()}


def measure(repeats: int = 40, batch: int = BATCH) -> dict[str, Any]:
    """Times, and ratios of the medians of times that were measured alternately.

    Args:
        repeats: Number of repeats of one call; batches are repeated an eighth as often.
        batch: Number of hands that are predicted together.
    """
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        return _measured(repeats, batch)
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv_threads)


def _measured(repeats: int, batch: int) -> dict[str, Any]:
    small = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = np.ascontiguousarray(cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC))
    by_onnx, by_torch = (HandPredictor.from_checkpoint("openphoto", "cpu", engine=name) for name in ("onnx", "torch"))
    query = ImageQuery(image, (HandBox(BOX, "right", TURN_DEG),))

    def call(predictor: HandPredictor, count: int = 1) -> Callable[[], Any]:
        return lambda: list(predictor.predict_many([query] * count, count))

    tasks = {"call": call(by_onnx), "call_pytorch": call(by_torch)}
    reference = landmark_model()
    if not isinstance(reference, str):
        model, square = reference, _square(by_onnx)
        turn = math.radians(TURN_DEG)
        tasks["landmark_model"] = lambda: model(None)
        tasks["landmark_call"] = lambda: model(crop_image(image, square, by_onnx.image_size, False, turn)[0])
    one = cpu_times_ms(tasks, repeats)
    many = cpu_times_ms({"batch": call(by_onnx, batch), "batch_pytorch": call(by_torch, batch)}, max(1, repeats // 8))
    times = {name: entry["median"] for name, entry in (one | many).items()}
    result: dict[str, Any] = {
        "ms": one | many,
        "batch": batch,
        "images_per_s": 1e3 * batch / times["batch"],
        "call_of_pytorch": times["call"] / times["call_pytorch"],
        "batch_of_pytorch": times["batch"] / times["batch_pytorch"],
    }
    if isinstance(reference, str):
        result["without_landmark_model"] = reference
    else:
        result["call_of_landmark_model"] = times["call"] / times["landmark_model"]
        result["call_of_landmark_call"] = times["call"] / times["landmark_call"]
        result["batch_of_landmark_model"] = times["batch"] / batch / times["landmark_model"]
    result["folder_of_network"] = _folder_of_network(by_onnx, image, batch, max(1, repeats // 8))
    result |= _searched_folder(by_onnx, max(1, repeats // 8))
    return result


def _square(predictor: HandPredictor) -> np.ndarray:
    """The crop of the box: its centre and side, px."""
    x, y, width, height = BOX
    return np.array([x + width / 2, y + height / 2, predictor.box_scale * max(width, height)])


def _folder_of_network(predictor: HandPredictor, image: np.ndarray, count: int, repeats: int) -> float:
    """CPU time of predicting a folder of JPEGs, one hand each, into JSON, over that of its network alone."""
    crop = (*crop_image(image, _square(predictor), predictor.image_size, False, math.radians(TURN_DEG)), False)
    with tempfile.TemporaryDirectory() as folder:
        images, output = Path(folder) / "images", Path(folder) / "predictions"
        images.mkdir()
        for number in range(count):
            cv2.imwrite(str(images / f"{number:04d}.jpg"), image)
        (Path(folder) / "boxes.json").write_text(json.dumps([{"box": BOX, "hand": "right", "turn_deg": TURN_DEG}]))
        boxes = BoxFile(Path(folder) / "boxes.json")
        settings = Settings(output, boxes=boxes, batch_size=count, overlay=False, mesh=False, progress=False)
        tasks = {
            "folder": lambda: predict_files(predictor, [images], settings, lambda text: None),
            "network": lambda: predictor.run_crops([crop] * count, [True] * count),
        }
        times = cpu_times_ms(tasks, repeats)
    return times["folder"]["median"] / times["network"]["median"]


class _Recorded:
    """A network that keeps its inputs."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.given: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> Any:
        self.given.append(arguments)
        return self.network(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def again(self) -> None:
        """Runs on all of them once more."""
        for arguments in self.given:
            self.network(*arguments)


def _searched_folder(predictor: HandPredictor, repeats: int) -> dict[str, float]:
    """CPU time of decoding, searching, predicting and writing a folder, over that of its three networks alone."""
    detector: Any = predictor.detector
    places: list[tuple[Any, str]] = [
        (detector._palms, "_graph"),
        (detector._landmarks, "_graph"),
        (predictor, "_engine"),
    ]
    networks = [_Recorded(getattr(owner, name)) for owner, name in places]
    with tempfile.TemporaryDirectory() as folder:
        images, output = Path(folder) / "images", Path(folder) / "predictions"
        images.mkdir()
        for copy in range(SEARCHED // len(EXAMPLES)):
            for name in EXAMPLES:
                photo: Any = cv2.imread(str(files("gesturehand.assets") / name))
                cv2.imwrite(str(images / f"{copy}_{name}"), cv2.resize(photo, (480, 480), interpolation=cv2.INTER_AREA))
        settings = Settings(output, overlay=False, mesh=False, progress=False)

        def predict() -> Any:
            return predict_files(predictor, [images], settings, lambda text: None)

        for (owner, name), network in zip(places, networks, strict=True):
            setattr(owner, name, network)
        hands = predict().hands
        for (owner, name), network in zip(places, networks, strict=True):
            setattr(owner, name, network.network)

        def run_networks() -> None:
            for network in networks:
                network.again()

        tasks = {"folder": predict, "networks": run_networks}
        times = cpu_times_ms(tasks, repeats)
    views = sum(len(images) for (images,) in networks[0].given)
    return {
        "searched_of_networks": times["folder"]["median"] / times["networks"]["median"],
        "searched_views": views / SEARCHED,
        "searched_hands": hands / SEARCHED,
    }
