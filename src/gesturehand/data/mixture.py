"""Several sets in one training: every batch is mixed by given shares."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.utils.data import Dataset

from gesturehand.batch import Batch
from gesturehand.data.dataset import InterHandDataset, SampleKey
from gesturehand.data.loading import EpochSampler
from gesturehand.data.selection import Hands
from gesturehand.errors import UserError
from gesturehand.hand.conventions import DefinitionName
from gesturehand.settings import check_range

#: Separates the random numbers of a set's second pass within an epoch from those of every epoch's first.
_PASS_STRIDE: Final = 1_000_000


@dataclass
class AddedSet:
    """A further training set, in addition to ``data.root``.

    Attributes:
        root: Its folder, in any format that ``data.root`` may have.
        share: Share of the training samples that come from it, above 0; the rest comes from ``data.root``.
        split: Its split to train on.
        hands: Which of its annotations; ``data.hands`` if not given.
        mano_fits: Read its ``MANO_NeuralAnnot.json``; without it only joints and gestures are known.
        labelled_only: Train only on its sequences with a gesture label.
        min_valid_joints: Leave out hands with fewer valid joints; ``data.min_valid_joints`` if not given. 0 also keeps
            hands with only an annotated box.
        joints: Train on its joints and MANO fits; otherwise only its gestures and labels count.
        gesture_labels: Train on its gestures and labels; otherwise only its joints and MANO fits count.
        shuffled_labels: Control experiment: every sample has another one's gesture and label, from the same set of
            labels, so that only the pairing differs (:func:`~gesturehand.data.selection.shuffled_labels`).
        joint_definition: How its joints are defined, if not as its format says: "mediapipe" (joints that MediaPipe or
            people mark in photographs), "freihand", "ho3d" or "dexycb"; see
            :data:`gesturehand.hand.conventions.JOINT_DEFINITIONS`.
        format: Name of its format; it is recognised if not given.
        name: Name in its metrics; the folder's name if not given.
        val_split: Its split to validate on, whose losses and metrics are ``val_{name}/…``; if not given, it is not
            validated on.
    """

    root: str
    share: float
    split: str = "train"
    hands: Hands | None = None
    mano_fits: bool = True
    labelled_only: bool = False
    min_valid_joints: int | None = None
    joints: bool = True
    gesture_labels: bool = True
    shuffled_labels: bool = False
    joint_definition: DefinitionName | None = None
    format: str | None = None
    name: str | None = None
    val_split: str | None = None

    @property
    def measured_as(self) -> str:
        """The prefix of its metrics' names, before the slash: ``val_photos``."""
        return f"val_{re.sub(r'[^0-9A-Za-z]+', '_', self.name or Path(self.root).resolve().name).strip('_')}"


def check_shares(sets: Sequence[AddedSet]) -> None:
    """Checks that the shares leave something for ``data.root``.

    Raises:
        UserError: A share is not above 0 and below 1, all of them together reach 1, ``min_valid_joints`` is not from 0
            to 21, or two sets that are validated on have the same name.
    """
    for place, added in enumerate(sets):
        check_range(f"data.sets[{place}]", 0, 1, open_ends="low high", share=added.share)
        check_range(f"data.sets[{place}]", 0, 21, whole=True, min_valid_joints=added.min_valid_joints)
    names = [added.measured_as for added in sets if added.val_split is not None]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise UserError(f"Two of data.sets would have metrics called {twice}/…: give them different names (name).")
    total = sum(added.share for added in sets)
    if total >= 1:
        raise UserError(
            f"The shares of data.sets add up to {total:g}, which leaves nothing for data.root: keep their sum below 1."
        )


class MixedDataset(Dataset[Batch]):
    """Datasets in sequence; the keys of a batch may belong to several.

    Args:
        datasets: The parts; samples are numbered through all of them, one set after the other.
        numbers: The number of each part in a batch (``set_number``); counted from 0 if not given.
        interleaved: Interleave the parts' samples evenly, each part in its own order and with its first sample at the
            front, so that the first batches of a validation show something of every part.

    Attributes:
        lengths: Samples of each part.
        starts: Number of each part's first sample.
    """

    def __init__(
        self, datasets: Sequence[InterHandDataset], numbers: Sequence[int] | None = None, *, interleaved: bool = False
    ) -> None:
        self.datasets = list(datasets)
        self.numbers = list(range(len(self.datasets)) if numbers is None else numbers)
        self.lengths = [len(dataset) for dataset in self.datasets]
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        places = np.concatenate([np.arange(length) / length for length in self.lengths])
        self._order = np.argsort(places, kind="stable") if interleaved else np.arange(len(places))

    def __len__(self) -> int:
        return sum(self.lengths)

    def set_of(self, number: int) -> int:
        """The part to which a sample belongs."""
        return int(np.searchsorted(self.starts, number, side="right")) - 1

    def __getitems__(self, keys: Sequence[SampleKey]) -> Batch:
        """Several samples as one batch, in the order of the keys.

        Raises:
            UserError: An image is missing or unreadable.
        """
        keys = [key._replace(sample=int(self._order[key.sample])) for key in keys]
        parts = np.array([self.set_of(key.sample) for key in keys])
        places, batches = [], []
        for part in np.unique(parts):
            own = np.flatnonzero(parts == part)
            start = int(self.starts[part])
            places.append(own)
            batch = self.datasets[part].__getitems__(
                [keys[k]._replace(sample=keys[k].sample - start) for k in own.tolist()]
            )
            batch["set_number"] = torch.full_like(batch["set_number"], self.numbers[part])
            batches.append(batch)
        if len(batches) == 1:
            return batches[0]
        back = torch.from_numpy(np.argsort(np.concatenate(places)))
        names: list[str] = list(batches[0])
        joined = {name: torch.cat([dict(batch)[name] for batch in batches])[back] for name in names}
        return Batch(**joined)  # type: ignore[typeddict-item]


class MixedSampler(EpochSampler):
    """The training order of several sets: within every block of a batch's length the shares hold to one sample.

    An epoch uses the first set once, and as much of the other sets as their shares require: part of a large one, a
    small one several times, each time in another order and with other augmentation. The order is a function of (seed,
    epoch) alone, so that several processes divide the order of a single one.

    Args:
        dataset: The sets.
        shares: Share of each of them; they add up to 1.
        block: Samples within which the shares hold: the batches of all processes together.
        seed: Seed of the order.
        num_replicas: Number of processes.
        rank: This process.
    """

    def __init__(
        self,
        dataset: MixedDataset,
        shares: Sequence[float],
        *,
        block: int,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(dataset, training=True, seed=seed, num_replicas=num_replicas, rank=rank)
        self.mixed = dataset
        self.shares = np.asarray(shares, np.float64)
        self.block = block
        self.length = int(dataset.lengths[0] / self.shares[0])
        self.num_samples = self.length // num_replicas
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[SampleKey]:
        parts = self._parts()
        numbers, epochs = np.empty(self.length, np.int64), np.empty(self.length, np.int64)
        for part, length in enumerate(self.mixed.lengths):
            own = np.flatnonzero(parts == part)
            orders = [
                np.random.default_rng((self.seed, self.epoch, part, number)).permutation(length)
                for number in range(-(-len(own) // length))
            ]
            numbers[own] = self.mixed.starts[part] + np.concatenate([*orders, np.zeros(0, np.int64)])[: len(own)]
            epochs[own] = self.epoch + np.arange(len(own)) // length * _PASS_STRIDE
        first = self.rank + self.start * self.num_replicas
        for place in range(first, self.total_size, self.num_replicas):
            yield SampleKey(int(numbers[place]), int(epochs[place]))

    def _parts(self) -> np.ndarray:
        """(length,) int64, the set of every place: each block has its share to one sample, in random order."""
        rng = np.random.default_rng((self.seed, self.epoch, len(self.shares)))
        given = np.zeros(len(self.shares), np.int64)
        blocks = []
        for end in range(self.block, self.length + self.block, self.block):
            end = min(end, self.length)
            due = end * self.shares - given
            counts = np.maximum(np.floor(due), 0).astype(np.int64)
            left = end - int(given.sum()) - int(counts.sum())
            # The rest of the block goes to the sets that are furthest behind.
            counts[np.argsort(counts - due, kind="stable")[:left]] += 1
            given += counts
            blocks.append(rng.permutation(np.repeat(np.arange(len(self.shares)), counts)))
        return np.concatenate(blocks)


def mixed_sampler(dataset: MixedDataset, sets: Sequence[AddedSet], **settings: Any) -> MixedSampler:
    """The sampler of ``data.root`` and the further sets; further arguments are :class:`MixedSampler`'s."""
    others = [added.share for added in sets]
    return MixedSampler(dataset, [1 - sum(others), *others], **settings)
