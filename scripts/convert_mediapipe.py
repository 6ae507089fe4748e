"""Converts MediaPipe's palm detector and hand landmark model from TFLite to ONNX: the two graphs in ``assets``.

    npm pack @mediapipe/hands@0.4.1675469240
    pip install tflite ai-edge-litert onnx onnxruntime
    python scripts/convert_mediapipe.py mediapipe-hands-0.4.1675469240.tgz --photo PHOTO.jpg

Weights stay the 16-bit numbers that they are in the package. Every output is compared with LiteRT's on a photo and on
noise; the photo and LiteRT's outputs become ``tests/detection/mediapipe_reference.npz``. The graphs take plain
pixels: (N, S, S, 3) uint8 RGB, any N. Both engines' times go to ``docs/results/detection_engines.json``.
"""

import argparse
import json
import re
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnx
import onnxruntime
import tflite
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

ROOT: Final = Path(__file__).resolve().parents[1]
#: For each asset, its TFLite file and the names of its outputs in the order of the file.
MODELS: Final = {
    "mediapipe_palm": ("palm_detection_full.tflite", ("boxes", "logits")),
    "mediapipe_hand": ("hand_landmark_full.tflite", ("joints", "presence", "right", "joints_world")),
}
ORIGIN: Final = "npm @mediapipe/hands 0.4.1675469240, {}; Copyright Google, Apache-2.0"
TOLERANCE: Final = 1e-4
OPSET: Final = 17

_OPERATORS: Final = {code: name for name, code in vars(tflite.BuiltinOperator).items() if not name.startswith("_")}
_DTYPES: Final = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


def read_package(path: Path) -> dict[str, bytes]:
    """The TFLite files of the npm package, by name; the palm detector lies inside a file of packed assets."""
    with tarfile.open(path) as archive:
        content = {Path(member.name).name: archive.extractfile(member) for member in archive if member.isfile()}
        files = {name: file.read() for name, file in content.items() if file is not None}
    loader = files["hands_solution_packed_assets_loader.js"].decode()
    table = re.search(r'"files":\s*(\[.*?\])', loader, re.DOTALL)
    assert table is not None, "the loader has no table of its files"
    for entry in json.loads(table[1]):
        files[Path(entry["filename"]).name] = files["hands_solution_packed_assets.data"][entry["start"] : entry["end"]]
    return files


class Converter:
    """Converts a TFLite graph into ONNX nodes. Images are (N, H, W, C) in TFLite and (N, C, H, W) in ONNX.

    Args:
        content: The TFLite file.
    """

    def __init__(self, content: bytes) -> None:
        self.model = tflite.Model.GetRootAs(content, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}
        #: Constants that DEQUANTIZE only widens from 16 to 32 bits, keyed by the widened tensor.
        self._narrow: dict[int, int] = {}

    def convert(self, outputs: tuple[str, ...], origin: str) -> onnx.ModelProto:
        """The whole model.

        Args:
            outputs: Names of its outputs.
            origin: The origin that the file states.
        """
        (source,) = self.graph.InputsAsNumpy()
        size = int(self.graph.Tensors(source).ShapeAsNumpy()[1])
        self._add("Cast", ["images"], "pixels", to=TensorProto.FLOAT)
        self._add("Mul", ["pixels", self._constant("to_unit", np.float32(1 / 255))], "unit")
        self._add("Transpose", ["unit"], self._name(source), perm=[0, 3, 1, 2])
        for number in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(number)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            convert: Callable[[Any], None] = getattr(self, f"_from_{kind.lower()}")
            convert(operator)
        results = []
        for tensor, name in zip(self.graph.OutputsAsNumpy(), outputs, strict=True):
            shape = self.graph.Tensors(tensor).ShapeAsNumpy().tolist()
            self._add("Identity", [self._name(tensor)], name)
            results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape[1:]]))
        images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", size, size, 3])
        initialisers = [numpy_helper.from_array(array, name) for name, array in self.weights.items()]
        graph = helper.make_graph(self.nodes, "mediapipe", [images], results, initialisers, doc_string=origin)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _from_dequantize(self, operator: Any) -> None:
        self._narrow[operator.Outputs(0)] = operator.Inputs(0)

    def _from_conv_2d(self, operator: Any) -> None:
        options = _options(operator, tflite.Conv2DOptions())
        # (out, height, width, in) in TFLite, (out, in, height, width) in ONNX.
        self._convolution(operator, options, self._array(operator.Inputs(1)).transpose(0, 3, 1, 2), 1)

    def _from_depthwise_conv_2d(self, operator: Any) -> None:
        options = _options(operator, tflite.DepthwiseConv2DOptions())
        assert options.DepthMultiplier() == 1
        kernel = self._array(operator.Inputs(1)).transpose(3, 0, 1, 2)
        self._convolution(operator, options, kernel, len(kernel))

    def _convolution(self, operator: Any, options: Any, kernel: np.ndarray, groups: int) -> None:
        assert options.DilationHFactor() == options.DilationWFactor() == 1
        name = self._name(operator.Outputs(0))
        inputs = [
            self._name(operator.Inputs(0)),
            self._constant(f"{name}_kernel", kernel),
            self._constant(f"{name}_bias", self._array(operator.Inputs(2))),
        ]
        self._activated(
            operator, "Conv", inputs, options, group=groups, kernel_shape=list(kernel.shape[2:]), **_window(options)
        )

    def _from_prelu(self, operator: Any) -> None:
        """PReLU as slope · x + (1 − slope) · relu(x), with depthwise convolutions as the products.

        ONNX Runtime has no blocked PReLU and reorders the whole map around each one; this way the palm detector takes
        half the time.
        """
        source, name = self._name(operator.Inputs(0)), self._name(operator.Outputs(0))
        slope = self._array(operator.Inputs(1)).reshape(-1, 1, 1, 1)
        of_all = self._constant(f"{name}_slope", slope)
        self._add("Sub", [self._constant("one", np.float32(1)), of_all], f"{name}_rest")
        self._add("Relu", [source], f"{name}_positive")
        for factor, value, product in ((of_all, source, "all"), (f"{name}_rest", f"{name}_positive", "more")):
            self._add("Conv", [value, factor], f"{name}_{product}", group=len(slope), kernel_shape=[1, 1])
        self._add("Add", [f"{name}_all", f"{name}_more"], name)

    def _from_add(self, operator: Any) -> None:
        inputs = [self._name(operator.Inputs(0)), self._name(operator.Inputs(1))]
        self._activated(operator, "Add", inputs, _options(operator, tflite.AddOptions()))

    def _from_max_pool_2d(self, operator: Any) -> None:
        options = _options(operator, tflite.Pool2DOptions())
        kernel = [options.FilterHeight(), options.FilterWidth()]
        source = [self._name(operator.Inputs(0))]
        self._activated(operator, "MaxPool", source, options, kernel_shape=kernel, **_window(options))

    def _from_pad(self, operator: Any) -> None:
        before, after = self._array(operator.Inputs(1))[[0, 3, 1, 2]].T.astype(np.int64)
        name = self._name(operator.Outputs(0))
        pads = self._constant(f"{name}_pads", np.concatenate([before, after]))
        self._add("Pad", [self._name(operator.Inputs(0)), pads], name)

    def _from_resize_bilinear(self, operator: Any) -> None:
        options = _options(operator, tflite.ResizeBilinearOptions())
        assert options.HalfPixelCenters()
        assert not options.AlignCorners()
        before, after = (self.graph.Tensors(i).ShapeAsNumpy() for i in (operator.Inputs(0), operator.Outputs(0)))
        name = self._name(operator.Outputs(0))
        scales = self._constant(f"{name}_scales", (after / before)[[0, 3, 1, 2]].astype(np.float32))
        source = [self._name(operator.Inputs(0)), "", scales]
        self._add("Resize", source, name, mode="linear", coordinate_transformation_mode="half_pixel")

    def _from_reshape(self, operator: Any) -> None:
        name = self._name(operator.Outputs(0))
        _, *shape = self.graph.Tensors(operator.Outputs(0)).ShapeAsNumpy().tolist()
        self._add("Transpose", [self._name(operator.Inputs(0))], f"{name}_rows", perm=[0, 2, 3, 1])
        size = self._constant(f"{name}_shape", np.array([0, -1, shape[-1]], np.int64))
        self._add("Reshape", [f"{name}_rows", size], name)

    def _from_concatenation(self, operator: Any) -> None:
        options = _options(operator, tflite.ConcatenationOptions())
        assert options.Axis() == 1
        inputs = [self._name(tensor) for tensor in operator.InputsAsNumpy()]
        self._add("Concat", inputs, self._name(operator.Outputs(0)), axis=1)

    def _from_mean(self, operator: Any) -> None:
        assert self._array(operator.Inputs(1)).tolist() == [1, 2]
        self._add(
            "ReduceMean", [self._name(operator.Inputs(0))], self._name(operator.Outputs(0)), axes=[2, 3], keepdims=0
        )

    def _from_fully_connected(self, operator: Any) -> None:
        name = self._name(operator.Outputs(0))
        inputs = [
            self._name(operator.Inputs(0)),
            self._constant(f"{name}_matrix", self._array(operator.Inputs(1))),
            self._constant(f"{name}_bias", self._array(operator.Inputs(2))),
        ]
        self._activated(operator, "Gemm", inputs, _options(operator, tflite.FullyConnectedOptions()), transB=1)

    def _from_logistic(self, operator: Any) -> None:
        self._add("Sigmoid", [self._name(operator.Inputs(0))], self._name(operator.Outputs(0)))

    def _activated(self, operator: Any, kind: str, inputs: list[str], options: Any, **attributes: Any) -> None:
        """A node and the activation that TFLite fuses into it."""
        name = self._name(operator.Outputs(0))
        fused = options.FusedActivationFunction()
        if fused == tflite.ActivationFunctionType.NONE:
            self._add(kind, inputs, name, **attributes)
            return
        assert fused == tflite.ActivationFunctionType.RELU6
        self._add(kind, inputs, f"{name}_linear", **attributes)
        low, high = self._constant("zero", np.float32(0)), self._constant("six", np.float32(6))
        self._add("Clip", [f"{name}_linear", low, high], name)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _constant(self, name: str, array: np.ndarray | np.generic) -> str:
        """A constant's name; 16-bit ones are stored as they are and widened by a node, which ONNX Runtime does once."""
        if name not in self.weights:
            self.weights[name] = np.ascontiguousarray(array) if array.shape else np.asarray(array)
            if array.dtype == np.float16:
                self._add("Cast", [name], f"{name}_wide", to=TensorProto.FLOAT)
        return f"{name}_wide" if array.dtype == np.float16 else name

    def _array(self, tensor: int) -> np.ndarray:
        tensor = self._narrow.get(tensor, tensor)
        described = self.graph.Tensors(tensor)
        content = self.model.Buffers(described.Buffer()).DataAsNumpy()
        return np.frombuffer(content.tobytes(), _DTYPES[described.Type()]).reshape(described.ShapeAsNumpy())

    def _name(self, tensor: int) -> str:
        return f"t{tensor}"


def _options(operator: Any, options: Any) -> Any:
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options


def _window(options: Any) -> dict[str, Any]:
    padding = "SAME_UPPER" if options.Padding() == tflite.Padding.SAME else "VALID"
    return {"strides": [options.StrideH(), options.StrideW()], "auto_pad": padding}


class LiteRt:
    """A TFLite file on LiteRT with one thread.

    Args:
        content: The file.
    """

    def __init__(self, content: bytes) -> None:
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """The outputs (without the batch axis) for pixels (S, S, 3) uint8."""
        place = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.set_tensor(place, image[None].astype(np.float32) / 255)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output["index"])[0] for output in self._interpreter.get_output_details()]


def cpu_ms(call: Callable[[], Any]) -> float:
    """Processor time of a call, ms: the lower quartile of 60 calls, which other processes disturb least."""
    times = []
    for _ in range(60):
        before = time.process_time()
        call()
        times.append(1000 * (time.process_time() - before))
    return float(np.percentile(times, 25))


def padded(photo: np.ndarray, size: int) -> np.ndarray:
    """A photo in the middle of a black square."""
    before = [(size - length) // 2 for length in photo.shape[:2]]
    after = [size - length - first for length, first in zip(photo.shape, before, strict=False)]
    return np.pad(photo, ((before[0], after[0]), (before[1], after[1]), (0, 0)))


def main() -> None:
    """Converts, compares and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the npm package's .tgz")
    parser.add_argument("--photo", type=Path, required=True, help="of a hand, at most 192 px, for the reference")
    options = parser.parse_args()
    files = read_package(options.package)
    photo = cv2.imread(str(options.photo), cv2.IMREAD_COLOR_RGB)
    assert photo is not None, f"{options.photo} is no image"
    reference = {"photo": photo}
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1
    engines = {}
    for asset, (file, outputs) in MODELS.items():
        model = Converter(files[file]).convert(outputs, ORIGIN.format(file))
        content = model.SerializeToString()
        session = onnxruntime.InferenceSession(content, one_thread, providers=["CPUExecutionProvider"])
        size = session.get_inputs()[0].shape[1]
        noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
        images = np.stack([padded(photo, size), noise])
        found = session.run(list(outputs), {"images": images})
        litert = LiteRt(files[file])
        first = {"images": images[:1]}
        engines[asset] = {
            "onnxruntime_ms": cpu_ms(partial(session.run, None, first)),
            "litert_ms": cpu_ms(partial(litert, images[0])),
        }
        for number, image in enumerate(images):
            for name, wanted, batch in zip(outputs, litert(image), found, strict=True):
                error = np.abs(batch[number] - wanted).max() / max(1.0, np.abs(wanted).max())
                print(f"{asset}, {('photo', 'noise')[number]}, {name}: largest difference {error:.1e}")
                assert error < TOLERANCE
                if number == 0:
                    # Every seventh anchor is enough to notice any change of the graph.
                    reference[f"{asset}_{name}"] = wanted[::7] if len(wanted) > 1000 else wanted
        (ROOT / "src" / "gesturehand" / "assets" / f"{asset}.onnx").write_bytes(content)
        print(f"{asset}.onnx: {len(content) / 1e6:.1f} MB")
    (ROOT / "docs" / "results" / "detection_engines.json").write_text(json.dumps(engines, indent=2) + "\n")
    np.savez_compressed(ROOT / "tests" / "detection" / "mediapipe_reference.npz", **reference)


if __name__ == "__main__":
    main()
