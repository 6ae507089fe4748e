"""The gesture vocabulary: its sizes, its hierarchy and the meaning of a sequence's name."""

import csv
from importlib.resources import files

import pytest

from gesturehand import gestures
from gesturehand.errors import UserError


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    text = (files("gesturehand.assets") / "gestures.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_sizes_are_those_of_the_papers(rows):
    vocabulary = gestures.vocabulary()
    assert len(rows) == len(vocabulary.fine_of_sequence) == 46
    assert (len(vocabulary.coarse), len(vocabulary.fine), len(vocabulary.parent)) == (27, 35, 35)


def test_every_fine_class_has_exactly_one_parent(rows):
    parents: dict[str, set[str]] = {}
    for row in rows:
        parents.setdefault(row["fine"], set()).add(row["coarse"])
    assert all(len(names) == 1 for names in parents.values())
    vocabulary = gestures.vocabulary()
    for fine, parent in zip(vocabulary.fine, vocabulary.parent, strict=True):
        assert parents[fine] == {vocabulary.coarse[parent]}
    assert set(vocabulary.parent) == set(range(27)), "a coarse class without a fine one could never be predicted"


def test_every_sequence_has_its_rows_classes_whatever_its_number(rows):
    vocabulary = gestures.vocabulary()
    for row in rows:
        for number in ("0000", "0099", "0131"):
            coarse, fine = gestures.gesture_of_sequence(f"{number}_{row['sequence']}")
            assert (vocabulary.coarse[coarse], vocabulary.fine[fine]) == (row["coarse"], row["fine"])


def test_one_number_can_be_two_gestures():
    assert gestures.gesture_of_sequence("0014_rocker") != (-1, -1)
    assert gestures.gesture_of_sequence("0014_rocker_frontside") != (-1, -1)
    with_number_only = {gestures.gesture_of_sequence(name) for name in ("0014", "0014_")}
    assert with_number_only == {(-1, -1)}


@pytest.mark.parametrize(
    "name", ["ROM03_RT_No_Occlusion", "ROM07_Rt_Finger_Occlusions", "0390_dh_touchROM", "0266_dh_pray", "", "fist"]
)
def test_sequences_outside_the_vocabulary_have_no_label(name):
    assert gestures.gesture_of_sequence(name) == (gestures.NO_GESTURE, gestures.NO_GESTURE)


@pytest.mark.parametrize(("level", "shared", "per_hand"), [("coarse", 27, 54), ("fine", 35, 70)])
def test_classes_per_hand_are_the_same_names_twice(level, shared, per_hand):
    assert len(gestures.class_names(level)) == shared
    names = gestures.class_names(level, "per_hand")
    assert len(set(names)) == per_hand
    assert list(names) == [f"{side}_{name}" for side in ("right", "left") for name in gestures.class_names(level)]


@pytest.mark.parametrize("classes", ["shared", "per_hand"])
def test_parents_join_a_fine_class_to_the_coarse_class_of_the_same_hand(classes):
    coarse, fine = (gestures.class_names(level, classes) for level in ("coarse", "fine"))
    parents = gestures.class_parents(classes)
    assert len(parents) == len(fine)
    vocabulary = gestures.vocabulary()
    coarse_of = {
        name: vocabulary.coarse[parent] for name, parent in zip(vocabulary.fine, vocabulary.parent, strict=True)
    }
    for name, parent in zip(fine, parents, strict=True):
        if classes == "shared":
            assert coarse[parent] == coarse_of[name]
        else:
            side, _, bare = name.partition("_")
            assert coarse[parent] == f"{side}_{coarse_of[bare]}"


def test_fine_index_and_its_error():
    for index, name in enumerate(gestures.vocabulary().fine):
        assert gestures.fine_index(name) == index
    with pytest.raises(UserError, match=r"'thumb_upp'.*did you mean 'thumb_up'"):
        gestures.fine_index("thumb_upp")
    with pytest.raises(UserError, match=r"'xyzzy'.*choose from"):
        gestures.fine_index("xyzzy")
