"""Predictions to score, and the command line in a separate process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from trainings import exit_code

import gesturehand
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets


@pytest.fixture
def saved(tmp_path, synthetic_root):
    """A file with the right hands of the validation split, in which each joint but the wrist is 10.5 mm off."""
    data = InterHandDataModule(
        str(synthetic_root), image_size=8, num_workers=0, hands="right", test_split="val", read_images=False
    )
    (batch,) = data.test_dataloader()
    joints = build_targets(batch, HandModel())["joints"].numpy()
    joints[:, :, 1:, 1] += 0.0105
    np.savez(tmp_path / "theirs.npz", ids=batch["annotation_id"].numpy(), joints=joints)
    return tmp_path / "theirs.npz"


@pytest.fixture
def refusal(capsys):
    """Runs a command that must be refused; returns the one sentence that it prints, trainings after other lines."""

    def run(*words):
        assert exit_code(words) == 2
        error = capsys.readouterr().err
        assert "Traceback" not in error
        *before, sentence = error.strip().splitlines()
        assert words[0] == "fit" or before == []
        assert sentence.startswith("gesturehand: ")
        return sentence

    return run


# The command line in a separate process, its answer, and whether it imported PyTorch for that.


REPOSITORY = Path(__file__).parents[2]
_PROGRAM = """
import contextlib, io, json, sys

from gesturehand.cli.main import main

answers = []
for words in json.loads(sys.stdin.read()):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code
        except BaseException as error:
            code, _ = 1, err.write(f"{type(error).__name__}: {error}")
    heavy = sorted({"torch", "pytorch_lightning", "timm", "wandb", "matplotlib"} & sys.modules.keys())
    if heavy:
        code = f"imported {heavy}"
    answers.append((code, out.getvalue(), err.getvalue()))
sys.__stdout__.write(json.dumps(answers))
"""

Answer = tuple[int | str, str, str]


@pytest.fixture(scope="session")
def answers() -> Callable[[list[list[str]], Path], list[Answer]]:
    """Exit code, output and error output of each of several command lines, in a folder.

    If a command line imported heavy libraries, their names take the place of its exit code.
    """

    def ask(lines: list[list[str]], folder: Path = REPOSITORY) -> list[Answer]:
        source = str(Path(gesturehand.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": source, "COLUMNS": "120"},
            input=json.dumps(lines),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [tuple(answer) for answer in json.loads(done.stdout)]

    return ask
