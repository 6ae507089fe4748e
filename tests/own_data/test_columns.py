"""Tables whose columns have other tools' names."""

import csv

import numpy as np
import pytest

from gesturehand.errors import UserError
from gesturehand.own_data.entries import read_entries
from gesturehand.skeleton import JOINT_NAMES


def saved(header, rows, tmp_path):
    with (tmp_path / "joints.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return tmp_path / "joints.csv"


def flat(hand):
    return [value for point in hand["joints_2d"] for value in (point or ["", ""])]


HEADERS = {
    "x0, y0, …": [f"{axis}{k}" for k in range(21) for axis in "xy"],
    "x_1, y_1, …": [f"{axis}_{k}" for k in range(1, 22) for axis in "xy"],
    "kp0_x": [f"kp{k}_{axis}" for k in range(21) for axis in "xy"],
    "WRIST.x": [f"{name.upper()}.{axis}" for name in JOINT_NAMES for axis in "xy"],
    "Thumb1 X": [f"{name.title()} {axis.upper()}" for name in JOINT_NAMES for axis in "xy"],
    "wrist[x]": [f"{name}[{axis}]" for name in JOINT_NAMES for axis in "xy"],
}


@pytest.mark.parametrize("names", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("image", ["filename", "Image_Path", "file"])
def test_names_of_joints(names, image, own_data, tmp_path):
    hands = own_data.hands[:5]
    rows = [[f"./{hand['image']}", hand["hand"].title(), k, *flat(hand)] for k, hand in enumerate(hands)]
    entries = read_entries(saved([image, "Handedness", "id", *names], rows, tmp_path), images=own_data.images)
    for entry, hand in zip(entries, hands, strict=True):
        assert (entry.image, entry.hand) == (hand["image"], hand["hand"])
        np.testing.assert_allclose(
            entry.joints_2d, np.array([point or [np.nan, np.nan] for point in hand["joints_2d"]])
        )


def test_a_row_may_have_both_hands(own_data, tmp_path):
    hands = own_data.hands[:6]
    header = [
        "image",
        *(f"{side}_{name}_{axis}" for side in ("left", "right") for name in JOINT_NAMES for axis in "xy"),
    ]
    rows = []
    for image in dict.fromkeys(hand["image"] for hand in hands):
        own = {hand["hand"]: hand for hand in hands if hand["image"] == image}
        rows.append(
            [image, *(cell for side in ("left", "right") for cell in (flat(own[side]) if side in own else [""] * 42))]
        )
    entries = read_entries(saved(header, rows, tmp_path), images=own_data.images)
    assert sorted((entry.image, entry.hand) for entry in entries) == sorted((h["image"], h["hand"]) for h in hands)


def test_joints_that_are_marked_as_not_visible_are_not_annotated(own_data, tmp_path):
    hand = next(hand for hand in own_data.hands if None not in hand["joints_2d"])
    header = ["image", "hand", *(f"{name}_{part}" for name in JOINT_NAMES for part in ("x", "y", "v", "z", "score"))]
    cells = [v for k, point in enumerate(hand["joints_2d"]) for v in (*point, int(k != 3), 0.1, 0.9)]
    (entry,) = read_entries(saved(header, [[hand["image"], "L", *cells]], tmp_path), images=own_data.images)
    assert entry.hand == "left"
    assert np.flatnonzero(np.isnan(entry.joints_2d).any(-1)).tolist() == [3]


@pytest.mark.parametrize(
    ("names", "named"),
    [
        ([*HEADERS["kp0_x"][:-2], "nose_x", "nose_y"], "'nose_x'"),
        ([*HEADERS["WRIST.x"][:-2], "PINKY3 X", "PINKY3 Y"], "twice"),
        ([*HEADERS["kp0_x"][:-1], "colour"], "'colour'"),
        ([*HEADERS["x0, y0, …"][:-2], "x77", "y77"], "'x77'"),
        (HEADERS["x0, y0, …"][:-2], r"'x19' \(20 joints are numbered"),
    ],
)
def test_unknown_column_is_named(names, named, own_data, tmp_path):
    hand = own_data.hands[0]
    with pytest.raises(UserError, match=named) as error:
        read_entries(saved(["image", "hand", *names], [[hand["image"], "left", *flat(hand)]], tmp_path))
    assert "\n" not in str(error.value)
