"""Writes a trained regressor as ONNX or as a PyTorch program, after comparing it with PyTorch on crops of hands."""

import importlib.util
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch

from gesturehand import __version__
from gesturehand.errors import UserError
from gesturehand.extras import install
from gesturehand.file_writing import new_file
from gesturehand.inference.export_check import FEWEST_CROPS, Run, crops_of, largest_differences, reference_of
from gesturehand.inference.export_model import ExportModel
from gesturehand.inference.predictor import HandPredictor
from gesturehand.skeleton import JOINT_NAMES, MANO_JOINT_NAMES

Format = Literal["onnx", "pt2"]

#: An exported program is refused if vertices or joints differ by more than this.
LARGEST_DIFFERENCE_M: Final = 1e-4
#: The same for everything else, relative to its largest value where that is above 1.
_LARGEST_DIFFERENCE: Final = 1e-3
#: The first version whose ONNX exporter takes exported programs.
_ONNX_TORCH: Final = (2, 5)


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: The file.
        outputs: Names and shapes, B for the batch.
        difference_m: Largest difference from PyTorch of a vertex's or joint's coordinate, m; None without a mesh.
        difference: Largest difference of everything else, relative to its largest value where that is above 1.
        crops: Number of crops it was compared on.
    """

    path: Path
    outputs: dict[str, tuple[int | str, ...]]
    difference_m: float | None
    difference: float
    crops: int


def export_regressor(
    predictor: HandPredictor, path: str | Path, format: Format, *, mesh: bool = True, data: str | Path | None = None
) -> Exported:
    """Exports, compares on crops, and only then lets the file appear.

    Args:
        predictor: On the CPU.
        path: File to write, .onnx or .pt2; replaced if it exists.
        format: ``onnx`` (ONNX, for ONNX Runtime and others) or ``pt2`` (``torch.export``).
        mesh: Also give the mesh; the file then contains the hand model's arrays.
        data: Folder in InterHand2.6M's layout whose test split the crops come from; a few frames are rendered without.

    Raises:
        UserError: A library is missing, or the program differs from PyTorch.
    """
    path = Path(path)
    if format == "onnx":
        _need_onnx()
    crops, is_right = crops_of(predictor, data)
    model = ExportModel(predictor, mesh).eval()
    reference = reference_of(predictor, crops, is_right)
    with new_file(path) as part:
        with _quiet(), torch.no_grad():
            program = _trace(model, crops, is_right)
            names = tuple(model(*model.inputs(crops[:FEWEST_CROPS], is_right[:FEWEST_CROPS])))
            save = _save_onnx if format == "onnx" else _save_pt2
            run = save(program, part, model, names, _metadata(predictor, mesh))
        differences = largest_differences(run, crops, is_right, reference)
        metric = [differences[name] for name in ("vertices", "joints") if name in differences]
        others = [value for name, value in differences.items() if name not in ("vertices", "joints")]
        exported = Exported(
            path, _shapes(run(crops[:1], is_right[:1])), max(metric) if metric else None, max(others), len(crops)
        )
        worst = max(metric, default=0.0)
        if not (worst <= LARGEST_DIFFERENCE_M and exported.difference <= _LARGEST_DIFFERENCE):
            raise UserError(
                f"The {format} program differs from PyTorch by up to {1e3 * worst:.3f} mm on {len(crops)} crops, so "
                f"'{path}' was not written: try another version of PyTorch, or the other --format."
            )
    return exported


def _trace(model: ExportModel, crops: torch.Tensor, is_right: torch.Tensor) -> torch.export.ExportedProgram:
    arguments = model.inputs(crops[:FEWEST_CROPS], is_right[:FEWEST_CROPS])
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    shapes = {name: {0: batch} for name in model.input_names}
    return torch.export.export(model, arguments, dynamic_shapes=shapes, strict=False)


def _save_pt2(
    program: torch.export.ExportedProgram, path: Path, model: ExportModel, names: tuple[str, ...], about: dict[str, str]
) -> Run:
    # Through memory: PyTorch's writer of a disk that is full ends the process when it is collected later.
    content = io.BytesIO()
    torch.export.save(program, content, extra_files=about)
    path.write_bytes(content.getbuffer())
    module = torch.export.load(path).module()

    def run(images: torch.Tensor, is_right: torch.Tensor) -> dict[str, np.ndarray]:
        with torch.no_grad():
            return {name: value.numpy() for name, value in module(*model.inputs(images, is_right)).items()}

    return run


def _save_onnx(
    program: torch.export.ExportedProgram, path: Path, model: ExportModel, names: tuple[str, ...], about: dict[str, str]
) -> Run:
    import onnxruntime

    exported: Any = torch.onnx.export(
        program, dynamo=True, input_names=list(model.input_names), output_names=list(names), verbose=False
    )
    exported.model.metadata_props.update(about)
    exported.save(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: torch.Tensor, is_right: torch.Tensor) -> dict[str, np.ndarray]:
        arguments = [tensor.numpy() for tensor in model.inputs(images, is_right)]
        outputs = session.run(list(names), dict(zip(model.input_names, arguments, strict=True)))
        return dict(zip(names, outputs, strict=True))

    return run


def _metadata(predictor: HandPredictor, mesh: bool) -> dict[str, str]:
    """What a user of the file needs to know, as text by key."""
    hand_model = predictor.model.hand_model
    return {
        "gesturehand": __version__,
        "image_size": str(predictor.image_size),
        "two_hand": json.dumps(predictor.two_hand),
        "coarse_classes": json.dumps(predictor.names["coarse"]),
        "fine_classes": json.dumps(predictor.names["fine"]),
        "joints": json.dumps(JOINT_NAMES),
        "rotations": json.dumps(MANO_JOINT_NAMES),
        "hand_model": hand_model.name,
        "hand_model_fingerprint": hand_model.fingerprint,
        "contains_hand_model": json.dumps(mesh),
        "licence": licence_of(predictor, mesh),
    }


def licence_of(predictor: HandPredictor, mesh: bool) -> str:
    """What an exported file contains, in a sentence."""
    if not mesh:
        return "Contains no hand model."
    if predictor.open_hand:
        return "Contains the open hand's arrays (CC0)."
    return (
        f"CONTAINS THE ARRAYS OF '{predictor.model.hand_model.name}': MANO is licensed for non-commercial use and may "
        "not be passed on, and that goes for this file too. --mesh=false leaves them out."
    )


def _shapes(outputs: dict[str, np.ndarray]) -> dict[str, tuple[int | str, ...]]:
    return {name: ("B", *array.shape[1:]) for name, array in outputs.items()}


def _need_onnx() -> None:
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _ONNX_TORCH:
        raise UserError(f"--format onnx needs PyTorch 2.5 or newer and this is {torch.__version__}: take --format pt2.")
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"--format onnx needs the package '{name}': {install('export')}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of what these programs do on purpose or cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
