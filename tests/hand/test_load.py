"""Which hand is loaded from what a user gives."""

from dataclasses import replace

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
