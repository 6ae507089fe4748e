"""``gesturehand export``: a trained network as a file that runs without this library."""

from pathlib import Path
from typing import Literal

from gesturehand.cli.console import say
from gesturehand.errors import UserError
from gesturehand.settings import ExistingPath


def export(
    out: str,
    format: Literal["onnx", "pt2"] = "onnx",
    checkpoint: ExistingPath | Literal["latest", "openphoto"] = "latest",
    mesh: bool = True,
    mano: ExistingPath | None = None,
    data: ExistingPath | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a trained network as ONNX or as a PyTorch program, after comparing it with PyTorch on crops of hands.

    The file maps crops to MANO parameters, mesh, joints and gesture, for any batch size; it mirrors left hands itself.
    docs/export.md describes inputs and outputs.

    Args:
        out: File to write, .onnx or .pt2; it appears once the comparison has succeeded.
        format: onnx, or pt2 (torch.export).
        checkpoint: A checkpoint file, the folder of a run, "latest": the newest finished run under runs/, or
            "openphoto": the weights that come with the package.
        mesh: Output vertices and joints too. The file then CONTAINS the hand model's arrays: with MANO, licensed data.
        mano: MANO's file or folder on this machine; that of the training if not given.
        data: Folder with annotations/ and images/, whose test split is used for the comparison; otherwise rendered
            hands.
        overwrite: Replace the file if it exists.
    """
    path = Path(out)
    if path.suffix != f".{format}":
        raise UserError(f"{out} does not end in .{format}: name it so, or choose the other --format.")
    if path.exists() and not overwrite:
        raise UserError(f"{out} exists: give another name, or --overwrite=true to replace it.")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is not a folder: make it first.")
    from gesturehand.inference.export_file import export_regressor, licence_of
    from gesturehand.inference.predictor import HandPredictor

    predictor = HandPredictor.from_checkpoint(checkpoint, "cpu", mano=mano, engine="torch")
    say(f"{predictor.checkpoint}")
    done = export_regressor(predictor, path, format, mesh=mesh, data=data)
    for name, shape in done.outputs.items():
        say(f"  {name:<18} {' × '.join(map(str, shape))}")
    metres = "" if done.difference_m is None else f"mesh and joints {1e3 * done.difference_m:.5f} mm, "
    say(f"Differs from PyTorch by at most: {metres}other outputs {done.difference:.1e} ({done.crops} crops)")
    say(f"{out}: {path.stat().st_size / 1e6:.1f} MB. {licence_of(predictor, mesh)}")
