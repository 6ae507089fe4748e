"""Commands whose output cannot be written: impossible places, and a disk that is full."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from trainings import REPOSITORY, SHORT, exit_code, experiment

from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz

#: Commands that write a folder.
FOLDERS = {
    "data synth": "data synth --out={out} --subjects=[1,1,1] --frames=[2,0,0] --processes=1",
    "data import": "data import --images={images} --joints={images}/joints.json --out={out}",
    "evaluate": "evaluate --predictions={predictions} --data={root} --split=val --hands=right --out={out}",
    "predict": "predict {image} --checkpoint={checkpoint} --output={out} --mesh=false",
    "sweep": "sweep --file={repository}/experiments/sweeps/demo_finetune.yaml --local=true --runs={out}",
    "fit": " ".join(
        ["fit", experiment("demo/pretrain"), *SHORT, "--trainer.accelerator=cpu --data.root={root} --runs={out}"]
    ),
}
#: Commands that write a file, and the file's suffix.
FILES = {
    "data gallery": ("data gallery --tile_px=8 --out={out}", ".png"),
    "data samples": ("data samples --root={root} --split=val --count=1 --columns=1 --height_px=32 --out={out}", ".jpg"),
    "data show": ("data show --root={root} --split=val --samples=1 --out={out}", ".png"),
    "data check": ("data check --root={root} --splits=[val] --decode=false --out={out}", ".json"),
    "hand convert": ("hand convert --source={images}/MANO_RIGHT.npz --target={out}", "_RIGHT.npz"),
    "export": ("export --format=pt2 --checkpoint={checkpoint} --out={out}", ".pt2"),
}


def fault(command, variant, outcome, *values):
    mark = pytest.mark.fault(kind="unwritable places", variant=f"{command}: {variant}", outcome=outcome)
    return pytest.param(*values, marks=mark, id=f"{command}-{variant}")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, request):
    """Runs a command with what it needs; returns its exit code and its error output."""
    # Set-ups that take long are made only for the commands that need them.
    slow = {"root": "synthetic_root", "predictions": "saved", "checkpoint": "trained_checkpoint"}
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "a.png"), np.full((64, 64, 3), 90, np.uint8))
    joints = [[10 + 2 * k, 40 - k] for k in range(21)]
    (images / "joints.json").write_text(
        json.dumps([{"image": "a.png", "hand": "right", "joints_2d": joints, "split": "train"}])
    )
    write_npz(open_hand("right"), images / "MANO_RIGHT.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)

    def call(command, out):
        places = {"out": out, "images": images, "image": images / "a.png", "repository": REPOSITORY}
        places |= {name: request.getfixturevalue(made) for name, made in slow.items() if f"{{{name}}}" in command}
        capsys.readouterr()
        return exit_code(word.format(**places) for word in command.split()), capsys.readouterr().err

    return call


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


PLACES = {
    "under a file": "images/a.png/out",
    "in a folder that cannot be made": "/proc/nowhere/out",
    "a name of 300 characters": "n" * 300,
}


@pytest.mark.parametrize(
    ("command", "place"),
    [
        *(
            fault(name, variant, "refused in one sentence that names it", words, place)
            for name, words in FOLDERS.items()
            for variant, place in {**PLACES, "a file in its place": "images/a.png"}.items()
        ),
        *(
            fault(name, variant, "refused in one sentence that names it", words, f"{place}{suffix}")
            for name, (words, suffix) in FILES.items()
            for variant, place in PLACES.items()
        ),
        *(
            fault(name, "a folder in its place", "refused in one sentence that names it", words, f"folder{suffix}")
            for name, (words, suffix) in FILES.items()
            if name != "export"
        ),
    ],
)
def test_places_that_cannot_be(run, tmp_path, command, place):
    if place.startswith("folder"):
        (tmp_path / place).mkdir()
    out = Path(place) if place.startswith("/proc") else tmp_path / place
    code, error = run(command, out)
    assert code == 2, error
    last = error.strip().splitlines()[-1]
    assert last.startswith("gesturehand: ")
    assert str(out.parent if place.startswith("/proc") else out)[:200] in last or str(out.parent) in last
    assert "Traceback" not in error
    hidden = [name for name in listing(tmp_path) if "/." in f"/{name}"]
    assert hidden == []
    assert not os.path.lexists(out) or place.startswith(("images", "folder"))


@pytest.fixture
def disk(tmp_path):
    """A separate file system of 64 kB, mounted where that is allowed, and a function that fills it up to some bytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system may be mounted here")

    def fill(left):
        (place / "filler").write_bytes(bytes(64 * 1024 - left))
        return place

    yield fill
    subprocess.run(["umount", "--lazy", str(place)], check=True)


NOTHING_STAYS = "ends with one sentence that names the file, and leaves nothing behind"


@pytest.mark.parametrize(("command", "suffix", "left"), [
    *(fault(name, "a full disk", NOTHING_STAYS, words, "", 0) for name, words in FOLDERS.items()),
    *(fault(name, "a full disk", NOTHING_STAYS, *words, 0) for name, words in FILES.items() if name != "export"),
    fault("predict", "a disk with room for the JSON alone", "the picture is named", FOLDERS["predict"], "", 8192),
    fault("data import", "a disk with room for the photo alone", "the annotations are named", FOLDERS["data import"],
          "", 8192),
    fault("evaluate", "a disk with room for the report alone", "the chart is named", FOLDERS["evaluate"], "", 16384),
    pytest.param(*FILES["export"], 0, marks=[pytest.mark.slow, *fault("export", "a full disk", NOTHING_STAYS).marks]),
])  # fmt: skip
def test_full_disk(run, disk, command, suffix, left):
    place = disk(left)
    code, error = run(command, place / f"out{suffix}")
    assert code == 2, error
    last = error.strip().splitlines()[-1]
    assert last.startswith(f"gesturehand: '{place}/")
    assert "could not be written" in last
    assert "a.png' could not" not in last
    assert "Traceback" not in error
    stays = [path for path in place.rglob("*") if ".part" in path.name or path.stat().st_size == 0]
    assert [path for path in stays if path.is_file() and path.name not in ("lock", ".running", ".out.lock")] == []


@pytest.mark.fault(
    kind="unwritable places",
    variant="data gallery: a device that is full",
    outcome="ends with one sentence, and the device stays",
)
def test_a_device_that_is_full(run, tmp_path):
    (tmp_path / "sheet.png").symlink_to("/dev/full")
    code, error = run(FILES["data gallery"][0], tmp_path / "sheet.png")
    assert code == 2
    assert "sheet.png' could not be written (No space left on device)" in error
    assert Path("/dev/full").is_char_device()
