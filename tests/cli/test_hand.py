"""``gesturehand hand``: its output, and conversion of a pickle."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from gesturehand.cli.hand import convert, info
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import ManoData, mano_dictionary, read_mano, write_npz


@pytest.fixture
def official(tmp_path: Path) -> tuple[Path, ManoData]:
    hand = open_hand("right")
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(mano_dictionary(hand), protocol=2))
    return path, hand


def test_info_on_the_open_hand(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    info()
    printed = capsys.readouterr().out
    for text in ("open hand", "right", "left", "1609", "3196", "96.0 6.0 6.0", "-96.0 6.0 6.0", "CC0"):
        assert text in printed
    for side in ("right", "left"):
        assert open_hand(side).fingerprint[:16] in printed
    bone = open_hand("right").joints[[1, 2]]
    assert f"{1e3 * np.linalg.norm(bone[1] - bone[0]):.1f}" in next(r for r in printed.splitlines() if "index" in r)


def test_info_on_a_file_names_manos_licence(capsys, monkeypatch, official):
    monkeypatch.setenv("COLUMNS", "400")
    info(str(official[0]))
    printed = capsys.readouterr().out
    assert str(official[0]) in printed
    assert "non-commercial" in printed
    assert "CC0" not in printed


def test_convert(official, tmp_path, capsys):
    source, hand = official
    target = tmp_path / "mano_right.npz"
    convert(str(source), str(target))
    assert read_mano(target).fingerprint == hand.fingerprint
    assert hand.fingerprint[:16] in capsys.readouterr().out.replace("\n", "")


def test_convert_does_not_overwrite_unless_told(official, tmp_path):
    source, hand = official
    target = tmp_path / "mano_right.npz"
    target.write_bytes(b"old")
    with pytest.raises(UserError, match="--overwrite"):
        convert(str(source), str(target))
    assert target.read_bytes() == b"old"
    convert(str(source), str(target), overwrite=True)
    assert read_mano(target).fingerprint == hand.fingerprint


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mano_right.pkl", r"does not end in \.npz"),
        ("nowhere/mano_right.npz", "not a folder"),
        ("mano_left.npz", "to hold a right hand"),
        ("hand.npz", "RIGHT or LEFT"),
    ],
)
def test_convert_to_a_wrong_name(official, tmp_path, target, message):
    with pytest.raises(UserError, match=message):
        convert(str(official[0]), str(tmp_path / target))
    assert [path.name for path in tmp_path.iterdir()] == ["MANO_RIGHT.pkl"]


def test_convert_with_the_side_given(tmp_path):
    source = tmp_path / "hand.npz"
    write_npz(open_hand("left"), source)
    convert(str(source), str(tmp_path / "MANO_LEFT.npz"), side="left")
    assert read_mano(tmp_path / "MANO_LEFT.npz").side == "left"
