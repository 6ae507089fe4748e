"""The order in which one process sees a data set: repeatable, and every sample counted exactly once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset, DistributedSampler

from gesturehand.data.dataset import SampleKey


class EpochSampler(DistributedSampler[Any]):
    """One process's share of the samples, as :class:`~gesturehand.data.dataset.SampleKey`.

    The order is a function of (seed, epoch). For training, the share is the same length on every process and what is
    left over is dropped for this epoch. For evaluation nothing is dropped: a share that is one short is filled up with
    a sample that is not counted, so that every process runs the same number of batches and no collective call waits.

    A subclass of torch's sampler so that Lightning calls ``set_epoch`` and leaves it as it is.

    Args:
        dataset: Only its length is used.
        training: Shuffle and drop, or keep the order and fill up.
        seed: Of the order.
        num_replicas: Number of processes.
        rank: This process.

    Attributes:
        start: Samples of this process's share that the next pass leaves out, as a resumed epoch has seen them.
    """

    def __init__(
        self, dataset: Dataset[Any], *, training: bool, seed: int = 0, num_replicas: int = 1, rank: int = 0
    ) -> None:
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=training, seed=seed, drop_last=training)
        # torch keeps one sample more than fits when dropping; a share is the floor or the ceiling.
        length = len(dataset)  # type: ignore[arg-type]
        self.length = length
        self.start = 0
        self.num_samples = length // num_replicas if training else -(-length // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        first = self.rank + self.start * self.num_replicas
        for place in range(first, self.total_size, self.num_replicas):
            counted = place < self.length
            yield SampleKey(int(order[place if counted else 0]), self.epoch if self.shuffle else 0, counted)
