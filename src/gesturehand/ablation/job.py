"""One training of the comparison, by the ordinary modules and Trainer; its result marks it as done."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn

from gesturehand.ablation.grid import Arm, Pretrain, Size
from gesturehand.ablation.stored_crops import StoredCropDataModule
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.file_writing import new_folder
from gesturehand.text_file import none_for_nan, write_json
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.hand_regressor import HandRegressor
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

#: Steps at the start that are not timed: buffers are still being allocated.
_WARM_UP_STEPS: Final = 5
#: Metrics of a point of the curve, if they are logged.
_NOTED: Final = ("mpjpe_mm", "pa_mpjpe_mm", "mpjpe_true_rotation_mm", "gesture_fine_top1")


class Curve(pl.Callback):
    """Validation metrics by step, and training images per second, including loading but not validation.

    Attributes:
        points: ``step`` and the metrics of every validation.
    """

    def __init__(self) -> None:
        self.points: list[dict[str, float]] = []
        self._last: float | None = None
        self._seconds = 0.0
        self._images = 0

    @property
    def images_per_s(self) -> float | None:
        """Training images per second; None if there were too few steps to tell."""
        return self._images / self._seconds if self._seconds else None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Times a step, from the end of the previous one, unless a validation came in between."""
        now = time.perf_counter()
        if self._last is not None and trainer.global_step > _WARM_UP_STEPS:
            self._seconds += now - self._last
            self._images += len(batch["image"])
        self._last = now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes a point of the curve."""
        self._last = None
        if trainer.state.fn != TrainerFn.FITTING:
            return
        values = {name: trainer.callback_metrics.get(f"val/{name}") for name in _NOTED}
        known = {name: float(value) for name, value in values.items() if value is not None}
        self.points.append({"step": trainer.global_step, **known})


RESULT_FILE: Final = "result.json"
_CHECKPOINT: Final = "last.ckpt"
#: The metric whose best validation chooses the checkpoint that is tested.
MONITOR: Final = "val/pa_mpjpe_mm"
#: Number of validations of a training, and of a training until convergence.
_VALIDATIONS: Final = 5
_VALIDATIONS_OF_LONG: Final = 10


@dataclass(frozen=True)
class Place:
    """The places of data and results.

    Attributes:
        root: The dataset.
        mano: MANO's file or folder, or None for the open hand.
        out: The comparison's folder.
        crops: Folder of stored crops, or None to read images.
        accelerator: The Trainer's; "auto" if each worker has its own.
    """

    root: str
    mano: str | None
    out: Path
    crops: Path | None
    accelerator: str

    def folder(self, job: "Job") -> Path:
        """A job's folder."""
        return self.out / "jobs" / job.name


@dataclass(frozen=True)
class Job:
    """A training of one seed.

    Attributes:
        work: Stage 1, or an arm's stage 2.
        seed: Seed of weights, order and augmentation, and of what the data's controls choose.
    """

    work: Pretrain | Arm
    seed: int

    @property
    def name(self) -> str:
        """Unique within a grid."""
        return f"{self.work.name}-seed{self.seed}"

    @property
    def steps(self) -> int:
        """Steps of the training."""
        return self.work.steps

    @property
    def needs(self) -> "Job | None":
        """The job whose checkpoint this one starts from."""
        return Job(self.work.pretrain, self.seed) if isinstance(self.work, Arm) and self.work.pretrain else None


def run_job(job: Job, place: Place, *, size: Size) -> None:
    """Trains, tests and writes ``result.json`` into the job's folder, which appears once it is complete."""
    warnings.filterwarnings("ignore")
    pl.seed_everything(job.seed, workers=True, verbose=False)
    run = _pretrain if isinstance(job.work, Pretrain) else _finetune
    with new_folder(place.folder(job), RESULT_FILE) as folder:
        result = run(job, size, place, folder)
        described = {"name": job.work.name, "seed": job.seed, "device": device_name(place.accelerator), **result}
        write_json(folder / RESULT_FILE, none_for_nan(described))


def _pretrain(job: Job, size: Size, place: Place, folder: Path) -> dict[str, Any]:
    work = job.work
    assert isinstance(work, Pretrain)
    model = GesturePretrainer(
        backbone=work.backbone,
        imagenet_weights=size.imagenet_weights,
        feature_stride=size.feature_stride,
        image_size=size.image_size,
        learning_rate=size.pretrain_rate,
    )
    data = _data(job, size, place, work.architecture, labelled_only=True, hands="single", shuffled=work.shuffled)
    curve = Curve()
    trainer = _trainer(size, place, folder, work.steps, curve)
    trainer.fit(model, data)
    _check_whole(trainer)
    trainer.save_checkpoint(folder / _CHECKPOINT, weights_only=True)
    return {
        "metrics": {"gesture_fine_top1": curve.points[-1]["gesture_fine_top1"]},
        "images_per_s": curve.images_per_s,
        "steps": work.steps,
        "epochs": _epochs(trainer, data, work.steps),
        "curve": curve.points,
    }


def _finetune(job: Job, size: Size, place: Place, folder: Path) -> dict[str, Any]:
    arm = job.work
    assert isinstance(arm, Arm)
    model = _regressor(job, arm, size, place)
    two_hands = arm.architecture == "EANet"
    hands = "all" if two_hands else "single"
    few: dict[str, Any] = {"fit_share": arm.fit_share, "fitted_only": True} if arm.fit_share < 1 else {}
    data = _data(job, size, place, arm.architecture, hands=hands, **few)
    curve = Curve()
    best = ModelCheckpoint(folder, "best", monitor=MONITOR, mode="min", enable_version_counter=False)
    trainer = _trainer(size, place, folder, arm.steps, curve, best)
    trainer.fit(model, data)
    _check_whole(trainer)
    result = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "images_per_s": curve.images_per_s,
        "steps": arm.steps,
        "epochs": _epochs(trainer, data, arm.steps),
        "curve": curve.points,
        "metrics": _test(trainer, model, best, _data(job, size, place, arm.architecture, hands="single", test=True)),
    }
    if two_hands:
        pairs = _data(job, size, place, arm.architecture, hands="interacting", test=True)
        result["two_hands"] = _test(trainer, model, best, pairs)
    return result


def _regressor(job: Job, arm: Arm, size: Size, place: Place) -> HandRegressor:
    needed = job.needs
    shared: dict[str, Any] = {
        "backbone": arm.backbone,
        "imagenet_weights": size.imagenet_weights,
        "feature_stride": size.feature_stride,
        "image_size": size.image_size,
        "pretrained": None if needed is None else str(place.folder(needed) / _CHECKPOINT),
        "mano": place.mano,
        "width": size.width,
        "learning_rate": size.finetune_rate,
    }
    if arm.architecture == "EANet":
        return EANetRegressor(**shared, depth=size.eanet_depth)
    return TokenFusionRegressor(**shared, depth=size.depth, fusion=arm.fusion, gesture_levels=arm.gesture_levels)


def _data(
    job: Job,
    size: Size,
    place: Place,
    architecture: str,
    *,
    hands: str,
    shuffled: bool = False,
    test: bool = False,
    **settings: Any,
) -> InterHandDataModule:
    """The data as an architecture sees it; for a test, the test split takes the place of the validation split.

    Validation measures everything that the table shows. The further numbers of a test (F-score, …) would take minutes
    in total.
    """
    two_hands = architecture == "EANet"
    settings |= {
        "root": place.root,
        "image_size": size.image_size,
        "batch_size": size.batch_size,
        "num_workers": size.num_workers,
        "hands": hands,
        "layout": "two_hand" if two_hands else "per_hand",
        "mirror_left": not two_hands,
        "flip_probability": 0.5 if two_hands else 0.0,
        "shuffled_labels": shuffled,
        "val_split": "test" if test else "val",
        "seed": job.seed,
        **dict(size.augmentation),
    }
    return InterHandDataModule(**settings) if place.crops is None else StoredCropDataModule(place.crops, **settings)


def _trainer(
    size: Size, place: Place, folder: Path, steps: int, curve: Curve, best: ModelCheckpoint | None = None
) -> pl.Trainer:
    validations = _VALIDATIONS if steps <= size.pretrain_steps else _VALIDATIONS_OF_LONG
    return quiet_trainer(
        place.accelerator,
        folder,
        steps,
        precision=size.precision,
        val_check_interval=max(1, steps // validations),
        check_val_every_n_epoch=None,
        callbacks=[curve] if best is None else [curve, best],
        enable_checkpointing=best is not None,
    )


def quiet_trainer(accelerator: str, folder: Path, steps: int, **settings: Any) -> pl.Trainer:
    """A trainer on one device for a number of steps, which says and logs nothing.

    Args:
        accelerator: Its device.
        folder: The folder in which it writes.
        steps: Steps of a training.
        **settings: Further settings of the Trainer.
    """
    return pl.Trainer(
        accelerator=accelerator,
        devices=1,
        max_steps=steps,
        max_epochs=-1,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
        logger=False,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def _test(
    trainer: pl.Trainer, model: HandRegressor, best: ModelCheckpoint, data: InterHandDataModule
) -> dict[str, float]:
    (values,) = trainer.validate(model, data, ckpt_path=best.best_model_path, verbose=False)
    return {name.removeprefix("val/"): float(value) for name, value in values.items()}


def _check_whole(trainer: pl.Trainer) -> None:
    if trainer.interrupted:
        raise KeyboardInterrupt


def _epochs(trainer: pl.Trainer, data: InterHandDataModule, steps: int) -> float:
    return steps * data.batch_size / len(data.dataset("train"))


def accelerator_of(cluster: str) -> str:
    """The Trainer's accelerator on a cluster's workers; on other machines, it is whatever each of them has."""
    return "auto" if cluster != "local" else "gpu" if torch.cuda.device_count() else "cpu"


def device_name(accelerator: str) -> str:
    """A result's description of the device on which it was trained."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} thread(s) a training"
