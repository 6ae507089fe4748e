"""``gesturehand evaluate`` on joints that are the truth but for a shift."""

import json

import pytest

from gesturehand.cli.main import main


def words(saved, root, *more):
    return ["evaluate", f"--predictions={saved}", f"--data={root}", "--split=val", *more]


def test_report_lies_beside_the_file(saved, synthetic_root, capsys):
    assert main(words(saved, synthetic_root, "--hands=right")) == 0
    folder = saved.parent / "theirs-evaluation"
    report = json.loads((folder / "report.json").read_text())
    assert report["metrics"]["mpjpe_mm"] == pytest.approx(10, abs=1e-3)
    assert report["metrics"]["mpvpe_mm"] is None
    assert report["predictions"]["path"] == str(saved)
    assert report["data"]["filters"]["hands"] == "right"
    assert report["data"]["hands_by_side"]["left"] == 0
    for name in ("report.md", "per_joint.png", "per_gesture.png", "pck.png"):
        assert (folder / name).stat().st_size > 1000
    assert "MPJPE, root" in capsys.readouterr().out


def test_out_names_the_folder(saved, synthetic_root, tmp_path):
    assert main(words(saved, synthetic_root, "--hands=right", f"--out={tmp_path / 'there'}")) == 0
    assert (tmp_path / "there" / "report.json").is_file()


def test_hands_that_were_not_predicted_are_one_sentence(saved, synthetic_root, capsys):
    assert main(words(saved, synthetic_root)) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("gesturehand: The predictions file")
    assert "lacks" in message
    assert len(message.splitlines()) == 1
