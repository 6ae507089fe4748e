"""``gesturehand evaluate`` on true joints that are shifted."""

import json

import numpy as np
import pytest
from faults import fault, faults

from gesturehand.cli.main import main
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets


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


def test_hands_that_were_not_predicted_are_one_sentence(saved, synthetic_root, refusal):
    message = refusal(*words(saved, synthetic_root))
    assert message.startswith("gesturehand: The predictions file")
    assert "lacks" in message


def evaluated(change, synthetic_root, tmp_path, capsys, key="joints"):
    """Scores the truth of all single hands after a change; returns exit code, output, and report if there is one."""
    data = InterHandDataModule(
        str(synthetic_root), image_size=8, num_workers=0, test_split="val", mirror_left=False, read_images=False
    )
    truth = [(batch["annotation_id"], build_targets(batch, HandModel())) for batch in data.test_dataloader()]
    arrays = {"ids": np.concatenate([ids.numpy() for ids, _ in truth])}
    for name in {"joints", key}:
        arrays[name] = np.concatenate([targets[name].numpy() for _, targets in truth])
    arrays["joints"] = arrays["joints"] - arrays["joints"][:, :, :1]
    arrays[key] = np.ascontiguousarray(change(arrays[key]), np.float32)
    np.savez(tmp_path / "theirs.npz", **arrays)
    code = main(words(tmp_path / "theirs.npz", synthetic_root))
    path = tmp_path / "theirs-evaluation" / "report.json"
    return code, capsys.readouterr(), json.loads(path.read_text()) if path.exists() else None


CONVENTIONS = "other conventions in a predictions file"
UNITS = [("millimetres", 1000.0), ("centimetres", 100.0), ("inches", 39.37), ("kilometres", 0.001)]


@pytest.mark.parametrize("key", ["joints", "vertices"])
@pytest.mark.parametrize("factor", faults(CONVENTIONS, "refused in one sentence that names the hands' length", UNITS))
def test_another_unit_is_one_sentence(factor, key, synthetic_root, tmp_path, capsys):
    code, output, report = evaluated(lambda array: array * factor, synthetic_root, tmp_path, capsys, key)
    assert code == 2
    assert f"'{key}' of" in output.err
    assert "long" in output.err
    assert output.err.count("\n") == 1
    assert report is None


@fault(
    CONVENTIONS, "hands turned by 90° about the camera's axis", "scored, with a sentence saying that PA-MPJPE is small"
)
def test_right_shape_in_a_wrong_frame_is_reported(synthetic_root, tmp_path, capsys):
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    code, output, report = evaluated(lambda joints: joints @ quarter, synthetic_root, tmp_path, capsys)
    assert code == 0
    assert report["metrics"]["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert "PA-MPJPE only 0 mm" in report["remark"]
    assert report["remark"] in output.err
    assert report["remark"] in (tmp_path / "theirs-evaluation" / "report.md").read_text()
