"""DeepLabCut's and lightning-pose's tables import the same as the list."""

import csv

import numpy as np
import pytest
from refusals import refused

from gesturehand.own_data.entries import read_entries
from gesturehand.skeleton import JOINT_NAMES

COORDS = ("x", "y")


def saved(rows, tmp_path):
    with (tmp_path / "CollectedData_me.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "CollectedData_me.csv"


def flat(hand):
    return [value for point in hand["joints_2d"] for value in (point or ["", ""])]


def one_hand(hands):
    """One index column, as lightning-pose and older versions of DeepLabCut write it."""
    parts = [name for name in JOINT_NAMES for _ in COORDS]
    head = [["scorer", *["me"] * 42], ["bodyparts", *parts], ["coords", *COORDS * 21]]
    return [*head, *([f"labeled-data/{hand['image']}", *flat(hand)] for hand in hands)]


def three_columns(hands):
    """The image's path in three columns, as newer versions write it."""
    head = [[row[0], "", "", *row[1:]] for row in one_hand([])]
    return [*head, *(["labeled-data", *hand["image"].split("/"), *flat(hand)] for hand in hands)]


def individuals(hands):
    """A project with several individuals, which are the two hands."""
    parts = [name for _ in range(2) for name in JOINT_NAMES for _ in COORDS]
    who = [name for name in ("left_hand", "right_hand") for _ in range(42)]
    rows = [["scorer", *["me"] * 84], ["individuals", *who], ["bodyparts", *parts], ["coords", *COORDS * 42]]
    for image in dict.fromkeys(hand["image"] for hand in hands):
        own = {hand["hand"]: hand for hand in hands if hand["image"] == image}
        cells = [flat(own[side]) if side in own else [""] * 42 for side in ("left", "right")]
        rows.append([image, *cells[0], *cells[1]])
    return rows


def predictions(hands):
    """Predictions with a likelihood for each joint; the thumb's tip has a low one."""
    parts = [name for name in JOINT_NAMES for _ in range(3)]
    rows = [["scorer", *["net"] * 63], ["bodyparts", *parts], ["coords", *("x", "y", "likelihood") * 21]]
    for hand in hands:
        cells = [v for k, p in enumerate(hand["joints_2d"]) for v in (*(p or (0, 0)), 0.2 if k == 4 or not p else 0.99)]
        rows.append([hand["image"], *cells])
    return rows


def read(rows, own_data, tmp_path, **settings):
    return read_entries(saved(rows, tmp_path), images=own_data.images, **settings)


@pytest.mark.parametrize("layout", [one_hand, three_columns, individuals, predictions])
def test_layout_says_the_same_as_the_list(layout, own_data, tmp_path):
    hands = own_data.hands[:10]
    if layout is not individuals:
        hands = list({hand["image"]: hand for hand in hands}.values())
    entries = read(layout(hands), own_data, tmp_path, hand="right")
    assert len(entries) == len(hands)
    by_place = {(entry.image, entry.side): entry for entry in entries}
    for hand in hands:
        entry = by_place[hand["image"], hand["hand"] if layout is individuals else "right"]
        wanted = np.array([point or [np.nan, np.nan] for point in hand["joints_2d"]])
        if layout is predictions:
            wanted[4] = np.nan
        np.testing.assert_allclose(entry.joints_2d, wanted)
        assert entry.pseudo_label == (layout is predictions)


def test_body_parts_may_have_the_side(own_data, tmp_path):
    rows = individuals(own_data.hands[:4])
    rows[2] = ["bodyparts", *(f"{who[0].upper()}_{part}" for who, part in zip(rows[1][1:], rows[2][1:], strict=True))]
    del rows[1]
    entries = read(rows, own_data, tmp_path)
    assert {(entry.image, entry.side) for entry in entries} == {(h["image"], h["hand"]) for h in own_data.hands[:4]}


def with_cell(rows, line, place, cell):
    rows[line][place] = cell
    return rows


MISTAKES = [
    ("a body part of a mouse", lambda rows: with_cell(rows, 1, 1, "snout"), "the body part 'snout'"),
    ("a film's frame", lambda rows: with_cell(rows, 3, 0, "17"), "numbers a film's frame (17)"),
    ("text for a number", lambda rows: with_cell(rows, 3, 4, "left"), "'left' where a number"),
    ("an image that is not there", lambda rows: with_cell(rows, 3, 0, "labeled-data/a/b.png"), "labeled-data/a/b.png"),
    ("no coordinates", lambda rows: [*rows[:2], ["coords", *["p"] * 42], *rows[3:]], "no x in its header line"),
    ("no rows", lambda rows: rows[:3], "holds no list of hands"),
]


@pytest.mark.parametrize(("change", "named"), [entry[1:] for entry in MISTAKES], ids=[entry[0] for entry in MISTAKES])
def test_mistake_is_one_sentence(change, named, own_data, tmp_path):
    with refused(named):
        read(change(one_hand(own_data.hands[:2])), own_data, tmp_path, hand="right")
