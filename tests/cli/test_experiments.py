"""The list of experiments."""

from pathlib import Path

import pytest
import yaml
from trainings import exit_code

from gesturehand.cli.experiments import expand_configs, experiment_names, find_experiment, summary_of
from gesturehand.cli.main import main
from gesturehand.errors import UserError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(path: str) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("mine")
    return Path(path)


@pytest.mark.parametrize(
    "name", ["demo/finetune", "demo/finetune.yaml", "experiments/demo/finetune.yaml", "experiments/demo/finetune"]
)
def test_every_spelling_is_the_packages_file_if_there_is_none_on_disk(name):
    assert find_experiment(name) == REPOSITORY / "experiments" / "demo" / "finetune.yaml"


@pytest.mark.parametrize(
    "places",
    [
        ["demo/finetune", "demo/finetune.yaml", "experiments/demo/finetune", "experiments/demo/finetune.yaml"],
        ["demo/finetune.yaml", "experiments/demo/finetune.yaml"],
        ["experiments/demo/finetune.yaml"],
    ],
)
def test_a_file_on_disk_comes_first_the_nearest_name_before_others(places):
    for place in places:
        if place != "demo/finetune" or len(places) == 1:
            written(place)
    if "demo/finetune" in places:
        written("demo/finetune")
    assert find_experiment("demo/finetune") == Path(places[0])


def test_a_folder_is_not_an_experiment():
    Path("demo/finetune").mkdir(parents=True)
    assert find_experiment("demo/finetune") == REPOSITORY / "experiments" / "demo" / "finetune.yaml"
    assert find_experiment("demo") is None


@pytest.mark.parametrize("name", ["", "nowhere", "x" * 5000, "a\0b", "demo/finetune/more"])
def test_a_path_that_is_not_a_file_is_none(name):
    assert find_experiment(name) is None


def test_configs_are_expanded_in_both_spellings_and_nothing_else():
    shipped = str(REPOSITORY / "experiments" / "demo" / "pretrain.yaml")
    mine = str(written("mine.yaml"))
    said = []
    words = ["fit", "--config", "demo/pretrain", "--config=mine", "-c", mine, "--name", "demo/pretrain", "--config"]
    expanded = ["fit", "--config", shipped, f"--config={mine}", "-c", mine, "--name", "demo/pretrain", "--config"]
    assert expand_configs(words, said.append) == expanded
    assert said == [f"Experiment: {shipped}", "Experiment: mine.yaml"]
    settings = "--config={name: x}"
    assert expand_configs([settings], said.append) == [settings], "settings may stand in place of a file"


def test_a_misspelt_name_is_one_sentence():
    with pytest.raises(UserError, match=r"no file 'demo/fintune' .* did you mean 'demo/finetune'\?"):
        expand_configs(["--config=demo/fintune"], print)


def test_fit_takes_a_name_in_any_folder(capsys):
    assert exit_code(["fit", "--config", "demo/finetune", "--print_config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "demo/finetune"


def test_the_summary_is_the_first_sentence_of_the_comment(tmp_path):
    (tmp_path / "a.sbatch").write_text("#!/bin/sh\n# One sentence of\n# two lines. Another.\n# A third.\n#SBATCH x\n")
    assert summary_of(tmp_path / "a.sbatch") == "One sentence of two lines."


def test_every_experiment_of_the_repository_is_listed_with_a_sentence():
    names = experiment_names()
    folder = REPOSITORY / "experiments"
    files = {path for path in folder.rglob("*") if path.suffix in (".yaml", ".sbatch")}
    assert set(names.values()) == files
    for name, path in names.items():
        assert path.relative_to(folder).as_posix().startswith(name)
        assert 20 < len(summary_of(path)) <= 96, f"{path}: the list has a line for it"
        assert summary_of(path).endswith(".")


def test_each_has_one_line_with_its_command_and_sentence(capsys):
    assert main(["experiments"]) == 0
    heading, *lines, note = capsys.readouterr().out.splitlines()
    assert heading.split() == ["experiment", "used", "with", "what", "it", "is"]
    assert len(lines) == len(experiment_names()) > 10
    for line, (name, path) in zip(lines, experiment_names().items(), strict=True):
        assert line.startswith(f"{name} ")
        assert summary_of(path) in line
    assert "sweep --file" in next(line for line in lines if line.startswith("sweeps/"))
    assert "fit --config" in next(line for line in lines if line.startswith("demo/"))
    assert "gesturehand init" in note
