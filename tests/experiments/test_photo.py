"""The recipe for photographs: its files run on tiny sets, and what it trains becomes weights to hand on."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gesturehand.cli.main import main
from gesturehand.runs import finished_runs

REPOSITORY = Path(__file__).parents[2]
EXPERIMENTS = REPOSITORY / "experiments" / "photo"


@pytest.fixture(scope="module")
def photos(tmp_path_factory, synthetic_root):
    """Pictures of the tiny set as photos with pseudo-labels, imported by the command."""
    source = json.loads(
        (synthetic_root / "annotations" / "val" / "InterHand2.6M_val_data.json").read_text(encoding="utf-8")
    )
    folder = tmp_path_factory.mktemp("photos")
    hands = []
    for image, annotation in zip(source["images"], source["annotations"], strict=True):
        x, y, width, height = annotation["bbox"]
        # Fingers side by side, from the wrist up: a hand to the checks, wherever the picture shows one.
        fingers = [
            [x + width * (0.1 + 0.2 * finger), y + height * (0.75 - 0.2 * part)]
            for finger in range(5)
            for part in range(4)
        ]
        hands.append(
            {
                "image": image["file_name"], "hand": annotation["hand_type"], "presence": 0.9, "split": "train",
                "joints_2d": [[x + width / 2, y + height], *fingers], "gesture": "fist", "label": "A",
            }
        )  # fmt: skip
    (folder / "labels.json").write_text(json.dumps(hands))
    images = synthetic_root / "images" / "val"
    words = [f"--images={images}", f"--joints={folder / 'labels.json'}", f"--out={folder / 'set'}"]
    assert main(["data", "import", *words]) == 0
    return folder / "set"


def words(name, root, photos, share):
    return [
        "fit",
        f"--config={EXPERIMENTS / name}.yaml",
        f"--data.root={root}",
        f"--data.sets=[{{root: {photos}, share: {share}, hands: all}}]",
        "--data.batch_size=4",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--trainer.max_epochs=1",
        "--trainer.limit_train_batches=2",
        "--trainer.limit_val_batches=1",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--pictures_every_n_epochs=0",
        "--wandb=false",
    ]


def test_two_steps_become_weights_to_hand_on(synthetic_root, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words("finetune", synthetic_root, photos, 0.5)) == 0
    ((folder, about),) = finished_runs("runs")
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    assert len(rows) == 2
    for term in ("pose", "joint_3d", "joint_2d", "gesture_fine"):
        assert all(float(row[f"train/loss_{term}"]) > 0 for row in rows)

    best = folder / about["checkpoint"]
    averaged = torch.load(best, weights_only=True)["state_dict"]
    out = tmp_path / "weights"
    script = [sys.executable, str(REPOSITORY / "scripts" / "build_openphoto.py")]
    subprocess.run([*script, str(best), "--data=tiny sets", f"--out={out}"], check=True, capture_output=True)
    assert json.loads((out / "openphoto.json").read_text(encoding="utf-8"))["data"] == "tiny sets"
    written = load_file(out / "openphoto.safetensors")
    name = "network.encoder.merge.0.weight"
    torch.testing.assert_close(written[name].float(), averaged[name], rtol=1e-3, atol=1e-6)


def test_two_steps_of_the_first_stage(synthetic_root, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words("pretrain", synthetic_root, photos, 0.25)) == 0
    assert list(Path("runs/photo/pretrain").glob("*/finished.json"))


def test_files_as_they_are_can_be_read(capsys):
    for name in ("finetune", "pretrain"):
        with pytest.raises(SystemExit) as left:
            main(["fit", f"--config={EXPERIMENTS / name}.yaml", "--print_config"])
        assert left.value.code == 0
        assert "class_path: gesturehand.callbacks.WeightAverage" in capsys.readouterr().out
