"""Several sets in one training: shares, order, and samples exactly as each set gives them by itself."""

import json
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import refused

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import SampleKey
from gesturehand.data.index import read_index
from gesturehand.data.mixture import AddedSet, MixedSampler
from gesturehand.data.selection import select, shuffled_labels
from gesturehand.hand.conventions import definition_number
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries


class Lengths:
    """Stands in for sets of these lengths if only their lengths matter."""

    def __init__(self, *lengths):
        self.lengths = list(lengths)
        self.starts = [sum(lengths[:k]) for k in range(len(lengths))]

    def __len__(self):
        return sum(self.lengths)


def order(lengths, shares, *, block=8, epoch=0, seed=0, processes=1, start=0):
    """The keys in the order in which the processes together see them."""
    each = []
    for rank in range(processes):
        sampler = MixedSampler(Lengths(*lengths), shares, block=block, seed=seed, num_replicas=processes, rank=rank)
        sampler.set_epoch(epoch)
        sampler.start = start
        each.append(list(sampler))
    return [key for step in zip(*each, strict=True) for key in step]


def part_of(number, lengths):
    return next(k for k in range(len(lengths)) if number < sum(lengths[: k + 1]))


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.2, 0.1), (0.9, 0.05, 0.05), (1 / 3, 1 / 3, 1 / 3)])
def test_every_block_has_its_shares_to_one_sample(shares):
    lengths = [240, 50, 1000][: len(shares)]
    keys = order(lengths, shares, block=10)
    assert len(keys) == int(240 / shares[0])
    for first in range(0, len(keys) - 9, 10):
        parts = [part_of(key.sample, lengths) for key in keys[first : first + 10]]
        for part, share in enumerate(shares):
            assert abs(parts.count(part) - 10 * share) <= 1
    parts = [part_of(key.sample, lengths) for key in keys]
    for part, share in enumerate(shares):
        assert abs(parts.count(part) / len(keys) - share) < 0.01


def test_an_epoch_sees_the_first_set_once_and_cycles_through_the_others():
    lengths = [60, 7, 500]
    keys = order(lengths, (0.5, 0.25, 0.25))
    first = [key for key in keys if key.sample < 60]
    assert sorted(key.sample for key in first) == list(range(60))
    assert {key.epoch for key in first} == {0}
    small = [key for key in keys if 60 <= key.sample < 67]
    assert len(small) == 30
    # Each round sees all seven once, and no sample with the same random numbers twice.
    for start in range(0, 28, 7):
        assert {key.sample for key in small[start : start + 7]} == set(range(60, 67))
    assert len(set(small)) == 30
    large = [key.sample for key in keys if key.sample >= 67]
    assert len(set(large)) == len(large) == 30


def test_order_is_a_function_of_seed_and_epoch():
    settings = [40, 9], (0.8, 0.2)
    assert order(*settings) == order(*settings)
    assert order(*settings, epoch=1) != order(*settings) != order(*settings, seed=1)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_the_order_of_one(processes):
    together = order([40, 9], (0.8, 0.2), processes=processes)
    assert together == order([40, 9], (0.8, 0.2))[: len(together)]


def test_a_resumed_epoch_continues_where_it_was():
    assert order([40, 9], (0.8, 0.2), start=16) == order([40, 9], (0.8, 0.2))[16:]


@pytest.mark.parametrize("processes", [2, 4])
def test_a_resumed_epoch_may_have_another_number_of_processes(processes):
    together = order([40, 9], (0.8, 0.2), processes=processes, start=16 // processes)
    assert together == order([40, 9], (0.8, 0.2))[16 : 16 + len(together)]
    assert len(together) > 20


@pytest.fixture(scope="module")
def mixed(synthetic_root, two_hand_root):
    sets = [AddedSet(str(two_hand_root), 0.25, hands="all"), AddedSet(str(synthetic_root), 0.25, split="val")]
    return lambda **settings: InterHandDataModule(
        str(synthetic_root), image_size=32, batch_size=8, **{"num_workers": 0, "sets": sets, **settings}
    )


def test_samples_are_the_same_as_in_their_set(mixed, two_hand_root):
    data = mixed(augment=False)
    dataset = data.mixed_dataset()
    start = dataset.lengths[0]
    batch = dataset.__getitems__([SampleKey(start + 3), SampleKey(1), SampleKey(start), SampleKey(0)])
    alone = InterHandDataModule(str(two_hand_root), image_size=32, num_workers=0, hands="all", augment=False)
    for place, dataset_alone, number in (
        (0, alone.dataset("train"), 3),
        (1, data.dataset("train"), 1),
        (2, alone.dataset("train"), 0),
        (3, data.dataset("train"), 0),
    ):
        for name, value in dataset_alone[number].items():
            assert name == "set_number" or torch.equal(batch[name][place], value), name
    assert batch["set_number"].tolist() == [1, 0, 1, 0]


def test_a_set_may_say_how_its_joints_are_defined(synthetic_root, two_hand_root):
    sets = [
        AddedSet(str(two_hand_root), 0.25, hands="all", joint_definition="mediapipe"),
        AddedSet(str(synthetic_root), 0.25, split="val"),
    ]
    dataset = InterHandDataModule(str(synthetic_root), image_size=32, num_workers=0, sets=sets).mixed_dataset()
    batch = dataset.__getitems__([SampleKey(0), *(SampleKey(int(start)) for start in dataset.starts[1:])])
    assert batch["joint_definition"].tolist() == [0, definition_number("mediapipe"), 0]


def batches(data, epoch=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_batches_do_not_depend_on_the_number_of_workers(mixed):
    plain, with_workers = batches(mixed()), batches(mixed(num_workers=2))
    assert len(plain) == len(with_workers) > 3
    for one, other in zip(plain, with_workers, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_set_without_fits_trains_what_it_can(synthetic_root):
    sets = [AddedSet(str(synthetic_root), 0.5, mano_fits=False)]
    data = InterHandDataModule(str(synthetic_root), image_size=32, batch_size=8, num_workers=0, sets=sets)
    fitted = torch.cat([batch["mano_valid"].any(1) for batch in batches(data)])
    assert 0.3 < fitted.float().mean() < 0.5  # in both sets, a tenth of the frames has no fit


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ([0.0], "data.sets[0].share is 0.0"),
        ([1.0], "data.sets[0].share is 1.0"),
        ([0.5, float("nan")], "data.sets[1].share is nan"),
        ([0.5, 0.5], "add up to 1, which leaves nothing for data.root"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares, sentence):
    with refused(sentence):
        InterHandDataModule(sets=[AddedSet("elsewhere", share) for share in shares])


def two_label_sets(folder, count=24):
    """Photos with labels of two sets, with gestures only, and with nothing but a box, in splits train and val."""
    hands = []
    for number in range(count):
        Image.fromarray(np.full((24, 24, 3), number, np.uint8)).save(folder / f"{number}.png")
        hand = {"image": f"{number}.png", "hand": ("right", "left")[number % 2], "box": [2, 2, 20, 20]}
        hand["split"] = "train" if number < count - 4 else "val"
        if number % 3 == 0:
            hand |= {"set": "digits", "label": str(number % 5), "gesture": "fist" if number % 2 else None}
        elif number % 3 == 1:
            hand |= {"set": "letters", "label": "ABCD"[number % 4]}
        else:
            hand |= {"gesture": ("fist", "palm_down")[number // 3 % 2]}
        hands.append({key: value for key, value in hand.items() if value is not None})
    (folder / "hands.json").write_text(json.dumps(hands))
    convert(read_entries(folder / "hands.json"), folder, folder / "set")
    return str(folder / "set")


def labels_of(dataset):
    """For every sample, its set of labels ('' if it has none), its label and its gesture."""
    batch = dataset.__getitems__([SampleKey(number) for number in range(len(dataset))])
    names = sorted(dataset.index.own_label_names)  # as `auto` orders them; the rendered set has none
    pairs = [names[k] if k >= 0 else ("", "") for k in batch["own_label"].tolist()]
    return [(*pair, fine) for pair, fine in zip(pairs, batch["gesture_fine"].tolist(), strict=True)]


def test_shuffled_labels_stay_within_their_set(tmp_path, synthetic_root):
    root = two_label_sets(tmp_path)

    def part(shuffled, seed=0, split="train"):
        sets = [AddedSet(root, 0.5, split=split, hands="all", min_valid_joints=0, shuffled_labels=shuffled)]
        data = InterHandDataModule(
            str(synthetic_root), image_size=32, batch_size=4, num_workers=0, hands="all", sets=sets, seed=seed,
            augment=False, own_labels="auto",
        )  # fmt: skip
        return data.mixed_dataset().datasets[1]

    true, shuffled = labels_of(part(False)), labels_of(part(True))
    assert [name for name, _, _ in shuffled] == [name for name, _, _ in true]
    for name in ("digits", "letters", ""):
        own = [[said for said in labels if said[0] == name] for labels in (true, shuffled)]
        assert len(own[0]) >= 6
        assert Counter(own[0]) == Counter(own[1])
        assert own[0] != own[1]
    # Another process sees the same ones, whether it reads the set itself or gets it from this one; with another seed
    # they differ.
    assert labels_of(part(True)) == shuffled
    assert labels_of(pickle.loads(pickle.dumps(part(True)))) == shuffled
    assert labels_of(part(True, seed=1)) != shuffled
    assert Counter(labels_of(part(True, split="val"))) == Counter(labels_of(part(False, split="val")))


def test_one_set_of_labels_is_shuffled_by_the_order_itself(two_hand_root):
    """Labelled hands of a single vocabulary use the order as it is, like comparisons from before label sets existed."""
    index = read_index(two_hand_root, "train")
    selection = select(index, hands="all", labelled_only=True)
    order = np.random.default_rng(3).permutation(len(selection))
    assert np.array_equal(shuffled_labels(index, selection, order), order)
    everything = select(index, hands="all")
    labelled = (index.gesture[everything.row] >= 0).any(-1)
    label_of = shuffled_labels(index, everything, np.random.default_rng(3).permutation(len(everything)))
    assert not labelled.all()
    assert np.array_equal(labelled[label_of], labelled)
    assert sorted(label_of) == list(range(len(everything)))
