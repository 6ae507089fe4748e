"""The samples that each process sees: every one once, in a repeatable order."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
import torch
from torch.utils.data import Dataset, DistributedSampler

from gesturehand.data.dataset import SampleKey
from gesturehand.data.loading import EpochSampler, ResumableLoader

PROCESSES = (1, 2, 3)
LENGTHS = (1, 7, 32, 33)


def shares(length, processes, training, seed=0, epoch=0):
    result = []
    for rank in range(processes):
        sampler = EpochSampler(range(length), training=training, seed=seed, num_replicas=processes, rank=rank)
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler)
        assert all(isinstance(key, SampleKey) for key in keys)
        result.append(keys)
    return result


def order(length, processes=1, **settings):
    """The samples in the order in which the processes together see them."""
    return [key.sample for step in zip(*shares(length, processes, True, **settings), strict=True) for key in step]


@pytest.mark.parametrize("processes", PROCESSES)
@pytest.mark.parametrize("length", LENGTHS)
def test_evaluation_counts_every_sample_exactly_once(length, processes):
    result = shares(length, processes, training=False)
    assert len({len(keys) for keys in result}) == 1, "a shorter share would leave collective calls waiting"
    counted = Counter(key.sample for keys in result for key in keys if key.counted)
    assert counted == Counter(range(length))
    fillers = [key for keys in result for key in keys if not key.counted]
    assert len(fillers) == -length % processes
    assert all(0 <= key.sample < length for key in fillers)
    assert {key.epoch for keys in result for key in keys} == {0}


@pytest.mark.parametrize("processes", PROCESSES)
@pytest.mark.parametrize("length", LENGTHS)
def test_training_shares_are_disjoint_and_equally_long(length, processes):
    result = shares(length, processes, training=True, epoch=3)
    assert {len(keys) for keys in result} == {length // processes}
    samples = [key.sample for keys in result for key in keys]
    assert len(set(samples)) == len(samples) == length // processes * processes
    assert all(key.counted and key.epoch == 3 for keys in result for key in keys)


def test_evaluation_keeps_the_order_whatever_the_epoch():
    for epoch in (0, 5):
        assert [key.sample for key in shares(7, 1, False, epoch=epoch)[0]] == list(range(7))
        assert [key.sample for key in shares(7, 2, False, epoch=epoch)[1]][:3] == [1, 3, 5]


def test_order_is_a_function_of_seed_and_epoch():
    first = order(33)
    assert order(33) == first
    assert sorted(first) == list(range(33)) != first
    assert order(33, epoch=1) != first
    assert order(33, seed=1) != first
    # Seeds and epochs are not interchangeable: (seed 0, epoch 1) is not (seed 1, epoch 0).
    assert order(33, epoch=1) != order(33, seed=1)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_the_order_of_one(processes):
    """Step k of two processes sees the samples of the steps 2k and 2k + 1 of one, so batches hold the same samples."""
    together = order(32, processes, epoch=2)
    assert together == order(32, epoch=2)[: len(together)]


def test_dropped_samples_come_back_in_another_epoch():
    seen = {sample for epoch in range(20) for sample in order(7, 3, epoch=epoch)}
    assert seen == set(range(7))


def test_lightning_leaves_it_alone():
    """Lightning replaces a sampler unless it is one of torch's distributed ones, and calls ``set_epoch`` on it."""
    sampler = EpochSampler(range(3), training=True)
    assert isinstance(sampler, DistributedSampler)
    sampler.set_epoch(4)
    assert {key.epoch for key in sampler} == {4}


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


def loader(workers=0, processes=1, rank=0, batch_size=BATCH, drop_last=False):
    data = Numbers()
    sampler = EpochSampler(data, training=True, seed=1, num_replicas=processes, rank=rank)
    workers = {"num_workers": workers, "persistent_workers": workers > 0}
    return ResumableLoader(data, batch_size, sampler=sampler, drop_last=drop_last, **workers)


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


def steps(processes, batch_size, state=None):
    """The samples that all processes together see in each step, in the order of a single process."""
    each = []
    for rank in range(processes):
        source = loader(processes=processes, rank=rank, batch_size=batch_size, drop_last=True)
        if state is not None:
            source.load_state_dict(state)
        each.append(batches(source, epoch=4))
    return [[sample for row in zip(*step, strict=True) for sample in row] for step in zip(*each, strict=True)]


@pytest.mark.parametrize("before", [(1, 6), (2, 3), (3, 2), (6, 1)])
@pytest.mark.parametrize("after", [(1, 6), (2, 3), (3, 2), (6, 1)])
def test_rest_of_an_epoch_with_another_number_of_processes(before, after):
    whole = steps(*before)
    assert len(whole) == LENGTH // 6
    assert whole[2:] == steps(*after, {"epoch": 4, "batches": 2})


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


# A worker ends at its parent's SIGTERM, and at those of other processes only if the sender is not known.


#: Prepares a worker, starts a process that signals it, and reports if it survives.
PROGRAM = """
import os, subprocess, sys
from gesturehand.data.loading import prepare_worker
sys.platform = sys.argv[1]
prepare_worker(0)
sys.platform = "linux"
subprocess.run([sys.executable, "-c", f"import os; os.kill({os.getpid()}, {sys.argv[2]})"], check=True)
print("lives", flush=True)
sys.stdin.read()
"""


def start(platform: str, number: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, platform, str(int(number))]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="signals are told apart on Linux")
def test_a_strangers_signal_is_survived_and_the_parents_is_not():
    with start("linux", signal.SIGTERM) as worker:
        assert worker.stdout.readline() == "lives\n"
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_a_worker_ends_at_any_sigterm_and_never_at_ctrl_c(platform):
    with start(platform, signal.SIGTERM) as worker:
        assert worker.stdout.read() == ""
        assert worker.wait() == -signal.SIGTERM
    with start(platform, signal.SIGINT) as worker:
        assert worker.stdout.readline() == "lives\n"
        worker.stdin.close()
        assert worker.wait() == 0
