"""The shipped network on ONNX Runtime, which on a CPU takes a third of PyTorch's time for a crop.

The package holds only the graph. Its weights are those of the loaded network, so every network with the same layers and
the open hand runs on it: new weights of ``openphoto``, and checkpoints that were trained further from them.
"""

import importlib.util
import json
import math
from importlib.resources import files
from typing import Any, Final, Literal

import cv2
import numpy as np
import torch

from gesturehand.detection.graph import OnnxGraph
from gesturehand.errors import UserError
from gesturehand.extras import install
from gesturehand.skeleton import NUM_MANO_JOINTS, WRIST
from gesturehand.trainers.hand_over import LAYER_SETTINGS
from gesturehand.trainers.hand_regressor import HandRegressor

#: ``auto``: ONNX Runtime on a CPU if it is installed and there is a graph of the network, otherwise PyTorch.
Engine = Literal["auto", "torch", "onnx"]
ENGINES: Final = ("auto", "torch", "onnx")

#: The graph, and the settings of the networks that it represents, under ``gesturehand/assets/``.
GRAPH_FILE: Final = "openphoto.onnx"
GRAPH_SETTINGS_FILE: Final = "openphoto_graph.json"
#: Settings that determine a network's layers.
_SETTINGS: Final = (*LAYER_SETTINGS, "image_size", "mano", "tips")
#: Outputs that describe a crop rather than a hand in it.
_OF_CROPS: Final = ("coarse", "fine", "embedding")
#: Factors for the rotations and the wrist of a mirrored crop, for a left and a right hand, as in
#: evaluation.predictions.camera_rotations: diag(-1, 1, 1) on both sides of the fingers' rotations, on one side of the
#: wrist's, which the turn of the crop mirrors on the other.
_FLIP: Final = np.array([-1.0, 1, 1], np.float32)
_MIRRORS: Final = np.ones((2, NUM_MANO_JOINTS, 3, 3), np.float32)
_MIRRORS[0, 1:] = _FLIP[:, None] * _FLIP
_MIRRORS[0, WRIST] = _FLIP
_PLACES: Final = np.ones((2, NUM_MANO_JOINTS, 3, 1), np.float32)
_PLACES[0, WRIST] = _FLIP[:, None]


def graph_settings(model: HandRegressor) -> dict[str, Any]:
    """The class and settings that networks on one graph share."""
    return {"class": type(model).__name__, **{name: model.hparams.get(name) for name in _SETTINGS}}


def graph_weights(model: HandRegressor) -> dict[str, np.ndarray]:
    """A network's weights and its right hand's arrays, float32, by their names in the graph."""
    hand = model.hand_model.skinning.right_hand()
    tensors = {**model.state_dict(), **{f"hand_model.{name}": tensor for name, tensor in hand.items()}}
    return {name: np.ascontiguousarray(tensor.float().cpu().numpy()) for name, tensor in tensors.items()}


def find_engine(model: HandRegressor, engine: Engine, device: torch.device) -> "OnnxEngine | None":
    """The engine of a user's choice, or None for PyTorch.

    Args:
        model: The network; it is not changed, and its later changes are not seen.
        engine: The choice.
        device: Where the network runs.

    Raises:
        UserError: There is no such engine, or ONNX Runtime is asked for and cannot be used.
    """
    if engine not in ENGINES:
        raise UserError(f"engine is '{engine}': give one of {', '.join(ENGINES)}.")
    obstacle = None if engine == "torch" else _obstacle(model, device)
    if engine == "onnx" and obstacle is not None:
        raise UserError(f"engine is 'onnx', but {obstacle}; or take engine 'auto'.")
    return OnnxEngine(model) if engine != "torch" and obstacle is None else None


def _obstacle(model: HandRegressor, device: torch.device) -> str | None:
    """The reason why ONNX Runtime cannot be used, and the remedy."""
    if device.type != "cpu":
        return f"the network runs on {device}: take the device 'cpu'"
    if importlib.util.find_spec("onnxruntime") is None:
        return f"ONNX Runtime is not installed: {install('predict')}"
    graph = json.loads((files("gesturehand.assets") / GRAPH_SETTINGS_FILE).read_text(encoding="utf-8"))
    if graph_settings(model) != graph:
        return "only networks with the layers of the weights 'openphoto' run on it: take those"
    return None


class OnnxEngine:
    """A network of right hands on ONNX Runtime, with the left hand as its mirror image.

    Each run has one thread; large batches are divided among as many simultaneous runs as PyTorch has threads. A crop
    therefore does not wait for another core, which may be busy, and no thread spins.

    Args:
        model: The model whose current weights are used.
    """

    def __init__(self, model: HandRegressor) -> None:
        self._graph = OnnxGraph(GRAPH_FILE.removesuffix(".onnx"), weights=graph_weights(model))

    def __call__(self, images: np.ndarray, crop_affine: np.ndarray) -> dict[str, np.ndarray]:
        """Predicts crops in which every hand looks like a right one.

        Args:
            images: (B, S, S, 3) uint8 RGB.
            crop_affine: (B, 2, 3) px of the image → px of the crop; those that mirror show left hands.

        Returns:
            As :func:`~gesturehand.inference.assemble.numpy_prediction`, with one hand per crop.
        """
        # Plain numbers, because after the network each of NumPy's functions takes as long as fifty of these.
        linear = crop_affine[:, :, :2].tolist()
        areas = [a * d - b * c for (a, b), (c, d) in linear]
        turns = []  # the inverse of camera.frame_of_affine
        for ((a, b), (c, d)), area in zip(linear, areas, strict=True):
            scale = math.sqrt(abs(area))
            turns.append([[[a / scale, c / scale, 0.0], [b / scale, d / scale, 0.0], [0.0, 0.0, 1.0]]])
        is_right = [area > 0 for area in areas]
        kinds = [int(right) for right in is_right]
        found = self._run(images, np.array(turns, np.float32), _MIRRORS[kinds], _PLACES[kinds])
        # SciPy takes ten times as long to check that matrices are rotations.
        axis_angle = [
            cv2.Rodrigues(rotation)[0] for rotation in found["rotations"].reshape(-1, 3, 3).astype(np.float64)
        ]
        found["axis_angle"] = np.reshape(axis_angle, (-1, NUM_MANO_JOINTS, 3))
        found["is_right"] = np.array(is_right)
        return {name: array if name in _OF_CROPS else array[:, None] for name, array in found.items()}

    def _run(
        self, images: np.ndarray, turns: np.ndarray, mirrors: np.ndarray, places: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The graph's outputs by name."""

        def inputs(part: slice) -> dict[str, np.ndarray]:
            planes = images[part].transpose(0, 3, 1, 2).astype(np.float32, order="C")
            return {"images": planes, "turns": turns[part], "mirrors": mirrors[part], "places": places[part]}

        return self._graph.run(len(images), inputs, torch.get_num_threads())
