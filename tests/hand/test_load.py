"""Which hand is loaded from what a user gives."""

from dataclasses import replace

import numpy as np
import pytest

from gesturehand.errors import UserError
from gesturehand.hand.load import load_hand
from gesturehand.hand.mano_file import write_npz
from gesturehand.hand.mirror import mirror
from gesturehand.hand.open_hand import open_hand
from gesturehand.skeleton import SIDES


@pytest.mark.parametrize("side", SIDES)
def test_nothing_is_the_open_hand(side):
    assert load_hand(None, side).fingerprint == open_hand(side).fingerprint


def test_both_files_with_the_official_error_in_the_left_one(small_hand, write_official, tmp_path):
    left = mirror(small_hand)
    write_official(small_hand, tmp_path / "MANO_RIGHT.pkl")
    write_official(replace(left, shapedirs=small_hand.shapedirs), tmp_path / "MANO_LEFT.pkl")
    assert load_hand(str(tmp_path), "right").fingerprint == small_hand.fingerprint
    assert load_hand(tmp_path, "left").fingerprint == left.fingerprint


@pytest.mark.parametrize("present", SIDES)
@pytest.mark.parametrize("as_folder", [True, False])
def test_one_file_serves_both_sides(small_hand, tmp_path, present, as_folder):
    hands = {"right": small_hand, "left": mirror(small_hand)}
    path = tmp_path / f"MANO_{present.upper()}.npz"
    write_npz(hands[present], path)
    for side in SIDES:
        loaded = load_hand(tmp_path if as_folder else path, side)
        assert loaded.side == side
        assert loaded.fingerprint == hands[side].fingerprint
        assert loaded.source == str(path) + ("" if side == present else ", mirrored")


def test_empty_folder_and_missing_file(tmp_path):
    with pytest.raises(UserError, match="neither MANO_RIGHT nor MANO_LEFT"):
        load_hand(tmp_path, "right")
    with pytest.raises(UserError, match="does not exist"):
        load_hand(tmp_path / "MANO_RIGHT.pkl", "right")


def official_left(right):
    """The left hand as the official file has it: the shape directions of the right one."""
    return replace(mirror(right), shapedirs=right.shapedirs)


def grown(hand, beta):
    """Vertices with one value for the first beta."""
    return hand.v_template + beta * hand.shapedirs[:, :, 0]


LEFT_ALONE = pytest.mark.parametrize(
    ("file", "given", "beside"),
    [
        pytest.param(
            file, given, beside, marks=pytest.mark.fault(kind="official left hand", variant=variant, outcome=out)
        )
        for file, given, beside, variant, out in (
            ("MANO_LEFT.pkl", "MANO_LEFT.pkl", None, "the file MANO_LEFT.pkl alone", "sign repaired"),
            ("MANO_LEFT.npz", "MANO_LEFT.npz", None, "the file MANO_LEFT.npz alone", "sign repaired"),
            ("MANO_LEFT.pkl", "", None, "a folder with the left file only", "sign repaired"),
            ("mano_left.pkl", "", None, "a folder with the left file only, lower case", "sign repaired"),
            (
                "MANO_LEFT.pkl",
                "MANO_LEFT.pkl",
                "MANO_RIGHT.pkl",
                "MANO_LEFT.pkl given, the right beside it",
                "sign repaired",
            ),
            (
                "MANO_LEFT.pkl",
                "MANO_LEFT.pkl",
                "MANO_RIGHT.npz",
                "MANO_LEFT.pkl given, the right as .npz",
                "sign repaired",
            ),
        )
    ],
)


@LEFT_ALONE
@pytest.mark.parametrize("already_repaired", [False, True])
def test_left_hand_without_the_right_one(write_official, tmp_path, file, given, beside, already_repaired):
    """At beta = 1 the hand is the mirrored right one, on its own side and mirrored; the error would be 10.6 mm."""
    right = open_hand("right")
    left = mirror(right) if already_repaired else official_left(right)
    for name, hand in ((file, left), (beside, right)):
        if name is not None:
            (write_official if name.endswith("pkl") else write_npz)(hand, tmp_path / name)
    for side, sign in (("left", [-1, 1, 1]), ("right", [1, 1, 1])):
        loaded = load_hand(tmp_path / given, side)
        np.testing.assert_allclose(grown(loaded, 1.0), grown(right, 1.0) * sign, atol=1e-12)
    assert already_repaired or np.abs(grown(left, 1.0) - grown(mirror(right), 1.0)).max() > 0.01


@pytest.mark.fault(kind="official left hand", variant="a model that is no hand, left file only", outcome="a warning")
def test_a_left_hand_whose_sign_is_not_clear_is_named(small_hand, tmp_path):
    hand = replace(mirror(small_hand), shapedirs=np.abs(small_hand.shapedirs))
    write_npz(hand, tmp_path / "MANO_LEFT.npz")
    with pytest.warns(UserWarning, match="MANO_LEFT.npz has the official left hand's error"):
        assert load_hand(tmp_path, "left").fingerprint == hand.fingerprint


@pytest.mark.fault(kind="official left hand", variant="a model without shape directions", outcome="loaded as it is")
def test_a_left_hand_without_shape_directions(small_hand, tmp_path):
    hand = replace(mirror(small_hand), shapedirs=np.zeros_like(small_hand.shapedirs))
    write_npz(hand, tmp_path / "MANO_LEFT.npz")
    assert load_hand(tmp_path, "left").fingerprint == hand.fingerprint


@pytest.mark.parametrize(
    ("right", "left"),
    [
        pytest.param(
            right, left, marks=pytest.mark.fault(kind="folders of hand models", variant=variant, outcome="found")
        )
        for right, left, variant in (
            ("mano_v1_2/models/MANO_RIGHT.pkl", "mano_v1_2/models/MANO_LEFT.pkl", "mano_v1_2/models"),
            ("body_models/mano/MANO_RIGHT.pkl", "body_models/mano/MANO_LEFT.pkl", "body_models/mano"),
            ("models/MANO_RIGHT.pkl", "models/MANO_LEFT.pkl", "the folder mano_v1_2 itself"),
            ("mano_right.pkl", "mano_left.pkl", "lower-case names"),
            ("Mano_Right.PKL", "Mano_Left.PKL", "a suffix in capitals"),
            ("a/b/mano/MANO_RIGHT.pkl", "a/b/mano/MANO_LEFT.pkl", "three folders down"),
            ("right/MANO_RIGHT.pkl", "left/MANO_LEFT.pkl", "a folder for each hand"),
        )
    ],
)
def test_folders_as_people_have_them(write_official, tmp_path, right, left):
    hand = open_hand("right")
    for name, content in ((right, hand), (left, official_left(hand))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_official(content, tmp_path / name)
    for side in SIDES:
        assert load_hand(tmp_path, side).fingerprint == open_hand(side).fingerprint


@pytest.mark.fault(kind="folders of hand models", variant="two copies of MANO", outcome="one sentence that names both")
def test_two_copies_are_not_chosen_between(small_hand, tmp_path):
    for folder in ("mano_v1_2", "old"):
        (tmp_path / folder).mkdir()
        write_npz(small_hand, tmp_path / folder / "MANO_RIGHT.npz")
    with pytest.raises(
        UserError, match=r"more than one MANO_RIGHT: .*mano_v1_2/MANO_RIGHT.npz and .*old/MANO_RIGHT.npz"
    ):
        load_hand(tmp_path, "right")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(
            given,
            marks=pytest.mark.fault(
                kind="folders of hand models", variant=variant, outcome="the sentence points to it"
            ),
        )
        for given, variant in (
            ("MANO_RIGHT.pkl", "a file that lies a folder deeper"),
            ("models/mano_right.pkl", "another spelling in a folder that is not there"),
            ("mano_v1_2/MANO_RIGHT.pkl", "the file without models/"),
        )
    ],
)
def test_the_sentence_points_to_the_file_that_is_there(small_hand, tmp_path, given):
    path = tmp_path / "mano_v1_2" / "models" / "MANO_RIGHT.npz"
    path.parent.mkdir(parents=True)
    write_npz(small_hand, path)
    with pytest.raises(UserError, match=f"{given} does not exist; there is {path}"):
        load_hand(tmp_path / given, "right")
