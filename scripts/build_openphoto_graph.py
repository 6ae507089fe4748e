"""Writes the graph that runs ``openphoto`` on ONNX Runtime, ``openphoto.onnx``; the weights are not in it.

::

    python scripts/build_openphoto_graph.py

The file states only the name and size of every weight, which is an initialiser that :mod:`gesturehand.inference.engine`
feeds from a loaded network. New weights of the same sizes therefore need no new graph, but a change of the network's
layers does. The graph is written operator by operator, because the result of ``torch.onnx.export`` takes half as long
again.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gesturehand.hand.layer import HandModel
from gesturehand.inference.checkpoint import load_regressor
from gesturehand.inference.engine import GRAPH_FILE, GRAPH_SETTINGS_FILE, graph_settings, graph_weights
from gesturehand.models.hand_prediction import TYPICAL_CAMERA_SCALE
from gesturehand.models.mediapipe_trunk import ConvLayer, InvertedResidual
from gesturehand.models.token_fusion import TokenFusionNetwork
from gesturehand.skeleton import (
    JOINT_OF_MANO_ROTATION,
    JOINTS_FROM_MANO_AND_TIPS,
    NUM_JOINTS,
    NUM_MANO_JOINTS,
    TIP_VERTICES,
)
from gesturehand.text_file import write_json

ASSETS: Final = Path(__file__).parents[1] / "src/gesturehand/assets"
OPSET: Final = 20
#: The domain of the operators that ONNX Runtime adds to the standard.
RUNTIME_OPERATORS: Final = "com.microsoft"


class Graph:
    """A graph that is being written; a method's strings are names of tensors.

    Args:
        weights: The weights that it may use, by name.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.used: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[bytes, onnx.TensorProto] = {}

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or the names of several."""
        names = [f"{operator.lower()}_{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        """Adds a constant, whose values the file holds."""
        array = np.asarray(values, dtype)
        tensor = self.constants.setdefault(
            array.tobytes() + str((array.shape, dtype)).encode(),
            numpy_helper.from_array(array, f"constant_{len(self.constants)}"),
        )
        return str(tensor.name)

    def weight(self, name: str) -> str:
        """Adds a weight, whose values are fed."""
        assert name in self.weights, name
        self.used.add(name)
        return name

    def reshape(self, tensor: str, *shape: int) -> str:
        return str(self.add("Reshape", tensor, self.constant(shape, np.int64)))

    def gather(self, tensor: str, places: Any, axis: int) -> str:
        return str(self.add("Gather", tensor, self.constant(places, np.int64), axis=axis))

    def part(self, tensor: str, start: int, stop: int, axis: int) -> str:
        return str(self.add("Slice", tensor, *(self.constant([value], np.int64) for value in (start, stop, axis))))

    def linear(self, tensor: str, name: str) -> str:
        """A linear layer on (rows, channels)."""
        return str(self.add("Gemm", tensor, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1))

    def linears(self, tensor: str, *names: str) -> list[str]:
        """Several linear layers on the same (rows, channels), as one product."""
        weights, biases = ([self.weight(f"{name}.{part}") for name in names] for part in ("weight", "bias"))
        sizes = [self.weights[bias].size for bias in biases]
        weight, bias = (self.add("Concat", *parts, axis=0) for parts in (weights, biases))
        every = self.add("Gemm", tensor, weight, bias, transB=1)
        return list(self.add("Split", every, self.constant(sizes, np.int64), outputs=len(names), axis=1))

    def convolve(self, tensor: str, name: str, weight: str | None = None, **attributes: Any) -> str:
        weight = weight or self.weight(f"{name}.weight")
        return str(self.add("Conv", tensor, weight, self.weight(f"{name}.bias"), **attributes))


class NetworkGraph(Graph):
    """The graph of a token fusion network on MediaPipe's trunk, for right hands.

    Args:
        network: The network whose layers are written.
        hand_model: The hand model that it poses.
        image_size: Side of the crops, px.
        weights: The values of the weights, whose sizes are written.
    """

    def __init__(
        self, network: TokenFusionNetwork, hand_model: HandModel, image_size: int, weights: dict[str, np.ndarray]
    ) -> None:
        super().__init__(weights)
        self.network = network
        self.tips = TIP_VERTICES[hand_model.tips]
        self.vertices = hand_model.num_vertices
        self.size = image_size
        self.outputs: dict[str, str] = {}

    def write(self) -> None:
        """Writes the whole graph."""
        feature_map, pooled = self.encoder()
        # Layers that read one tensor are one product.
        embed, mano_pooled = "network.gesture_head.embed.0", "network.mano_head.pooled"
        embedding, pooled = self.linears(pooled, embed, mano_pooled)
        embedding = self.add("Relu", embedding)
        joints_25d, joint_tokens = self.joint_tokens(feature_map)
        gesture_tokens, places = self.gesture_tokens(embedding)
        tokens = self.add("Add", self.add("Concat", gesture_tokens, joint_tokens, axis=1), self.token_biases())
        self.outputs |= {"joints_25d": joints_25d, "embedding": embedding}
        self.parameters(self.fused(tokens, places), pooled)

    def encoder(self) -> tuple[str, str]:
        """The merged map (N, C, h · w) and the pooled last map (N, C')."""
        tensor, size, maps = "images", self.size, []
        for stage_name, stage in self.network.encoder.net.named_children():
            for number, layer in enumerate(stage):
                name = f"network.encoder.net.{stage_name}.{number}"
                if isinstance(layer, InvertedResidual):
                    before = tensor
                    if isinstance(layer.expand, ConvLayer):
                        tensor, _ = self.layer(tensor, layer.expand, f"{name}.expand", size)
                    tensor, size = self.layer(tensor, layer.depthwise, f"{name}.depthwise", size)
                    tensor, _ = self.layer(tensor, layer.project, f"{name}.project", size)
                    tensor = self.add("Add", before, tensor) if layer.adds_input else tensor
                else:
                    tensor, size = self.layer(tensor, layer, name, size)
            if size <= self.network.encoder.map_size:
                maps.append((tensor, size))
        (fine, size), (coarse, coarse_size) = maps  # the merging of two maps, as the network does it
        pooled = self.add("Flatten", self.add("GlobalAveragePool", coarse))
        merge = "network.encoder.merge"
        shape = (0, self.network.encoder.channels, -1)
        narrow = self.reshape(self.convolve(coarse, f"{merge}.1"), *shape)
        larger = self.add("MatMul", narrow, self.constant(enlargement(coarse_size, size)))
        merged = self.add("Add", self.reshape(self.convolve(fine, f"{merge}.0"), *shape), larger)
        return self.add("Relu", merged), pooled

    def layer(self, tensor: str, layer: ConvLayer, name: str, size: int) -> tuple[str, int]:
        """One of the trunk's convolutions, and the side of its map; TFLite pads the odd pixel at the end."""
        convolution = layer.conv
        kernel, stride = convolution.kernel_size[0], convolution.stride[0]
        after = -(-size // stride)
        padding = max((after - 1) * stride + kernel - size, 0)
        pads = [padding // 2] * 2 + [padding - padding // 2] * 2
        weight = None
        if tensor == "images":  # for 0…255; the network's are for 0…1
            weight = self.add("Mul", self.weight(f"{name}.conv.weight"), self.constant(1 / 255))
        tensor = self.convolve(
            tensor, f"{name}.conv", weight, pads=pads, strides=[stride] * 2, group=convolution.groups
        )
        if hasattr(layer, "activation"):
            tensor = self.add("Clip", tensor, self.constant(0), self.constant(6))
        return tensor, after

    def gesture_tokens(self, embedding: str) -> tuple[str, int]:
        """The gesture tokens (N, G, W), to which their kinds are not added yet, and G."""
        tokens = [self.linear(embedding, "network.gesture_tokens.embedding")]
        levels = ("coarse", "fine")
        logits = self.linears(embedding, *(f"network.gesture_head.{level}" for level in levels))
        for level, own in zip(levels, logits, strict=True):
            self.outputs[level] = probabilities = self.add("Softmax", own)
            weight = self.weight(f"network.gesture_tokens.{level}.weight")
            tokens.append(self.add("Gemm", probabilities, weight, transB=1))
        count = len(tokens)
        return self.reshape(self.add("Concat", *tokens, axis=1), 0, count, -1), count

    def token_biases(self) -> str:
        """(G + 21, W): the biases that are added to the tokens."""
        biases = [self.weight(f"network.joint_tokens.{layer}.bias") for layer in ("feature", "coordinate")]
        joints = self.add("Add", self.add("Add", *biases), self.weight("network.joint_tokens.joint"))
        return str(self.add("Concat", self.weight("network.gesture_tokens.kind"), joints, axis=0))

    def joint_tokens(self, feature_map: str) -> tuple[str, str]:
        """2.5D joints (N, 21, 3) and joint tokens (N, 21, W) without biases, from the map (N, C, h · w)."""
        side, volume = self.network.encoder.map_size, self.network.joint_volume
        weight = self.weight("network.joint_volume.conv.weight")
        cells = volume.conv.out_channels
        logits = self.add("MatMul", self.reshape(weight, cells, -1), feature_map)
        bias = self.reshape(self.weight("network.joint_volume.conv.bias"), cells, 1)
        logits = self.reshape(self.add("Add", logits, bias), 0, cells // volume.depth, -1)
        centres = volume_centres(volume.depth, side)
        joints = self.add("MatMul", self.add("Softmax", logits, axis=-1), self.constant(centres))
        # Bilinear sampling as a product: the weight of a cell falls from 1 to 0 within one cell on either side, and
        # everything outside the map counts as zero.
        cell = self.add("Mul", joints, self.constant(side / 2))
        near = []
        for axis, shape in ((1, (side, 1)), (0, (1, side))):
            place = self.reshape(self.part(cell, axis, axis + 1, 2), 0, 0, 1, 1)
            centres = np.arange(side) + 0.5 - side / 2
            away = self.add("Abs", self.add("Sub", place, self.constant(centres.reshape(shape))))
            near.append(self.add("Relu", self.add("Sub", self.constant(1), away)))
        weights = self.reshape(self.add("Mul", *near), 0, 0, -1)  # (N, 21, h · w)
        sampled = self.add("MatMul", weights, self.add("Transpose", feature_map, perm=[0, 2, 1]))
        layers = [self.weight(f"network.joint_tokens.{layer}.weight") for layer in ("feature", "coordinate")]
        weight = self.add("Transpose", self.add("Concat", *layers, axis=1), perm=[1, 0])
        return joints, self.add("MatMul", self.add("Concat", sampled, joints, axis=-1), weight)

    def fused(self, tokens: str, gesture_tokens: int) -> str:
        """The joint tokens after the Transformer's blocks, (N, 21, W); in between, tokens are rows, (N · 24, W)."""
        blocks = self.network.token_fusion.blocks
        width = blocks[0].linear1.in_features
        count = gesture_tokens + NUM_JOINTS
        tokens = self.reshape(tokens, -1, width)
        for number, block in enumerate(blocks):
            own = f"network.token_fusion.blocks.{number}"
            attention = f"{own}.self_attn"
            attended = self.add(
                "Attention",
                self.reshape(self.normalised(tokens, f"{own}.norm1"), -1, count, width),
                self.add("Transpose", self.weight(f"{attention}.in_proj_weight"), perm=[1, 0]),
                self.weight(f"{attention}.in_proj_bias"),
                domain=RUNTIME_OPERATORS,
                num_heads=block.self_attn.num_heads,
            )
            change = self.linear(self.reshape(attended, -1, width), f"{attention}.out_proj")
            tokens = self.add("Add", tokens, change)
            wide = self.linear(self.normalised(tokens, f"{own}.norm2"), f"{own}.linear1")
            tokens = self.add("Add", tokens, self.linear(self.add("Gelu", wide), f"{own}.linear2"))
        joints = self.part(self.reshape(tokens, -1, count, width), gesture_tokens, count, 1)
        return self.normalised(joints, "network.token_fusion.norm")

    def normalised(self, tokens: str, name: str) -> str:
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return str(self.add("LayerNormalization", tokens, weight, bias, epsilon=1e-5))

    def parameters(self, tokens: str, pooled: str) -> None:
        """MANO's parameters, the camera and the posed hand."""
        head = "network.mano_head"
        mean = self.add("ReduceMean", tokens, self.constant([1], np.int64), keepdims=0)
        whole = self.add("Concat", mean, pooled, axis=-1)
        root, betas, camera = self.linears(
            whole, *(f"{head}.{layer}" for layer in ("global_rotation", "shape", "camera"))
        )
        fingers = self.reshape(
            self.gather(tokens, JOINT_OF_MANO_ROTATION[1:], 1), -1, self.network.mano_head.joint_rotation.in_features
        )
        fingers = self.reshape(self.linear(fingers, f"{head}.joint_rotation"), -1, NUM_MANO_JOINTS - 1, 6)
        rotations = self.rotations(self.add("Concat", self.reshape(root, 0, 1, 6), fingers, axis=1))
        # From the crop's frame into the camera's, which is turned and perhaps mirrored; this changes only the wrist.
        root = self.add("MatMul", "turns", self.part(rotations, 0, 1, 1))
        rotations = self.add("Concat", root, self.part(rotations, 1, 1 << 30, 1), axis=1)
        scale, shift = self.add("Split", camera, self.constant([1, 2], np.int64), outputs=2, axis=-1)
        scale = self.add("Mul", self.add("Exp", scale), self.constant(TYPICAL_CAMERA_SCALE))
        vertices, joints = self.posed(rotations, betas)
        seen = self.add("MatMul", joints, self.reshape("turns", 0, 3, 3))  # in the crop's frame again
        relative = self.add("Sub", self.part(seen, 0, 2, 2), self.part(self.part(seen, 0, 2, 2), 0, 1, 1))
        size, place = self.reshape(scale, 0, 1, 1), self.reshape(shift, 0, 1, 2)
        self.outputs |= {
            "rotations": self.add("Mul", rotations, "mirrors"),
            "betas": betas,
            "camera": self.add("Concat", scale, shift, axis=-1),
            "joints_2d": self.add("Add", self.add("Mul", relative, size), place),
            "vertices": vertices,
            "joints": joints,
        }

    def rotations(self, six: str) -> str:
        """Rotations (N, 16, 3, 3) from two columns each, (N, 16, 6), as ``rotation_from_6d`` makes them."""
        axis = self.constant([2], np.int64)
        x, y = self.add("Split", self.reshape(six, 0, 0, 3, 2), outputs=2, axis=3, num_outputs=2)
        x = self.add("Div", x, self.add("ReduceL2", x, axis))
        along = self.add("ReduceSum", self.add("Mul", x, y), axis)
        y = self.add("Sub", y, self.add("Mul", along, x))
        y = self.add("Div", y, self.add("ReduceL2", y, axis))
        one = self.add("Mul", self.gather(x, [1, 2, 0], 2), self.gather(y, [2, 0, 1], 2))
        other = self.add("Mul", self.gather(x, [2, 0, 1], 2), self.gather(y, [1, 2, 0], 2))
        return str(self.add("Concat", x, y, self.add("Sub", one, other), axis=3))

    def posed(self, rotations: str, betas: str) -> tuple[str, str]:
        """Vertices (N, V, 3) and joints (N, 21, 3) of right hands, as ``SkinningLayer`` computes them.

        If the wrist's rotation mirrors, they are those of the mirror image, whose wrist rests at the mirrored place.
        """
        # Points are (x, y, z, 1); the product with the betas leaves the 1 as it is.
        mean, directions = [], []
        for name, shape, padding in (
            ("rest_joints", (-1, 16, 3), (0, 0, 1)),
            ("shape", (-1, 3, self.vertices), (0, 1, 0)),
        ):
            array = self.reshape(self.weight(f"hand_model.{name}"), *shape)
            pads = self.constant((0, 0, 0, *padding), np.int64)
            for parts, rows, one in ((mean, (0, 1), 1), (directions, (1, 1 << 30), 0)):
                padded = self.add("Pad", self.part(array, *rows, 0), pads, self.constant(one))
                parts.append(self.add("Flatten", padded))
        shaped = self.add("Gemm", betas, self.add("Concat", *directions, axis=1), self.add("Concat", *mean, axis=1))
        sizes = self.constant([4 * 16, 4 * self.vertices], np.int64)
        rest, shaped = self.add("Split", shaped, sizes, outputs=2, axis=1)
        rest = self.reshape(rest, 0, 16, 4, 1)
        # A joint rotates about its place at rest, x' = R x + (rest − R rest), and then moves with its parent.
        place = self.part(rest, 0, 3, 2)
        resting = self.add("Mul", place, "places")
        offset = self.add("Sub", resting, self.add("MatMul", rotations, place))
        steps = self.add("Concat", rotations, offset, axis=-1)  # (N, 16, 3, 4)
        fingers = self.reshape(self.part(steps, 1, 1 << 30, 1), 0, 5, 3, 3, 4)
        parent = root = self.part(steps, 0, 1, 1)
        parent = self.reshape(root, 0, 1, 1, 3, 4)
        chain = []
        for step in self.add("Split", fingers, outputs=3, axis=2, num_outputs=3):
            turned = self.add("MatMul", self.part(parent, 0, 3, 4), step)
            parent = self.add("Add", turned, self.add("Mul", parent, self.constant([0, 0, 0, 1])))
            chain.append(parent)
        transforms = self.reshape(self.add("Concat", *chain, axis=2), 0, 15, 3, 4)
        transforms = self.add("Concat", root, transforms, axis=1)
        skeleton = self.reshape(self.add("MatMul", transforms, rest), 0, 16, 3)
        columns = self.add("Transpose", self.reshape(transforms, 0, 16, 12), perm=[0, 2, 1])
        blended = self.reshape(self.add("MatMul", columns, self.weight("hand_model.weights")), 0, 3, 4, -1)
        moved = self.add("Mul", blended, self.reshape(shaped, 0, 1, 4, -1))
        moved = self.add("ReduceSum", moved, self.constant([2], np.int64), keepdims=0)
        vertices = self.add("Transpose", moved, perm=[0, 2, 1])
        both = self.add("Concat", skeleton, self.gather(vertices, self.tips, 1), axis=1)
        return vertices, self.gather(both, JOINTS_FROM_MANO_AND_TIPS, 1)


def enlargement(before: int, after: int) -> np.ndarray:
    """(before², after²): bilinear enlargement of a map as a product, as ``F.interpolate`` without aligned corners."""
    place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    along = np.maximum(0, 1 - np.abs(np.arange(before)[:, None] - place))  # (before, after)
    return np.einsum("ai,bj->abij", along, along).reshape(before**2, after**2)


def volume_centres(depth: int, side: int) -> np.ndarray:
    """(D · h · w, 3): the centres of a volume's cells, x, y, z in -1 … 1."""
    axes = [(np.arange(n) + 0.5) * 2 / n - 1 for n in (depth, side, side)]
    return np.stack(np.meshgrid(*axes, indexing="ij")[::-1], -1).reshape(-1, 3)


def external(name: str, array: np.ndarray) -> onnx.TensorProto:
    """An initialiser whose values are not in the file."""
    tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="fed")
    return tensor


def main() -> None:
    """Writes openphoto.onnx."""
    model: Any = load_regressor("openphoto").model
    weights = graph_weights(model)
    graph = NetworkGraph(model.network, model.hand_model, model.hparams["image_size"], weights)
    graph.write()
    unused = sorted(weights.keys() - graph.used)
    if unused:
        raise SystemExit(f"The graph does not use {', '.join(unused)}.")
    names = {tensor: name for name, tensor in graph.outputs.items()}
    for node in graph.nodes:
        for own in (node.input, node.output):
            own[:] = [names.get(tensor, tensor) for tensor in own]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in graph.outputs]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        for name, shape in {
            "images": (3, graph.size, graph.size),
            "turns": (1, 3, 3),
            "mirrors": (NUM_MANO_JOINTS, 3, 3),
            "places": (NUM_MANO_JOINTS, 3, 1),
        }.items()
    ]
    initialisers = [*graph.constants.values(), *(external(name, weights[name]) for name in sorted(graph.used))]
    written = helper.make_model(
        helper.make_graph(graph.nodes, "openphoto", inputs, outputs, initialisers),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME_OPERATORS, 1)],
        ir_version=9,
    )
    path = ASSETS / GRAPH_FILE
    path.write_bytes(written.SerializeToString())
    write_json(ASSETS / GRAPH_SETTINGS_FILE, graph_settings(model))
    print(f"{path}: {len(graph.nodes)} operators, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
