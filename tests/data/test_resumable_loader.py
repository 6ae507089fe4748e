"""A resumed epoch is the rest of the uninterrupted one, whatever workers had read ahead, and skips without reading."""

import pytest
import torch
from torch.utils.data import Dataset

from gesturehand.data.resumable_loader import ResumableLoader
from gesturehand.data.sampler import EpochSampler

LENGTH, BATCH = 23, 3


class Numbers(Dataset):
    """Samples that are their own numbers, with a list of what was read."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return LENGTH

    def __getitem__(self, key):
        self.read.append(key.sample)
        return torch.tensor([key.sample, key.epoch])


def loader(workers=0, processes=1, rank=0):
    data = Numbers()
    sampler = EpochSampler(data, training=True, seed=1, num_replicas=processes, rank=rank)
    return ResumableLoader(data, BATCH, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)


def batches(source, epoch, count=None):
    source.sampler.set_epoch(epoch)
    result = []
    for batch in source:
        result.append(batch.tolist())
        if len(result) == count:
            break
    return result


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("processes", "rank"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("done", [0, 1, 3])
def test_rest_of_an_epoch(workers, processes, rank, done):
    if workers and (done != 3 or processes == 2):
        pytest.skip("workers are slow to start; one case shows it")
    whole = batches(loader(processes=processes, rank=rank), epoch=4)
    first = loader(workers, processes, rank)
    begun = batches(first, 4, count=done) if done else []
    state = first.state_dict() if done else {"epoch": 4, "batches": 0}
    assert state == {"epoch": 4, "batches": done}
    second = loader(workers, processes, rank)
    second.load_state_dict(state)
    assert begun + batches(second, 4) == whole
    assert batches(second, 5) == batches(loader(processes=processes, rank=rank), 5), "the next epoch is a whole one"


def test_consumed_samples_are_not_read():
    source = loader()
    source.load_state_dict({"epoch": 2, "batches": 5})
    rest = batches(source, 2)
    assert source.dataset.read == [sample for batch in rest for sample, _ in batch]
    assert len(source.dataset.read) == LENGTH - 5 * BATCH


def test_state_of_a_finished_epoch_does_not_shorten_the_next():
    source = loader()
    batches(source, 0)
    again = loader()
    again.load_state_dict(source.state_dict())
    assert batches(again, 1) == batches(loader(), 1)


def test_epoch_may_be_set_after_the_iterator_is_made():
    """Lightning asks for an iterator before it tells the sampler the epoch."""
    source = loader()
    iterator = iter(source)
    source.sampler.set_epoch(3)
    assert [batch.tolist() for batch in iterator] == batches(loader(), 3)
