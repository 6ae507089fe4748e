"""The SLURM scripts: they are valid shell, and the command line accepts what they run."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from trainings import exit_code

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = sorted((REPOSITORY / "experiments" / "slurm").glob("*.sbatch"))


def rendered(script: Path, folder: Path, **variables: str) -> list[str]:
    """The words after ``srun``'s own options, found by running the script with an ``srun`` that prints them."""
    binaries = folder / "bin"
    binaries.mkdir()
    (binaries / "activate").write_text("")
    (binaries / "srun").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (binaries / "srun").chmod(stat.S_IRWXU)
    environment = {"PATH": f"{binaries}:{os.environ['PATH']}", "VENV": str(folder), **variables}
    done = subprocess.run(
        ["bash", str(script), "--trainer.max_epochs=3"], env=environment, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    while words[0].startswith("--"):
        words.pop(0)
    return words


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_is_valid_shell(script):
    subprocess.run(["bash", "-n", str(script)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(script)], check=True)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_training_command_parses(stage, tmp_path, monkeypatch, capsys):
    script = REPOSITORY / "experiments" / "slurm" / f"{stage}.sbatch"
    words = rendered(
        script, tmp_path, DATA="/data", SLURM_JOB_ID="7", SLURM_JOB_NUM_NODES="2", SLURM_NTASKS_PER_NODE="4"
    )
    assert words[:2] == ["gesturehand", "fit"]
    monkeypatch.chdir(REPOSITORY)
    assert exit_code([*words[1:], "--print_config"]) == 0
    printed = capsys.readouterr().out
    for line in ("num_nodes: 2", "devices: '4'", "root: /data", "max_epochs: 3", f"name: slurm/{stage}-7"):
        assert line in printed
    # Lightning expects one process per GPU from SLURM: a machine has as many tasks as GPUs.
    text = script.read_text()
    assert "--ntasks-per-node=4" in text
    assert "--gpus-per-node=4" in text


def test_missing_data_folder_is_reported(tmp_path):
    script = REPOSITORY / "experiments" / "slurm" / "pretrain.sbatch"
    with pytest.raises(subprocess.CalledProcessError) as error:
        rendered(script, tmp_path, SLURM_JOB_ID="7")
    assert "DATA" in error.value.stderr


def test_agents_take_the_sweep(tmp_path):
    script = REPOSITORY / "experiments" / "slurm" / "sweep_agents.sbatch"
    assert rendered(script, tmp_path, SWEEP="me/hands/abc", COUNT="5") == [
        "wandb",
        "agent",
        "--count",
        "5",
        "me/hands/abc",
    ]
