"""What a test leaves behind in its run folder: numbers with their origin, drawn predictions, confusion matrices."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytorch_lightning as pl
import torch

from gesturehand.batch import Batch
from gesturehand.camera import normalised_to_px
from gesturehand.draw.confusion import save_confusion
from gesturehand.draw.mesh import draw_mesh, place_in_camera
from gesturehand.draw.panels import save_panels
from gesturehand.draw.skeleton import draw_skeleton
from gesturehand.gestures import NO_GESTURE, class_names
from gesturehand.metrics.hand_metrics import HAND_METRICS
from gesturehand.runs import write_json
from gesturehand.trainers.token_fusion_regressor import Evaluated

METRICS_FILE: Final = "test_metrics.json"
_LIBRARIES: Final = ("gesturehand", "torch", "pytorch-lightning", "torchmetrics", "timm", "smplx")


class TestReport(pl.Callback):
    """Writes ``test_metrics.json``, ``predictions.png`` and ``confusion_{coarse,fine}.png`` into a folder.

    Args:
        folder: Where to.
        pictures: Samples to draw, evenly spread over the first process's share of the test set.
    """

    def __init__(self, folder: Path, pictures: int = 16) -> None:
        self.folder = folder
        self.pictures = pictures
        self._wanted: set[int] = set()
        self._seen = 0
        self._rows: list[list[np.ndarray]] = []
        self._captions: list[str] = []

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Chooses the samples to draw."""
        total = len(trainer.datamodule.dataset("test"))  # type: ignore[attr-defined]
        share = total // trainer.world_size if total >= trainer.world_size else total
        self._wanted = set(np.linspace(0, share - 1, min(self.pictures, share)).round().astype(int).tolist())

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draws the chosen samples of a batch."""
        if not trainer.is_global_zero or outputs is None:
            return
        count = len(batch["image"])
        for sample in range(count):
            if self._seen + sample in self._wanted:
                self._draw(pl_module, outputs, batch, sample)
        self._seen += count

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Computes the confusion matrices, on every process, and draws them on the first."""
        classes = pl_module.hparams["gesture_classes"]
        for level, matrix in pl_module.gesture_metrics["test"].confusion.items():  # type: ignore[index, union-attr]
            counts = matrix.compute().cpu().numpy()
            if trainer.is_global_zero and counts.sum():
                title = f"{level} gestures, test, {int(counts.sum())} samples"
                save_confusion(self.folder / f"confusion_{level}.png", counts, class_names(level, classes), title)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the numbers and the pictures."""
        if not trainer.is_global_zero:
            return
        prefix = "test/"
        metrics = {
            name.removeprefix(prefix): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(prefix)
        }
        write_json(
            self.folder / METRICS_FILE,
            {
                "metrics": {name: None if np.isnan(value) else value for name, value in metrics.items()},
                "protocols": {name: text for name, text in HAND_METRICS.items() if name in metrics},
                "data": _fingerprint(trainer),
                "checkpoint": _checkpoint(trainer),
                "hand_model": getattr(getattr(pl_module, "hand_model", None), "name", None),
                "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
            },
        )
        if self._rows:
            save_panels(
                self.folder / "predictions.png",
                self._rows,
                columns=("crop", "true mesh", "predicted mesh", "predicted joints"),
                captions=self._captions,
                title=f"{type(pl_module).__name__}: test samples",
            )

    def _draw(self, pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, sample: int) -> None:
        hand, targets = outputs["hand"], outputs["targets"]
        size = batch["image"].shape[-1]
        image = batch["image"][sample].permute(1, 2, 0).cpu().numpy()
        intrinsics = targets["crop_intrinsics"][sample].cpu()
        true_mesh, predicted_mesh, joints = image, image, image
        # Far hands first would matter only where two predicted hands overlap.
        for h in torch.nonzero(batch["hand_present"][sample])[:, 0].tolist():
            faces = pl_module.hand_model.faces[int(not batch["is_right"][sample, h])].cpu().numpy()  # type: ignore[union-attr, index]
            if targets["mano_valid"][sample, h]:
                true = targets["vertices"][sample, h].cpu().numpy()
                true_mesh = draw_mesh(true_mesh, true, faces, intrinsics.numpy())[0]
            wrist = place_in_camera(hand["camera"][sample, h].cpu(), intrinsics, size)
            placed = hand["vertices"][sample, h].cpu() + wrist
            predicted_mesh = draw_mesh(predicted_mesh, placed.numpy(), faces, intrinsics.numpy())[0]
            points = normalised_to_px(hand["joints_2d"][sample, h].cpu().numpy(), size)
            joints = draw_skeleton(joints, points)
        self._rows.append([image, true_mesh, predicted_mesh, joints])
        self._captions.append(_caption(pl_module, outputs, batch, sample))


def _caption(pl_module: pl.LightningModule, outputs: Evaluated, batch: Batch, sample: int) -> str:
    names = class_names("fine", pl_module.hparams["gesture_classes"])
    label = int(batch["gesture_fine"][sample])
    guess = names[int(outputs["gesture"]["fine_logits"][sample].argmax())]
    truth = "no label" if label == NO_GESTURE else names[label]
    valid = outputs["targets"]["joint_valid_eval"][sample]
    true = outputs["targets"]["joints"][sample]
    error = (outputs["hand"]["joints"][sample] - (true - true[..., :1, :])).norm(dim=-1)[valid]
    text = f"{truth} (said {guess})" if guess != truth else truth
    return f"{text}, {1000 * float(error.mean()):.0f} mm" if len(error) else text


def _fingerprint(trainer: pl.Trainer) -> dict[str, Any]:
    """Which samples were tested: folder, split, number, and a hash of their ids."""
    dataset = trainer.datamodule.dataset("test")  # type: ignore[attr-defined]
    ids = dataset.index.annotation_id[dataset.selection.row]
    return {
        "root": str(dataset.index.root),
        "split": dataset.index.split,
        "samples": len(dataset),
        "ids_sha256": hashlib.sha256(np.ascontiguousarray(ids, np.int64).tobytes()).hexdigest(),
    }


def _checkpoint(trainer: pl.Trainer) -> dict[str, str] | None:
    path = trainer.ckpt_path
    if path is None:
        return None
    return {"path": str(path), "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
