"""One version everywhere, the demo with an interruption, and the wheel."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from trainings import SHORT

REPOSITORY = Path(__file__).parents[1]


def test_the_version_is_the_same_everywhere():
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    version = setup["metadata"]["version"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[({re.escape(version)}|Unreleased)\]", changes, re.MULTILINE)


@pytest.mark.parametrize("name", ["site", "release"])
def test_workflows_use_targets_that_exist(name):
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    targets = [target for run in steps for target in re.findall(r"make ([\w-]+)", run)]
    assert targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


#: Stands in for `gesturehand`: notes its arguments, makes the dataset, and fails at the word in the file "fail".
STAND_IN = """#!/bin/sh
echo "$@" >> calls
case "$*" in *"$(cat fail)"*) exit 1;; esac
case "$1" in data) mkdir -p data/openhand;; esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_the_demo_continues_after_an_interruption(tmp_path):
    program = tmp_path / ".venv" / "bin" / "gesturehand"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN)
    program.chmod(0o755)
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def demo(fail, *words):
        (tmp_path / "fail").write_text(fail)
        (tmp_path / "calls").unlink(missing_ok=True)
        command = ["make", "-o", ".venv/.ready", "demo", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        calls = (tmp_path / "calls").read_text().splitlines()
        return done, [line.replace("experiments/", "").split(".yaml")[0].rpartition(" ")[2] for line in calls]

    done, calls = demo("finetune")
    assert done.returncode != 0
    assert [call for call in calls if "/" in call][-2:] == ["demo/pretrain", "demo/finetune"]
    done, calls = demo("no word")
    assert done.returncode == 0, done.stderr
    assert "demo/pretrain" not in calls
    assert "demo/finetune" in calls
    assert len(calls) == 3  # finetune, test, summary
    assert re.search(r"^== stage 2 of 2, token fusion: \d+ s$", done.stdout, re.MULTILINE)
    assert "What to do next" in done.stdout
    # After a complete demo, or with other ARGS, it begins at the beginning.
    assert "demo/pretrain" in demo("finetune")[1]
    assert "demo/pretrain" in demo("no word", "ARGS=--trainer.max_epochs=1")[1]


# The wheel contains its package data and works without the repository.


CHECK = """
from pathlib import Path
import numpy as np
import gesturehand
from gesturehand.cli.main import main
from gesturehand.gestures import vocabulary
from gesturehand.detection import HandDetector
from gesturehand.hand.load import open_hand
from gesturehand.synthetic.articulation import gesture_poses

assert Path(gesturehand.__file__).is_relative_to(Path.cwd()), gesturehand.__file__
assert open_hand("left").num_vertices == open_hand("right").num_vertices > 778
assert len(gesture_poses()) == len(vocabulary().fine) == 35
assert HandDetector()(np.zeros((64, 64, 3), np.uint8)) == []
raise SystemExit(main(["hand", "info"]))
"""


@pytest.mark.slow
def test_wheel_installed_elsewhere_has_its_data(tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    ignored = shutil.ignore_patterns(".*", "runs", "data", "build", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY, source, ignore=ignored, dirs_exist_ok=True)
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info"), dirs_exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path / "wheels", source], check=True)
    (wheel,) = (tmp_path / "wheels").glob("gesturehand-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    result = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "open hand" in result.stdout


TINY = [*SHORT, "--data.num_workers=1"]
SMALL_SET = ["--subjects=[2,1,1]", "--frames=[16,8,8]", "--views=1", "--processes=1"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the commands of a virtual environment are elsewhere there")
def test_the_demo_runs_from_a_wheel_in_a_new_environment_and_an_empty_folder(tmp_path):
    """The wheel is built from the source archive; all other packages are those of this environment."""
    source, folder, venv = tmp_path / "source", tmp_path / "empty", tmp_path / "venv"
    ignored = shutil.ignore_patterns(".*", "runs", "data", "build", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY, source, ignore=ignored)
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info"), dirs_exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GESTUREHAND"))}
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "dist", source]
    subprocess.run(words, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    shutil.rmtree(source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", venv / "bin" / "python"]
    subprocess.run([*pip, "install", "--no-deps", wheel], check=True, env=environment)
    (site,) = venv.glob("lib/python*/site-packages")
    # No .pth is read from a folder that is added this way: an editable installation of this package stays unseen.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    folder.mkdir()

    def run(*command: str) -> str:
        done = subprocess.run(
            [venv / "bin" / "gesturehand", *command], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    where = [venv / "bin" / "python", "-c", "import gesturehand; print(gesturehand.__file__)"]
    found = subprocess.run(where, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(site)

    run("data", "synth", "--config", "sets/demo", "--out", "data/openhand", *SMALL_SET)
    run("fit", "--config", "demo/pretrain", *TINY)
    run("init", ".")
    assert (folder / "experiments" / "demo" / "finetune.yaml").is_file()
    run("fit", "--config", "demo/finetune", *TINY)
    run("test", "--run", "latest", "--test_pictures=2")
    run("run", "summary", "--run", "latest", "--out", "runs/demo")
    assert json.loads((folder / "runs" / "demo" / "summary.json").read_text())["model"]["mpjpe_mm"] > 0
    runs = json.loads(run("run", "list", "--json"))
    assert [(entry["stage"], entry["state"]) for entry in runs] == [(2, "finished"), (1, "finished")]
    image = str(next((folder / "data" / "openhand" / "images" / "test").rglob("*.jpg")))
    run("predict", image, "--checkpoint", "latest", "--output", "out", "--box", "whole", "--hand", "right")
    assert list((folder / "out").glob("*.obj"))
    run("export", "--checkpoint", "latest", "--format", "pt2", "--out", "model.pt2", "--data", "data/openhand")
    assert (folder / "model.pt2").is_file()
