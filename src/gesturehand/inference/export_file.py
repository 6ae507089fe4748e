"""Writes a trained regressor as ONNX or as a PyTorch program, after comparing it with PyTorch on crops of hands."""

import importlib.util
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch

from gesturehand import __version__
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.extras import install
from gesturehand.file_writing import new_file
from gesturehand.inference.export_model import ExportModel
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.upright import Crop
from gesturehand.skeleton import JOINT_NAMES, MANO_JOINT_NAMES, SIDES, WRIST
from gesturehand.synthetic.writer import write_synthetic_set

#: Sizes of the batches that are compared.
_BATCHES: Final = (1, 3, 8)
#: Number of rows of the traced example: PyTorch takes sizes of 1 to be constants, and 2 is the number of hands.
FEWEST_CROPS: Final = 3

#: A program: crops (B, 3, S, S) uint8 and sides (B,) bool → outputs by name.
Run = Callable[[torch.Tensor, torch.Tensor], dict[str, np.ndarray]]
Format = Literal["onnx", "pt2"]

#: An exported program is refused if vertices or joints differ by more than this.
LARGEST_DIFFERENCE_M: Final = 1e-4
#: The same for everything else, relative to its largest value if that is above 1.
_LARGEST_DIFFERENCE: Final = 1e-3
#: The first version of PyTorch whose ONNX exporter takes exported programs.
_ONNX_TORCH: Final = (2, 5)


def reference_of(predictor: HandPredictor, crops: torch.Tensor, is_right: torch.Tensor) -> dict[str, np.ndarray]:
    """The predictor's output, under the export's names."""
    pixels = crops.permute(0, 2, 3, 1).numpy()
    size = crops.shape[-1]
    flip = np.array([[-1.0, 0, size - 1], [0, 1, 0]])
    rows: list[Crop] = []
    for image, right in zip(pixels, is_right.tolist(), strict=True):
        mirror = predictor.mirror_left and not right
        rows.append((image[:, ::-1] if mirror else image, flip if mirror else np.eye(3)[:2], mirror))
    arrays = predictor.run_crops(rows, is_right.tolist())
    wrist = arrays["joints"][..., WRIST : WRIST + 1, :]
    # Image coordinates of a mirrored crop run the other way: (N, 1, 1).
    sign = np.array([-1.0 if mirror else 1.0 for _, _, mirror in rows])[:, None, None]
    reference = {
        "global_orient": arrays["rotations"][:, :, 0],
        "hand_pose": arrays["rotations"][:, :, 1:],
        "betas": arrays["betas"],
        "camera": arrays["camera"] * np.insert(sign, (0, 1), 1.0, axis=-1),
        "joints_25d": arrays["joints_25d"] * np.append(sign, np.ones_like(sign.repeat(2, -1)), -1)[..., None, :],
        "joints_2d": arrays["joints_2d"] * np.append(sign, np.ones_like(sign), -1)[..., None, :],
        "vertices": arrays["vertices"] - wrist,
        "joints": arrays["joints"] - wrist,
    }
    if not predictor.two_hand:
        reference = {name: value[:, 0] for name, value in reference.items()}
    for name, own in (("gesture_coarse", "coarse"), ("gesture_fine", "fine"), ("gesture_embedding", "embedding")):
        if own in arrays:
            reference[name] = arrays[own]
    if "way" in arrays:
        reference["relative_translation"] = arrays["way"]
    return reference


def largest_differences(
    run: Run, crops: torch.Tensor, is_right: torch.Tensor, reference: dict[str, np.ndarray]
) -> dict[str, float]:
    """Largest difference of each output over all crops, in batches of several sizes."""
    largest: dict[str, float] = {}
    for batch in _BATCHES:
        for start in range(0, len(crops), batch):
            rows = slice(start, start + batch)
            for name, values in run(crops[rows], is_right[rows]).items():
                scale = max(1.0, float(np.abs(reference[name]).max()))
                difference = float(np.abs(values - reference[name][rows]).max()) / scale
                # NaN must not pass for a small difference.
                largest[name] = max(largest.get(name, 0.0), difference if np.isfinite(difference) else np.inf)
    return largest


def crops_of(predictor: HandPredictor, data: str | Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops (N, 3, S, S) uint8 of both hands as images show them, and their sides (N,) bool."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set" if data is None else Path(data)
        if data is None:
            pairs = 1.0 if predictor.two_hand else 0.0
            write_synthetic_set(
                root, subjects=(0, 0, 1), frames=(0, 0, 16), two_hand_share=pairs, processes=1, progress=False
            )
        module = InterHandDataModule(
            str(root),
            image_size=predictor.image_size,
            hands="all",
            layout="two_hand" if predictor.two_hand else "per_hand",
            mirror_left=False,
            mano_fits=False,
            num_workers=0,
        )
        dataset = module.dataset("test")
        sides = dataset.selection.hand[:, 0]
        # As many of each side as there are, up to 16 in total.
        chosen = np.concatenate([np.flatnonzero(sides == side)[:8] for side in range(len(SIDES))])
        images = torch.stack([dataset[int(number)]["image"] for number in chosen])
    if len(images) < FEWEST_CROPS:
        raise UserError(f"'{data}' has fewer than {FEWEST_CROPS} hands to compare on: give another folder as --data.")
    return images, torch.from_numpy(sides[chosen] == 0)


class Exported(NamedTuple):
    """The exported file.

    Attributes:
        path: The file.
        outputs: Names and shapes, B for the batch.
        difference_m: Largest difference from PyTorch of a vertex's or joint's coordinate, m; None without a mesh.
        difference: Largest difference of everything else, relative to its largest value if that is above 1.
        crops: Number of crops on which it was compared.
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
        predictor: The predictor, on the CPU.
        path: File to write, .onnx or .pt2; replaced if it exists.
        format: ``onnx`` (ONNX, for ONNX Runtime and others) or ``pt2`` (``torch.export``).
        mesh: Also give the mesh; the file then contains the hand model's arrays.
        data: Folder in InterHand2.6M's layout from whose test split the crops are taken; if not given, a few frames are
            rendered.

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
    # Through memory: if the disk is full, PyTorch's writer ends the process when it is collected later.
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
    """Information for users of the file, as text by key."""
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
    """The licence of an exported file's content, in a sentence."""
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
    """Suppresses tracing's warnings about what these programs do on purpose or cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
