"""Writes the weights of MediaPipe's landmark trunk and reference outputs of them, from MediaPipe's own model file.

The results are in the repository, so this is needed only to rebuild them::

    npm pack @mediapipe/hands@0.4.1675469240 && tar xzf mediapipe-hands-0.4.1675469240.tgz
    pip install tflite ai-edge-litert
    python scripts/build_mediapipe_trunk.py package/hand_landmark_full.tflite

LICENSES/mediapipe.md has the origin and the licence.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gesturehand.models.mediapipe_trunk import TRUNK_WEIGHTS

ROOT = Path(__file__).parents[1]
ASSET = ROOT / "src/gesturehand/assets" / TRUNK_WEIGHTS
REFERENCE = ROOT / "tests/models/mediapipe_hand_reference.npz"


def convolutions(path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights (with PyTorch's order of axes) and bias of every convolution of a TFLite file, in the graph's order."""
    import tflite

    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    halves = {}  # a 32-bit tensor and the 16-bit one it is made from
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = [int(i) for i in operator.InputsAsNumpy()]
        if kind == tflite.BuiltinOperator.DEQUANTIZE:
            halves[int(operator.OutputsAsNumpy()[0])] = inputs[0]
        elif kind in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D):
            weight, bias = (_array(model, graph, halves.get(i, i)) for i in inputs[1:])
            # (out, y, x, in) of a full convolution, (1, y, x, channel) of a depthwise one.
            depthwise = kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D
            yield weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2), bias


def _array(model: "tflite.Model", graph: "tflite.SubGraph", number: int) -> Tensor:  # noqa: F821
    tensor = graph.Tensors(number)
    values = np.frombuffer(model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), np.float16)
    return torch.from_numpy(values.reshape(tensor.ShapeAsNumpy()).copy())


def reference_outputs(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """The trunk's outputs in LiteRT: the map at stride 16 and the pooled last map, (N, …) float32.

    Args:
        path: The TFLite file.
        images: (N, 224, 224, 3) uint8.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    # Activations follow the weights, in the graph's order; the heads start from the pooled map.
    shapes = {tuple(d["shape"]): d["index"] for d in interpreter.get_tensor_details() if d["dtype"] == np.float32}
    last_map = shapes[1, 7, 7, 1152]
    wanted = {"stage4": shapes[1, 14, 14, 112], "pooled": last_map + 1}
    results: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None].astype(np.float32) / 255)
        interpreter.invoke()
        for name, index in wanted.items():
            results[name].append(np.array(interpreter.get_tensor(index))[0])
    stacked = {name: np.stack(arrays) for name, arrays in results.items()}
    return {**stacked, "stage4": stacked["stage4"].transpose(0, 3, 1, 2)}


def test_images() -> np.ndarray:
    """Two pictures (2, 224, 224, 3) uint8 from a formula: coloured waves, and the same with hard edges."""
    y, x = np.mgrid[:224, :224] / 224.0
    waves = [np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in ((2, 1, 0.1), (-1, 3, 0.4), (5, 4, 0.7))]
    smooth = np.round(127.5 + 127 * np.stack(waves, -1))
    return np.stack([smooth, np.where(smooth > 140, 255, smooth // 2)]).astype(np.uint8)


def main() -> None:
    """Writes the asset and the reference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="hand_landmark_full.tflite")
    path = parser.parse_args().model
    trunk = timm.create_model("mediapipe_hand")
    own = {name: module for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)}
    state = {}
    for (name, layer), (weight, bias) in zip(own.items(), convolutions(path), strict=True):
        assert layer.weight.shape == weight.shape, name
        state |= {f"{name}.weight": weight.contiguous(), f"{name}.bias": bias}
    about = {
        "source": "hand_landmark_full.tflite of npm's @mediapipe/hands 0.4.1675469240, without its heads",
        "licence": "Apache-2.0",
    }
    save_file(state, ASSET, about)
    images = test_images()
    np.savez_compressed(REFERENCE, images=images, **reference_outputs(path, images))
    for file in (ASSET, REFERENCE):
        print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
