"""A folder to start from: complete, runnable, and never written over existing files."""

import filecmp
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gesturehand.cli.main import main

REPOSITORY = Path(__file__).parents[2]


def files_of(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_gets_all_of_it(tmp_path, capsys):
    target = tmp_path / "a" / "mine"
    assert main(["init", str(target)]) == 0
    assert sorted(path.name for path in target.iterdir()) == ["Makefile", "experiments", "notebooks"]
    for name in ("experiments", "notebooks"):
        assert files_of(target / name) == files_of(REPOSITORY / name) != set()
        for file in files_of(target / name):
            assert filecmp.cmp(target / name / file, REPOSITORY / name / file, shallow=False)
    assert str(target) in capsys.readouterr().out


@pytest.mark.parametrize("taken", ["experiments", "notebooks", "Makefile"])
def test_nothing_is_overwritten(taken, tmp_path, refusal):
    (tmp_path / taken).write_text("mine")
    assert f"'{tmp_path / taken}' is already there" in refusal("init", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path):
    (tmp_path / "Makefile").symlink_to(tmp_path / "elsewhere")
    assert main(["init", str(tmp_path)]) == 2
    assert not (tmp_path / "elsewhere").exists()


def test_other_files_of_a_folder_stay(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"
    assert not list(tmp_path.glob(".*"))


def test_a_file_of_the_folders_name_is_one_sentence(tmp_path, refusal):
    (tmp_path / "mine").write_text("")
    assert "cannot be made" in refusal("init", str(tmp_path / "mine"))


def test_it_needs_exactly_one_folder(tmp_path, refusal):
    assert "give FOLDER" in refusal("init")
    with pytest.raises(SystemExit):
        main(["init", str(tmp_path / "a"), str(tmp_path / "b")])
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_the_makefile_runs_the_commands_on_existing_files(tmp_path):
    assert main(["init", str(tmp_path)]) == 0
    targets = ["demo", "pretrain", "finetune", "evaluate", "sweep", "runs"]
    # Arguments with which `make test` itself was called must not reach this make.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    how = {"cwd": tmp_path, "env": alone, "capture_output": True, "text": True, "check": True}
    done = subprocess.run(["make", "-n", *targets], **how)
    lines = done.stdout.splitlines()
    assert len(lines) == 11
    assert all(line.startswith("gesturehand ") for line in lines)
    named = [word for line in lines for word in line.split() if word.startswith("experiments/")]
    assert len(named) >= 6
    assert all((tmp_path / name).is_file() for name in named)
    help_text = subprocess.run(["make"], **how).stdout
    assert all(f"make {target} " in help_text for target in targets)
    assert "ARGS='…'" in help_text
