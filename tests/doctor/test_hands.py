"""Hand models that are there, broken, or not there."""

import pytest

from gesturehand.doctor.hands import hands
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz


def by_name(mano=None):
    return {row.name: row for row in hands(mano)}


def test_open_hand_alone():
    found = by_name()
    assert "1609 vertices" in found["open hand"].value
    assert found["MANO"].state == "ok"


def test_both_hands_one_and_a_broken_one(tmp_path):
    folder = tmp_path / "mano_v1_2" / "models"
    folder.mkdir(parents=True)
    write_npz(open_hand("right"), folder / "MANO_RIGHT.npz")
    found = by_name(str(tmp_path))
    assert found["MANO right"].value.endswith(f"fingerprint {open_hand('right').fingerprint[:16]}")
    assert "one hand only" in found["MANO"].value
    assert "MANO right" in by_name(str(folder / "MANO_RIGHT.npz"))
    write_npz(open_hand("left"), folder / "MANO_LEFT.npz")
    assert set(by_name(str(tmp_path))) == {"open hand", "MANO right", "MANO left"}
    (folder / "MANO_LEFT.npz").write_bytes(b"broken")
    found = by_name(str(tmp_path))
    assert found["MANO right"].state == "ok"
    assert found["MANO left"].state == "problem"


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_no_files(tmp_path, name):
    assert by_name(str(tmp_path / name))["MANO"].state == "problem"
