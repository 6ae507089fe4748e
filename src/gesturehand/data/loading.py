"""The order in which samples are requested: repeatable, from any batch of an epoch on, and by worker processes."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from gesturehand.batch import Batch
from gesturehand.data.dataset import SampleKey


class EpochSampler(DistributedSampler[Any]):
    """One process's share of the samples, as :class:`~gesturehand.data.dataset.SampleKey`.

    The order is a function of (seed, epoch). For training, every process has a share of the same length, and the rest
    is dropped for this epoch. For evaluation nothing is dropped: a share that is one short is filled up with a sample
    that is not counted, so that every process runs the same number of batches and no collective call waits.

    A subclass of torch's sampler, so that Lightning calls ``set_epoch`` and does not replace it.

    Args:
        dataset: Only its length is used.
        training: Shuffle and drop, or keep the order and fill up.
        seed: Seed of the order.
        num_replicas: Number of processes.
        rank: This process.

    Attributes:
        start: Samples of this process's share that the next pass skips because a resumed epoch has seen them.
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


class ResumableLoader(DataLoader[Batch]):
    """torch's loader over an :class:`~gesturehand.data.loading.EpochSampler`, with the state that Lightning saves.

    The state counts batches that were handed out, not those that workers have read ahead. Workers start when the first
    batch is requested; by then the sampler knows its epoch.
    """

    sampler: EpochSampler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._handed_out = 0
        self._resumed: dict[str, int] | None = None
        super().__init__(*args, **kwargs)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Batches of the sampler's epoch, or the remaining ones of a resumed epoch."""
        resumed, self._resumed = self._resumed, None
        start = resumed["batches"] if resumed is not None and resumed["epoch"] == self.sampler.epoch else 0
        self.sampler.start = start * (self.batch_size or 1)
        self._handed_out = start
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches handed out in it."""
        return {"epoch": self.sampler.epoch, "batches": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Makes the next pass over that epoch start after those batches."""
        self._resumed = dict(state)


def prepare_worker(worker: int) -> None:
    """Switches off OpenCV's threads in a worker, and lets only the process that started it end it.

    Workers are the parallelism; OpenCV's own threads would only compete with them. A forked one has none already.
    Ctrl-C, ``timeout`` and schedulers signal every process of a job. The training then finishes its step and writes a
    point, for which it may need another batch from its workers. macOS and Windows do not tell who sent a SIGTERM: there
    it ends a worker, and the training continues from the previous point.
    """
    if cv2.getNumThreads() > 1:
        cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent_only()


def _end_with_parent_only() -> None:
    """Ends this process at a SIGTERM from the one that started it, which ``multiprocessing`` sends when it exits."""
    if sys.platform == "win32" or sys.platform == "darwin":
        return
    # Threads that are started later inherit the mask, so that only the one below receives the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    parent = os.getppid()

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
