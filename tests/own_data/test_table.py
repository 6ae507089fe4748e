"""Tables as spreadsheets write them import the same as the list, or a sentence says what is wrong."""

import codecs
import csv
import io

import numpy as np
import pytest
from refusals import refused

from gesturehand.errors import UserError
from gesturehand.own_data.entries import read_entries
from gesturehand.skeleton import JOINT_NAMES

KIND = "spreadsheets"
COLUMNS = [f"{joint}_{ending}" for joint in JOINT_NAMES for ending in ("x", "y", "x_m", "y_m", "z_m")]
HEAD = ["image", "hand", "gesture", "subject", "fx", "fy", "cx", "cy"]


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
        assert (entry.image, entry.side) == (hand["image"], hand["hand"])
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
    assert sorted((entry.image, entry.side) for entry in entries) == sorted((h["image"], h["hand"]) for h in hands)


def test_joints_that_are_marked_as_not_visible_are_not_annotated(own_data, tmp_path):
    hand = next(hand for hand in own_data.hands if None not in hand["joints_2d"])
    header = ["image", "hand", *(f"{name}_{part}" for name in JOINT_NAMES for part in ("x", "y", "v", "z", "score"))]
    cells = [v for k, point in enumerate(hand["joints_2d"]) for v in (*point, int(k != 3), 0.1, 0.9)]
    (entry,) = read_entries(saved(header, [[hand["image"], "L", *cells]], tmp_path), images=own_data.images)
    assert entry.side == "left"
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
    with refused(match=named):
        read_entries(saved(["image", "hand", *names], [[hand["image"], "left", *flat(hand)]], tmp_path))


def fault(variant, outcome="read, with the same numbers"):
    return pytest.mark.fault(kind=KIND, variant=variant, outcome=outcome)


def rows():
    """Two hands; the first one's thumb tip is not annotated."""
    rng = np.random.default_rng(0)
    table = []
    for number in range(2):
        points = rng.uniform(10, 200, (21, 5)).round(3)
        cells = [str(value) for value in points.ravel()]
        if number == 0:
            cells[4 * 5 : 5 * 5] = [""] * 5
        table.append([f"Küche/é{number}.jpg", "left", "fist", "Zoë", "500.5", "500.5", "128.0", "96.25", *cells])
    return table


def text_of(table, separator=",", comma=False, columns=None):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator)
    writer.writerow(columns or [*HEAD, *COLUMNS])
    for row in table:
        numbers = [cell.replace(".", ",") for cell in row[4:]] if comma else row[4:]
        writer.writerow([*row[:4], *numbers])
    return buffer.getvalue()


def saved_text(tmp_path, raw):
    (tmp_path / "joints.csv").write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return tmp_path / "joints.csv"


WAYS = [
    ("a byte-order mark", lambda: codecs.BOM_UTF8 + text_of(rows()).encode()),
    ("semicolons", lambda: text_of(rows(), ";")),
    ("semicolons and decimal commas", lambda: text_of(rows(), ";", comma=True)),
    ("Windows-1252", lambda: text_of(rows()).encode("cp1252")),
    ("Windows-1252, semicolons, decimal commas", lambda: text_of(rows(), ";", comma=True).encode("cp1252")),
    ("UTF-16 and tabs, Excel's Unicode text", lambda: text_of(rows(), "\t").encode("utf-16")),
    ("sep=; before the header", lambda: "sep=;\r\n" + text_of(rows(), ";")),
    ("decimal commas, quoted, between commas", lambda: text_of(rows(), ",", comma=True)),
    ("empty lines at the end", lambda: text_of(rows()) + "\r\n" + "," * 20 + "\r\n"),
    ("blanks around names and cells", lambda: text_of(rows()).replace(",", " , ")),
    ("line ends of old Macs", lambda: text_of(rows()).replace("\r\n", "\r")),
    ("a column of row numbers without a name", lambda: "\r\n".join(f"{'' if n == 0 else n},{line}" for n,
     line in enumerate(text_of(rows()).strip().split("\r\n")) )),
    ("#N/A's relatives in empty cells", lambda: text_of([[cell or "n/a" for cell in row] for row in rows()])),
]  # fmt: skip


@pytest.mark.parametrize("make", [pytest.param(make, marks=fault(name), id=name) for name, make in WAYS])
def test_table_is_read_however_it_was_saved(make, tmp_path):
    entries = read_entries(saved_text(tmp_path, make()))
    assert len(entries) == 2
    for entry, row in zip(entries, rows(), strict=True):
        assert (entry.image, entry.side, entry.subject) == (row[0], "left", "Zoë")
        assert entry.intrinsics == (500.5, 500.5, 128.0, 96.25)
        numbers = np.array([float(cell or "nan") for cell in row[8:]]).reshape(21, 5)
        np.testing.assert_array_equal(entry.joints_2d, numbers[:, :2])
        np.testing.assert_array_equal(entry.joints_3d, numbers[:, 2:])


def renamed(old, new):
    return [new if name == old else name for name in [*HEAD, *COLUMNS]]


def with_cell(value, place=8):
    table = rows()
    table[1][place] = value
    return table


MISTAKES = [
    ("a misspelt column", lambda: text_of(rows(), columns=renamed("index1_x", "indx1_x")), "'indx1_x'"),
    ("a column twice", lambda: text_of(rows(), columns=renamed("index1_x", "index1_y")), "'index1_y' twice"),
    ("a number that is none", lambda: text_of(with_cell("12px")), "'12px' as wrist_x"),
    ("decimal commas and points", lambda: text_of(with_cell("12,5")), "decimal commas"),
    ("thousands with both", lambda: text_of(with_cell("1.234,5"), ";"), "'1.234,5' as wrist_x"),
    ("a line with more cells than columns", lambda: text_of(rows()).rstrip() + ",1,2\r\n", "cells for"),
    ("x without y", lambda: text_of(with_cell("")), "wrist in joints_2d"),
    ("fx without fy", lambda: text_of(with_cell("", 5)), "intrinsics as 4 numbers"),
    ("infinity", lambda: text_of(with_cell("inf")), "joints_2d"),
    ("an Excel workbook named .csv", lambda: b"PK\x03\x04" + bytes(50), "Excel"),
    ("a header alone", lambda: text_of([]), "no list of hands"),
    ("an empty file", lambda: "", "no list of hands"),
]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        pytest.param(make, named, marks=fault(name, "refused in one sentence"), id=name)
        for name, make, named in MISTAKES
    ],
)
def test_mistake_in_a_table_is_one_sentence(make, named, tmp_path):
    with refused(named, "joints.csv"):
        read_entries(saved_text(tmp_path, make()))


LISTS = [
    ("JSON with a byte-order mark", lambda text: codecs.BOM_UTF8 + text.encode()),
    ("JSON in UTF-16, PowerShell's", lambda text: text.encode("utf-16")),
    ("JSON in Windows-1252", lambda text: text.encode("cp1252")),
]


@pytest.mark.parametrize("encode", [pytest.param(encode, marks=fault(name), id=name) for name, encode in LISTS])
def test_list_is_read_in_any_encoding(encode, tmp_path):
    path = tmp_path / "joints.json"
    points = ", ".join(f"[{20 + n}, {30 + 2 * n}]" for n in range(21))
    path.write_bytes(encode(f'[{{"image": "Küche.jpg", "hand": "left", "joints_2d": [{points}]}}]'))
    (entry,) = read_entries(path)
    assert entry.image == "Küche.jpg"
    assert entry.joints_2d[20].tolist() == [40, 70]


@fault("JSON nested 100,000 deep", "refused in one sentence")
def test_deeply_nested_list_is_refused(tmp_path):
    path = tmp_path / "joints.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(UserError, match="nested too deeply"):
        read_entries(path)
