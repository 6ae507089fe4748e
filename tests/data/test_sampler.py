"""Which samples each process sees: every one once, in a repeatable order."""

from collections import Counter

import pytest
from torch.utils.data import DistributedSampler

from gesturehand.data.dataset import SampleKey
from gesturehand.data.sampler import EpochSampler

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
    # Neither is the other's: (seed 0, epoch 1) is not (seed 1, epoch 0).
    assert order(33, epoch=1) != order(33, seed=1)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_the_order_of_one(processes):
    """Step k of two processes sees what step 2k and 2k + 1 of one see, so batches hold the same samples."""
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
