"""The script for the errors by skin tone: its table of planted errors, and its pictures against the set's files."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from gesturehand.data.image_file import read_image
from gesturehand.data.index import read_index
from gesturehand.evaluation.skin_tone import errors_by_tone
from gesturehand.synthetic.photo.people import person
from gesturehand.synthetic.photo.plan import PhotoSettings
from gesturehand.synthetic.photo.writer import write_photo_set


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    return importlib.import_module("skin_tone_errors")


def test_table_has_a_row_for_each_group_that_any_of_the_three_has(script):
    rendered = errors_by_tone([60, 60, -40], {"error_2d": [0.01, 0.03, 0.05], "pa_mpjpe_mm": [5, 7, 9]}, [1, 2, 3])
    many = errors_by_tone([60, float("nan")], {"error_2d": [0.02, 0.5]}, [1, 2])
    few = errors_by_tone([20], {"error_2d": [0.1]}, [1])
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in script.table_of(rendered, many, few).split("\n")
    ]
    assert rows[2:-1] == [
        ["very light, > 55°", "2, 2", "6.0 [5.0, 7.0]", "2.0 % [1.0, 3.0]", "1, 1", "2.0 %", "–", "–"],
        ["tan, > 10°", "–", "–", "–", "–", "–", "1", "10.0 %"],
        ["dark, ≤ -30°", "1, 1", "9.0", "5.0 %", "–", "–", "–", "–"],
        ["not known", "–", "–", "–", "1, 1", "50.0 %", "–", "–"],
    ]


def test_hands_are_those_of_the_set_s_files(script, tmp_path):
    settings = PhotoSettings(subjects=(0, 0, 2), frames=(0, 0, 4), image_px=96, two_hand_share=0.5, seed=3)
    write_photo_set(tmp_path / "set", settings, processes=1, progress=False)
    index = read_index(tmp_path / "set", "test")
    hands = list(script.rendered_hands(settings))
    seen = index.joint_valid_image[np.arange(len(index))].sum(-1)
    shown = [(row, side) for row in range(len(index)) for side in range(2) if seen[row, side] >= 11]
    assert len(hands) == len(shown) > len(index)
    for hand, (row, side) in zip(hands, shown, strict=True):
        assert np.array_equal(hand.image, read_image(index.image_file(row)))
        assert hand.box.side == ("right", "left")[side]
        assert np.allclose(hand.joints_3d, index.joints_world[index.frame[row], side], atol=1e-5)
        if not isinstance(hand.person, tuple):
            skin = np.clip(person(3, int(hand.person)).subject.skin_bgr[::-1], 0, 255)
            assert hand.angle == script.typology_angle(skin)


def test_the_extremes_are_named_and_whether_all_intervals_share_a_value(script):
    rows = [
        {"group": name, "error": mean}
        for name, *mean in (
            ("a", 2.0, 1.0, 3.0),
            ("b", 1.0, 0.5, 2.5),
            ("c", 4.0, 2.6, 5.0),
            ("d", 3.0, np.nan, np.nan),
        )
    ]
    unknown = {"group": None, "error": [9.0, 8.0, 10.0]}
    said = script.spread_of("Means", [*rows, unknown], "error", 10, " mm")
    assert said == "Means range from 10.0 mm (b) to 40.0 mm (c), and not all groups' intervals overlap."
    rows[2]["error"][1] = 2.4
    assert script.spread_of("Means", rows, "error", 1, "").endswith("(c), and the intervals of all groups overlap.")
