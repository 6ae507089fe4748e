"""The comparison on photographs: the benefit of gesture labels of photos whose 3D pose is not known.

The trainings are all combinations of an encoder, the labels from which stage 1 learned, and whether stage 2 sees 2D
joints of photos. Photos never have 3D joints, and stage 2 never sees their labels, so a label can only help through
stage 1.
"""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import pytorch_lightning as pl

from gesturehand.ablation.job import RESULT_FILE, device_name, quiet_trainer
from gesturehand.ablation.results import Results, results_of
from gesturehand.data.appearance import BatchAugmentation
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.mixture import AddedSet
from gesturehand.file_writing import new_folder
from gesturehand.gestures import OwnLabels
from gesturehand.text_file import none_for_nan, write_json
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

Encoder = Literal["mediapipe", "imagenet", "scratch"]
#: The labels from which stage 1 learns. ``none``: there is no stage 1; ``longer``: nor is there here, but stage 2 has
#: the steps of both; ``rendered``: gestures of rendered hands; ``photos``: labels of photos too; ``shuffled``: each
#: photo has the label of another; ``unlabelled``: the same photos, without labels.
Labels = Literal["none", "longer", "rendered", "unlabelled", "shuffled", "photos"]
LABELS: Final[tuple[Labels, ...]] = ("none", "longer", "rendered", "unlabelled", "shuffled", "photos")


@dataclass(frozen=True)
class EncoderStart:
    """An encoder and the weights from which it starts.

    Attributes:
        backbone: timm's name.
        weights: The weights that it starts from.
        size_factor: Side of its crops relative to the comparison's. MediaPipe's trunk was made for 224 px and can
            hardly tell hands apart below 160 px.
        pretrain_factor: Factor on its learning rate in stage 1.
        finetune_factor: Factor on its learning rate in stage 2.
    """

    backbone: str
    weights: str | None
    size_factor: float
    pretrain_factor: float
    finetune_factor: float


#: The rates were chosen by trainings of stage 1 with the photos' labels and of stage 2 without stage 1.
ENCODERS: Final[dict[Encoder, EncoderStart]] = {
    "mediapipe": EncoderStart("mediapipe_hand", "mediapipe_hand", 5 / 3, 0.05, 0.1),
    "imagenet": EncoderStart("tf_efficientnet_lite0", "efficientnet-lite0", 1.0, 1.0, 0.5),
    "scratch": EncoderStart("tf_efficientnet_lite0", None, 1.0, 1.0, 1.0),
}
_CHECKPOINT: Final = "last.ckpt"


@dataclass(frozen=True)
class PhotoSize:
    """The sizes of the comparison; the defaults are those of "quick".

    Attributes:
        name: For the table.
        image_size: Side of the crops, px, before an encoder's factor.
        batch_size: Samples per step.
        photo_share: Share of photos in a batch, in both stages.
        width: Width of a token.
        depth: Transformer blocks.
        embedding_dim: Size of the gesture embedding.
        pretrain_steps: Steps of stage 1.
        finetune_steps: Steps of stage 2.
        pretrain_rate: Peak learning rate of stage 1.
        finetune_rate: Peak learning rate of stage 2.
        seeds: Number of seeds.
        frames: Pictures of the rendered set in train, val and test.
        subjects: People in them.
    """

    name: str = "quick"
    image_size: int = 96
    batch_size: int = 32
    photo_share: float = 0.25
    width: int = 96
    depth: int = 2
    embedding_dim: int = 128
    pretrain_steps: int = 250
    finetune_steps: int = 300
    pretrain_rate: float = 1e-3
    finetune_rate: float = 1.5e-3
    seeds: int = 3
    frames: tuple[int, int, int] = (6000, 0, 500)
    subjects: tuple[int, int, int] = (240, 0, 40)

    def crop_px(self, encoder: Encoder) -> int:
        """Side of an encoder's crops, px, a multiple of its coarsest stride."""
        return 32 * round(self.image_size * ENCODERS[encoder].size_factor / 32)


PHOTO_SIZES: Final = {
    "quick": PhotoSize(),
    # Takes minutes and shows nothing: for tests, and to see whether a machine can run the comparison.
    "tiny": PhotoSize(
        name="tiny",
        image_size=64,
        batch_size=4,
        width=16,
        depth=1,
        embedding_dim=16,
        pretrain_steps=2,
        finetune_steps=2,
        finetune_rate=1e-3,
        seeds=2,
        frames=(24, 0, 8),
        subjects=(4, 0, 2),
    ),
}


@dataclass(frozen=True)
class PhotoPlace:
    """The places of data and results.

    Attributes:
        rendered: Root of the rendered set.
        photos: Roots of the sets of photos, by their name in the table.
        out: The comparison's folder.
        accelerator: The Trainer's; "auto" if each worker has its own.
    """

    rendered: str
    photos: tuple[tuple[str, str], ...]
    out: Path
    accelerator: str

    def folder(self, job: "PhotoTraining") -> Path:
        """A training's folder."""
        return self.out / "jobs" / job.name


@dataclass(frozen=True)
class PhotoTraining:
    """A training of one seed.

    Attributes:
        encoder: The weights from which the encoder starts.
        labels: The labels from which stage 1 learns.
        joints_2d: Whether stage 2 sees 2D joints of photos; None for a training of stage 1.
        steps: Steps of this training.
        seed: Seed of weights, order, augmentation and shuffling.
        needs: The training of stage 1 that it starts from.
    """

    encoder: Encoder
    labels: Labels
    joints_2d: bool | None
    steps: int
    seed: int
    needs: "PhotoTraining | None" = None

    @property
    def arm(self) -> str:
        """Unique among the trainings of a seed."""
        stage = {None: "stage1", True: "with2d", False: "without2d"}[self.joints_2d]
        return f"{self.encoder}-{self.labels}-{stage}"

    @property
    def name(self) -> str:
        """Unique within the comparison."""
        return f"{self.arm}-seed{self.seed}"


def photo_trainings(size: PhotoSize, encoders: tuple[Encoder, ...] = tuple(ENCODERS)) -> list[PhotoTraining]:
    """All trainings, one seed and encoder after the other, so that early results can be compared."""
    found: list[PhotoTraining] = []
    for seed, encoder in product(range(size.seeds), encoders):
        firsts: dict[Labels, PhotoTraining] = {
            labels: PhotoTraining(encoder, labels, None, size.pretrain_steps, seed)
            for labels in LABELS
            if labels not in ("none", "longer")
        }
        found += firsts.values()
        for joints_2d, labels in product((True, False), LABELS):
            steps = size.finetune_steps + (size.pretrain_steps if labels == "longer" else 0)
            found.append(PhotoTraining(encoder, labels, joints_2d, steps, seed, firsts.get(labels)))
    return found


def run_photo_training(job: PhotoTraining, place: PhotoPlace, *, size: PhotoSize) -> None:
    """Trains, tests and writes ``result.json`` into the job's folder, which appears once it is complete.

    Raises:
        UserError: A dataset is missing or broken, or the package of an encoder's weights is not installed.
        KeyboardInterrupt: The training was interrupted; it leaves no result.
    """
    warnings.filterwarnings("ignore")
    pl.seed_everything(job.seed, workers=True, verbose=False)
    with new_folder(place.folder(job), RESULT_FILE) as folder:
        result = _trained(job, place, size, folder)
        write_json(folder / RESULT_FILE, none_for_nan({**result, "device": device_name(place.accelerator)}))


def _trained(job: PhotoTraining, place: PhotoPlace, size: PhotoSize, folder: Path) -> dict[str, Any]:
    trainer, tester = (
        quiet_trainer(place.accelerator, folder, job.steps, limit_val_batches=share, enable_checkpointing=False)
        for share in (0.0, 1.0)
    )
    model, data = (_first_stage if job.joints_2d is None else _second_stage)(job, place, size)
    trainer.fit(model, data)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if job.joints_2d is None:
        trainer.save_checkpoint(folder / _CHECKPOINT, weights_only=True)
    metrics = _tested(tester, model, list(data.label_vocabulary()), place, size, job)
    return {"name": job.arm, "seed": job.seed, "steps": job.steps, "metrics": metrics}


def _first_stage(
    job: PhotoTraining, place: PhotoPlace, size: PhotoSize
) -> tuple[pl.LightningModule, InterHandDataModule]:
    learned = job.labels in ("photos", "shuffled")
    data = _data(
        size,
        job,
        place.rendered,
        labelled_only=True,
        own_labels="auto" if learned else None,
        sets=[]
        if job.labels == "rendered"
        else _sets(place, size, joints=False, gesture_labels=learned, shuffled_labels=job.labels == "shuffled"),
    )
    model = GesturePretrainer(
        **_shared(job, size, size.pretrain_rate),
        encoder_lr_factor=ENCODERS[job.encoder].pretrain_factor,
        own_labels=list(data.label_vocabulary()),
    )
    return model, data


def _second_stage(
    job: PhotoTraining, place: PhotoPlace, size: PhotoSize
) -> tuple[pl.LightningModule, InterHandDataModule]:
    sets = _sets(place, size, joints=bool(job.joints_2d), gesture_labels=False)
    data = _data(size, job, place.rendered, hands="all", sets=sets)
    model = TokenFusionRegressor(
        **_shared(job, size, size.finetune_rate),
        encoder_lr_factor=ENCODERS[job.encoder].finetune_factor,
        width=size.width,
        depth=size.depth,
        pretrained=None if job.needs is None else str(place.folder(job.needs) / _CHECKPOINT),
    )
    return model, data


def _shared(job: PhotoTraining, size: PhotoSize, rate: float) -> dict[str, Any]:
    encoder = ENCODERS[job.encoder]
    return {
        "backbone": encoder.backbone,
        "encoder_weights": encoder.weights,
        "feature_stride": 16,
        "image_size": size.crop_px(job.encoder),
        "embedding_dim": size.embedding_dim,
        "learning_rate": rate,
    }


def _sets(place: PhotoPlace, size: PhotoSize, **settings: Any) -> list[AddedSet]:
    roots = [root for _, root in place.photos]
    return [AddedSet(root, size.photo_share / len(roots), hands="all", **settings) for root in roots]


def _data(size: PhotoSize, job: PhotoTraining, root: str, **settings: Any) -> InterHandDataModule:
    return InterHandDataModule(
        root,
        image_size=size.crop_px(job.encoder),
        batch_size=size.batch_size,
        num_workers=0,
        upright=True,
        scale_jitter=0.12,
        shift_jitter=0.04,
        colour_jitter=0.0,
        noise_probability=0.0,
        blur_probability=0.0,
        device_augmentation=BatchAugmentation(),
        seed=job.seed,
        **settings,
    )


def _tested(
    trainer: pl.Trainer,
    model: pl.LightningModule,
    own_labels: OwnLabels,
    place: PhotoPlace,
    size: PhotoSize,
    job: PhotoTraining,
) -> dict[str, float]:
    """The metrics on people who were not trained on: ``rendered/…``, and with the name of each set of photos.

    They are validation's metrics on the test splits: the further ones of a test (F-score, …) would take longer than the
    training.
    """
    found: dict[str, float] = {}
    for name, root in (("rendered", place.rendered), *place.photos):
        test = _data(size, job, root, hands="all", val_split="test", own_labels=own_labels or None)
        (values,) = trainer.validate(model, test, verbose=False)
        found |= {f"{name}/{metric.removeprefix('val/')}": float(value) for metric, value in values.items()}
    return found


def collect_photo_results(size: PhotoSize, place: PhotoPlace) -> Results:
    """The existing results, in the form of :func:`gesturehand.ablation.results.collect`."""
    return {
        "size": {**asdict(size), "crop_px": {encoder: size.crop_px(encoder) for encoder in ENCODERS}},
        "photos": [name for name, _ in place.photos],
        **results_of(photo_trainings(size), place),
    }


def photo_contrasts(encoder: Encoder, joints_2d: bool) -> Iterator[tuple[str, str, str]]:
    """The differences to report: a label, an arm, and the arm that is subtracted."""
    ending = f"{'with' if joints_2d else 'without'}2d"
    for labels, other in (
        ("rendered", "none"),
        ("rendered", "longer"),
        ("photos", "rendered"),
        ("photos", "unlabelled"),
        ("photos", "shuffled"),
    ):
        yield f"{labels} − {other}", f"{encoder}-{labels}-{ending}", f"{encoder}-{other}-{ending}"
