"""The recipe for photographs: its files run on tiny sets, and the trained network becomes weights to hand on."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from trainings import exit_code

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
        # Fingers side by side, from the wrist up: the checks take it for a hand, wherever the picture shows one.
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
    subprocess.run([*script, str(folder), "--data=tiny sets", f"--out={out}"], check=True, capture_output=True)
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
        assert exit_code(["fit", f"--config={EXPERIMENTS / name}.yaml", "--print_config"]) == 0
        assert "class_path: gesturehand.callbacks.WeightAverage" in capsys.readouterr().out


MAKE_PHOTO = [
    "make",
    "photo",
    'PHOTO_SET_ARGS=--subjects "[2,1,1]" --frames "[12,4,4]" --processes 1',
    "ARGS=--trainer.limit_train_batches=2 --trainer.max_epochs=2 --trainer.limit_val_batches=1 --data.batch_size=4 "
    "--data.num_workers=0 --trainer.accelerator=cpu --wandb=false --pictures_every_n_epochs=0",
]


@pytest.fixture
def checkout(tmp_path):
    """A folder with the recipe's files, an environment that runs this code, and photos of two lists."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in ("experiments", "scripts"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    code = "import sys; from gesturehand.cli.main import main; sys.exit(main())"
    for name, words in (("python", ""), ("gesturehand", f"-c '{code}' ")):
        (binaries / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
        (binaries / name).chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    rng = np.random.default_rng(0)
    fingers = [[20 + 12 * finger, 70 - 15 * part] for finger in range(5) for part in range(4)]
    for folder, splits in ((tmp_path / "mine", ("train", "val")), (tmp_path / "mine" / "more", ("train", "train"))):
        (folder / "signs").mkdir(parents=True)
        hands = []
        for number in range(8):
            Image.fromarray(rng.integers(0, 255, (96, 96, 3), np.uint8)).save(folder / "signs" / f"{number}.png")
            label = {"label": "AB"[number % 2], "split": splits[number % 2], "presence": 0.9}
            joints = [[44, 90], *fingers]
            hands.append({"image": f"signs/{number}.png", "hand": "right", "joints_2d": joints, **label})
        (folder / "labels.json").write_text(json.dumps(hands))
    return tmp_path


def make_photo(checkout, until=None, stop=None):
    """The output of ``make photo``; with ``until``, it is stopped by a signal as soon as it prints that."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    alone |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY / "src"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*MAKE_PHOTO, f"PHOTOS={checkout / 'mine'}"],
        cwd=checkout,
        env=alone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A shell's background job ignores Ctrl-C, and the processes that it starts inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    said = b""
    while part := process.stdout.read1():
        said += part
        if until is not None and re.search(until, said):
            os.killpg(process.pid, stop)
            until = None
    return process.wait(), said.decode()


@pytest.mark.slow
def test_make_photo_continues_after_every_interrupt_and_ends_in_weights(checkout):
    stops = [
        (b"synthetic set: +[1-9]", signal.SIGINT),
        (b"folders_are_sets=true", signal.SIGKILL),
        (b"label_map.json", signal.SIGKILL),
        (b"Epoch 0: 100%[^\r\n]*val/mpjpe", signal.SIGKILL),
        (b"pack runs", signal.SIGKILL),
        (b"joint_offsets", signal.SIGKILL),
    ]
    for until, stop in stops:
        code, said = make_photo(checkout, until, stop)
        assert code != 0, said
        assert not (checkout / "runs" / "photo" / "weights" / "openphoto.safetensors").exists()
    code, said = make_photo(checkout)
    assert code == 0, said
    # Only one training, which continued where it was killed.
    (run,) = (checkout / "runs" / "photo" / "finetune").glob("2*")
    assert (run / "finished.json").is_file()
    weights = checkout / "runs" / "photo" / "weights" / "openphoto.safetensors"
    image = next((checkout / "mine" / "signs").glob("*.png"))
    words = [str(image), f"--checkpoint={weights}", f"--output={checkout / 'out'}", "--box=whole", "--hand=right"]
    assert main(["predict", *words, "--device=cpu"]) == 0
    (hand,) = json.loads((checkout / "out" / f"{image.stem}.json").read_text())["hands"]
    assert np.isfinite(hand["joints"]).all()
    code, said = make_photo(checkout)
    assert code == 0
    assert "Nothing to be done" in said
