"""Loaders for training, validation and test from folders in InterHand2.6M's layout."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, TypeAlias

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from gesturehand.batch import Batch
from gesturehand.data.appearance import AppearanceJitter, BatchAugmentation
from gesturehand.data.boxes import CropBoxes, crop_boxes
from gesturehand.data.crop import CropJitter, TurnJitter
from gesturehand.data.dataset import Augmentation, InterHandDataset, collate
from gesturehand.data.formats.registry import format_of
from gesturehand.data.image_file import Unreadable
from gesturehand.data.index import InterHandIndex, read_index
from gesturehand.data.loading import EpochSampler, ResumableLoader, prepare_worker
from gesturehand.data.mixture import AddedSet, MixedDataset, check_shares, mixed_sampler
from gesturehand.data.remote import local_folder
from gesturehand.data.selection import (
    BoxSource,
    Hands,
    Layout,
    Selection,
    fitted_samples,
    kept_fits,
    select,
    shuffled_labels,
)
from gesturehand.errors import UserError
from gesturehand.gestures import GestureClasses, OwnLabels
from gesturehand.hand.conventions import DefinitionName
from gesturehand.settings import ExistingPath, check_data_settings
from gesturehand.splits import Split

#: What a split is used for; its name may be any.
Stage: TypeAlias = Split


class InterHandDataModule(pl.LightningDataModule):
    """InterHand2.6M, the open synthetic set in the same file formats, or another set in its own.

    Args:
        root: Folder that holds ``annotations/`` and ``images/``, or that of a set in another format
            (docs/datasets.md). Or a URL that fsspec reads, such as ``s3://bucket/set`` (docs/packed.md).
        format: Name of the set's format, such as ``freihand``; it is recognised by its files if not given.
        sets: Further sets to train on, mixed into every batch by their shares: a list of ``{root, share, …}`` with the
            keys of :class:`~gesturehand.data.mixture.AddedSet`. If a set lacks a label, the terms that need it are
            masked. Subsets and choices of captures, cameras, people and gestures apply only to ``root``. Validation
            uses ``root``, with metrics ``val/…``, and each set that has a ``val_split``; the test uses ``root``.
        image_size: Side of the square crop, px.
        batch_size: Samples per process and step.
        num_workers: Worker processes of each loader.
        prefetch_factor: Batches that each worker prepares ahead.
        hands: Which annotations: ``single`` (one hand, either side), ``right``, ``left``, ``interacting``, ``all``.
        layout: ``per_hand``: one hand per sample (H = 1); ``two_hand``: right and left (H = 2).
        mirror_left: Show left hands as right ones, so that one model serves both; ``per_hand`` only.
        upright: Rotate crops so that the line from the wrist to the middle knuckle points up; ``per_hand`` only.
            Training adds jitter, which replaces that of the rotation. Validation and test add none: they take the
            hand's rotation from the annotated joints. Boxes from joints are then squares around the rotated joints.
        labelled_only: Train and validate only on sequences with a gesture label.
        gesture_classes: ``shared`` by both hands (27 and 35), or ``per_hand`` (54 and 70).
        boxes: Where crops come from: ``joints``, ``annotation`` or ``rootnet``.
        test_boxes: The same for the test set; the default is ``boxes``.
        rootnet_file: RootNet's published boxes of the split that uses them.
        mano_fits: Read ``MANO_NeuralAnnot.json``; otherwise only joints and gestures are known.
        train_split: Split to train on.
        val_split: Split to validate on.
        test_split: Split to test on.
        train_subset: List of annotation ids or image file names that training keeps.
        val_subset: The same for validation.
        test_subset: The same for the test.
        captures: Keep only these captures, in every split.
        cameras: Keep only images of these cameras, by name, in every split.
        subjects: Keep only these people, in every split.
        gestures: Keep only sequences of these fine gesture classes, in every split.
        min_valid_joints: Leave out hands with fewer valid joints, 0 to 21; 0 also keeps hands with only an annotated
            box.
        augment: Augment training samples.
        scale_jitter: Relative standard deviation of the crop's size (cut off at 1).
        rotation_jitter_deg: Standard deviation of the rotation in the image, degrees (cut off at 2).
        rotation_probability: Share of training samples that are rotated.
        upright_jitter_deg: Standard deviation of the rotation of upright crops, degrees.
        upright_far_share: Share of upright training crops that are rotated by up to 90° more in either direction.
        shift_jitter: Standard deviation of the crop's shift, as a share of its side (cut off at 1).
        flip_probability: Share of training samples mirrored (EANet: 0.5, with both hands shown).
        colour_jitter: Factor of each colour channel, uniform in 1 ± this.
        noise_probability: Share of training samples with noise.
        blur_probability: Share of training samples with blur.
        device_augmentation: Further augmentation of training pictures, in batches on the device
            (:class:`~gesturehand.data.appearance.BatchAugmentation`); none by default.
        own_labels: Labels outside the gesture vocabulary to train on: pairs of a label set and a label, or ``auto`` for
            all labels in the training data; the model needs the same ones. None by default.
        seed: Seed of the order and the augmentation, which is a function of (seed, epoch, sample).
        read_images: Read images; otherwise they are black, for uses that need only annotations.
        shuffled_images: Control experiment: every training sample shows another training sample's image.
        shuffled_labels: Control experiment: every training sample has another training sample's gesture and label, from
            the same set of labels (:func:`~gesturehand.data.selection.shuffled_labels`).
        fit_share: Share of the captured training frames with MANO fits that keep them.
        fitted_only: Train only on samples with a MANO fit; otherwise the others train the terms that need none.
        unreadable: What to do in training and validation if an image cannot be read: ``error`` ends the run, ``skip``
            leaves the sample out and counts it. A test never skips.
        unreadable_limit: How many training samples per process may be left out before the run ends.
    """

    #: Builds a dataset; subclasses whose images come from elsewhere replace it.
    dataset_class: Callable[..., InterHandDataset] = InterHandDataset

    def __init__(
        self,
        root: str = "data/openhand",
        image_size: int = 256,
        batch_size: int = 32,
        num_workers: int = 4,
        prefetch_factor: int = 4,
        hands: Hands = "single",
        layout: Layout = "per_hand",
        mirror_left: bool = True,
        upright: bool = False,
        labelled_only: bool = False,
        gesture_classes: GestureClasses = "shared",
        boxes: BoxSource = "joints",
        test_boxes: BoxSource | None = None,
        rootnet_file: ExistingPath | None = None,
        mano_fits: bool = True,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
        train_subset: ExistingPath | None = None,
        val_subset: ExistingPath | None = None,
        test_subset: ExistingPath | None = None,
        captures: list[int] | None = None,
        cameras: list[int | str] | None = None,
        subjects: list[int] | None = None,
        gestures: list[str] | None = None,
        min_valid_joints: int = 1,
        augment: bool = True,
        scale_jitter: float = 0.25,
        rotation_jitter_deg: float = 30.0,
        rotation_probability: float = 0.6,
        upright_jitter_deg: float = 12.0,
        upright_far_share: float = 0.08,
        shift_jitter: float = 0.0,
        flip_probability: float = 0.0,
        colour_jitter: float = 0.2,
        noise_probability: float = 0.1,
        blur_probability: float = 0.1,
        seed: int = 0,
        read_images: bool = True,
        shuffled_images: bool = False,
        shuffled_labels: bool = False,
        fit_share: float = 1.0,
        fitted_only: bool = False,
        unreadable: Unreadable = "error",
        unreadable_limit: int = 100,
        sets: list[AddedSet] | None = None,
        device_augmentation: BatchAugmentation | None = None,
        format: str | None = None,
        own_labels: OwnLabels | Literal["auto"] | None = None,
    ) -> None:
        super().__init__()
        check_data_settings(locals())
        self.sets = sets or []
        check_shares(self.sets)
        if device_augmentation is not None:
            device_augmentation.check("data.device_augmentation")
        self.device_augmentation = device_augmentation
        self.root = root
        self.format = format
        self.image_size = image_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.hands = hands
        self.layout = layout
        self.mirror_left = mirror_left
        self.upright = upright
        self.labelled_only = labelled_only
        self.gesture_classes = gesture_classes
        self.own_labels = own_labels
        self.boxes = boxes
        self.test_boxes = test_boxes
        self.rootnet_file = rootnet_file
        self.mano_fits = mano_fits
        self.splits: dict[Stage, str] = {"train": train_split, "val": val_split, "test": test_split}
        self.subsets: dict[Stage, str | None] = {"train": train_subset, "val": val_subset, "test": test_subset}
        self.captures = captures
        self.cameras = cameras
        self.subjects = subjects
        self.gestures = gestures
        self.min_valid_joints = min_valid_joints
        self.augmentation = (
            Augmentation(
                CropJitter(
                    scale_jitter,
                    math.radians(rotation_jitter_deg),
                    0.0 if upright else rotation_probability,
                    shift_jitter,
                    flip_probability,
                ),
                AppearanceJitter(colour_jitter, noise_probability, blur_probability),
                TurnJitter(math.radians(upright_jitter_deg), upright_far_share),
            )
            if augment
            else None
        )
        self.seed = seed
        self.read_images = read_images
        self.shuffled_images = shuffled_images
        self.shuffled_labels = shuffled_labels
        self.fit_share = fit_share
        self.fitted_only = fitted_only
        self.unreadable = unreadable
        self.unreadable_limit = unreadable_limit
        self.datasets: dict[Stage, InterHandDataset] = {}
        self.mixture: MixedDataset | None = None
        self.mixed_validation: MixedDataset | None = None
        #: What the loader's workers do last to a training batch, as set by the module in training.
        self.finish_batch: Callable[[Batch], Batch] | None = None

    def dataset(self, stage: Stage) -> InterHandDataset:
        """The dataset of one stage, read on first use; for training, that of ``root``.

        Raises:
            UserError: The folder or a file is missing or broken, or nothing is left to load.
        """
        if stage not in self.datasets:
            index = self._index(stage)
            selection = select(
                index,
                hands=self.hands,
                layout=self.layout,
                labelled_only=self.labelled_only and stage != "test",
                subset=self.subsets[stage],
                captures=self.captures,
                cameras=self.cameras,
                subjects=self.subjects,
                gestures=self.gestures,
                min_valid_joints=self.min_valid_joints,
            )
            self.datasets[stage] = self._dataset_of(index, selection, stage, self.seed)
        return self.datasets[stage]

    def mixed_dataset(self) -> MixedDataset:
        """The training data if there are further sets: ``root``'s samples, then those of each set.

        Raises:
            UserError: As :meth:`dataset`.
        """
        parts = [self.dataset("train")]
        parts += [self._added_dataset(place, added.split, "train") for place, added in enumerate(self.sets, 1)]
        return MixedDataset(parts)

    def validation_dataset(self) -> InterHandDataset | MixedDataset:
        """The validation data: ``root``'s samples, mixed with those of each set that has a ``val_split``.

        Raises:
            UserError: As :meth:`dataset`.
        """
        others = {place: added.val_split for place, added in enumerate(self.sets, 1) if added.val_split is not None}
        if not others:
            return self.dataset("val")
        if self.mixed_validation is None:
            parts = [self._added_dataset(place, split, "val") for place, split in others.items()]
            self.mixed_validation = MixedDataset([self.dataset("val"), *parts], [0, *others], interleaved=True)
        return self.mixed_validation

    def validated_sets(self) -> dict[int, str]:
        """The prefix of each validated set's metrics, by its ``set_number``; ``root``'s is ``val``."""
        others = {k: added.measured_as for k, added in enumerate(self.sets, 1) if added.val_split is not None}
        return {0: "val", **others}

    def named_definitions(self, stage: str) -> dict[str, DefinitionName]:
        """The joint definitions that ``sets`` name, by their keys (``data.sets[0].joint_definition``).

        Args:
            stage: The Trainer's stage; definitions of sets whose joints it does not compare are left out.
        """
        return {
            f"data.sets[{place}].joint_definition": added.joint_definition
            for place, added in enumerate(self.sets)
            if added.joint_definition is not None
            and added.joints
            and (stage == "fit" or (stage == "validate" and added.val_split is not None))
        }

    def _added_dataset(self, place: int, split: str, stage: Stage) -> InterHandDataset:
        added = self.sets[place - 1]
        index = self._added_index(added, split)
        selection = select(
            index,
            hands=added.hands or self.hands,
            layout=self.layout,
            labelled_only=added.labelled_only,
            min_valid_joints=self.min_valid_joints if added.min_valid_joints is None else added.min_valid_joints,
        )
        # Each set has its own random numbers, so that sample 0 of one is not changed like sample 0 of another.
        seed = int(np.random.SeedSequence((self.seed, place)).generate_state(1)[0])
        return self._dataset_of(index, selection, stage, seed, added)

    def label_vocabulary(self) -> tuple[tuple[str, str], ...]:
        """The vocabulary of the batches' ``own_label``: pairs of a set of labels and a label.

        Raises:
            UserError: A folder or file of the training data, which defines it, is missing or broken.
        """
        if self.own_labels == "auto":
            parts = [self._index("train"), *(self._added_index(added, added.split) for added in self.sets)]
            self.own_labels = sorted({pair for index in parts for pair in index.own_label_names})
        return tuple((name, label) for name, label in self.own_labels or ())

    def _added_index(self, added: AddedSet, split: str) -> InterHandIndex:
        return read_index(added.root, split, mano_fits=added.mano_fits, set_format=added.format)

    def _dataset_of(
        self, index: InterHandIndex, selection: Selection, stage: Stage, seed: int, added: AddedSet | None = None
    ) -> InterHandDataset:
        training = stage == "train"
        kept = kept_fits(index, self.fit_share, seed) if training and self.fit_share < 1 else None
        if training and self.fitted_only:
            selection = fitted_samples(index, selection, kept)
        source = self.test_boxes or self.boxes if stage == "test" else self.boxes
        others = np.random.default_rng(seed).permutation(len(selection)) if training else None
        return self.dataset_class(
            index,
            selection,
            crop_boxes(index, selection, source, self.rootnet_file)
            if source == "rootnet"
            else CropBoxes(index, selection, source),
            image_size=self.image_size,
            mirror_left=self.mirror_left,
            upright=self.upright,
            gesture_classes=self.gesture_classes,
            augmentation=self.augmentation if training else None,
            seed=seed,
            read_images=self.read_images,
            own_labels=self.label_vocabulary(),
            image_of=others if self.shuffled_images else None,
            joints=added is None or added.joints,
            gesture_labels=added is None or added.gesture_labels,
            joint_definition=None if added is None else added.joint_definition,
            label_of=shuffled_labels(index, selection, others)
            if others is not None and (self.shuffled_labels or (added and added.shuffled_labels))
            else None,
            kept_fits=kept,
            unreadable="error" if stage == "test" else self.unreadable,
        )

    def augmented(self, batch: Batch, epoch: int, batch_idx: int, process: int = 0) -> Batch:
        """A training batch, on its device, after ``device_augmentation``; unchanged without it.

        The changes are a function of ``seed``, ``epoch``, ``batch_idx`` and ``process``.
        """
        if self.device_augmentation is None:
            return batch
        image = self.device_augmentation(batch["image"], (self.seed, epoch, batch_idx, process))
        return Batch(**(dict(batch) | {"image": image}))  # type: ignore[typeddict-item]

    def has_validation(self) -> bool:
        """Whether there is a validation split; one with a name other than ``val`` was chosen, so it must exist.

        Raises:
            UserError: A file of the split is broken.
        """
        split = self.splits["val"]
        if split != "val":
            return True
        folder = local_folder(self.root, [split])
        return format_of(folder, self.format).has_split(folder, split) and len(self._index("val")) > 0

    def prepare_data(self) -> None:
        """Builds missing indices in one process per machine, before the others need them."""
        splits = [(self.root, self.format, split, self.mano_fits) for split in dict.fromkeys(self.splits.values())]
        splits += [
            (added.root, added.format, split, added.mano_fits)
            for added in self.sets
            for split in (added.split, added.val_split)
            if split is not None
        ]
        for root, name, split, mano_fits in splits:
            folder = local_folder(root, [split])
            if split in format_of(folder, name).splits(folder):
                read_index(root, split, mano_fits=mano_fits, set_format=name)

    def setup(self, stage: str) -> None:
        """Reads the datasets of a Trainer stage."""
        stages: dict[str, tuple[Stage, ...]] = {"fit": ("train", "val"), "validate": ("val",)}
        if stage == "fit" and not self.has_validation():
            stages["fit"] = ("train",)
        for name in stages.get(stage, ("test",)):
            self.dataset(name)
        if stage == "fit" and self.sets:
            self.mixture = self.mixed_dataset()
        if "val" in stages.get(stage, ()):
            self.validation_dataset()
        elif stage == "fit" and len(self.validated_sets()) > 1:
            raise UserError(
                f"data.sets asks for validation, and data.root '{self.root}' has no split '{self.splits['val']}' "
                "to validate on: set data.val_split, or make a set that has one data.root."
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled, augmented training batches; an incomplete last one is dropped if there is another."""
        return self._loader("train", training=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Validation batches in the files' order; no loader if there is nothing to validate on."""
        training = self.trainer is not None and self.trainer.state.fn == "fit"
        return [] if training and not self.has_validation() else self._loader("val", self.validation_dataset())

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test batches in the file's order."""
        return self._loader("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """The test batches."""
        return self._loader("test")

    def evaluation_dataloader(self, stage: Stage) -> DataLoader[Batch]:
        """Any stage's batches in the file's order, every sample once."""
        return self._loader(stage, training=False)

    def _index(self, stage: Stage) -> InterHandIndex:
        return read_index(self.root, self.splits[stage], mano_fits=self.mano_fits, set_format=self.format)

    def _loader(
        self, stage: Stage, dataset: InterHandDataset | MixedDataset | None = None, *, training: bool = False
    ) -> DataLoader[Batch]:
        dataset = self.dataset(stage) if dataset is None else dataset
        if self.num_workers:
            # A forked worker would inherit OpenCV's thread pool without its threads, and wait for them for ever.
            cv2.setNumThreads(0)
        processes = {
            "num_replicas": self.trainer.world_size if self.trainer else 1,
            "rank": self.trainer.global_rank if self.trainer else 0,
        }
        if training and self.sets:
            dataset = self.mixture = self.mixture or self.mixed_dataset()
            # The batches of all processes make up one step, as would one process with so large a batch.
            block = self.batch_size * processes["num_replicas"]
            sampler: EpochSampler = mixed_sampler(dataset, self.sets, block=block, seed=self.seed, **processes)
        else:
            sampler = EpochSampler(dataset, training=training, seed=self.seed, **processes)
        if training and not len(sampler):
            raise UserError(
                f"Split '{self.splits[stage]}' of '{self.root}' has {len(dataset)} samples for {sampler.num_replicas} "
                "processes: train on fewer devices or loosen the selection."
            )
        return (ResumableLoader if training else DataLoader)(
            dataset,
            self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            drop_last=training and len(sampler) >= self.batch_size,
            prefetch_factor=self.prefetch_factor if self.num_workers else None,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=training and self.num_workers > 0,
            collate_fn=partial(_finished, self.finish_batch) if training and self.finish_batch else collate,
            worker_init_fn=prepare_worker,
        )


def _finished(finish: Callable[[Batch], Batch], samples: Batch | Sequence[Batch]) -> Batch:
    return finish(collate(samples))
