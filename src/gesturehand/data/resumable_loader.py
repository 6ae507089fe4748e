"""A loader that knows how far into its epoch it is, and can start there without reading what came before."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from gesturehand.batch import Batch
from gesturehand.data.sampler import EpochSampler


class ResumableLoader(DataLoader[Batch]):
    """torch's loader over an :class:`~gesturehand.data.sampler.EpochSampler`, with the state that Lightning saves.

    The state counts batches that were handed out, not those that workers have read ahead. Workers start when the first
    batch is asked for: by then the sampler has been told its epoch.
    """

    sampler: EpochSampler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._handed_out = 0
        self._resumed: dict[str, int] | None = None
        super().__init__(*args, **kwargs)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Batches of the sampler's epoch; of a resumed epoch those that are left."""
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
        """The next pass over that epoch starts behind those batches."""
        self._resumed = dict(state)
