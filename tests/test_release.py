"""One version everywhere, and the demo's way through an interruption."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

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


#: Stands for `gesturehand`: notes its words, makes the data set, and fails at the word in the file "fail".
STAND_IN = """#!/bin/sh
echo "$@" >> calls
case "$*" in *"$(cat fail)"*) exit 1;; esac
case "$1" in data) mkdir -p data/openhand;; esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_the_demo_goes_on_after_an_interruption(tmp_path):
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
    # A whole demo, or one with other ARGS, begins at the beginning.
    assert "demo/pretrain" in demo("finetune")[1]
    assert "demo/pretrain" in demo("no word", "ARGS=--trainer.max_epochs=1")[1]
