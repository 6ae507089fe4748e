"""Runs side by side, against the files from which they were read."""

import json

import yaml

from gesturehand.cli.main import main
from gesturehand.evaluation.run_comparison import compared_curves, settings_that_differ, validation_metrics
from gesturehand.evaluation.run_record import RunRecord


def written(folder, rows, **init_args):
    folder.mkdir(parents=True)
    config = {
        "name": folder.name,
        "model": {"class_path": "gesturehand.TokenFusionRegressor", "init_args": {"width": 128, **init_args}},
        "checkpoint": {"monitor": "val/loss", "mode": "min"},
        "trainer": {"callbacks": [{"a": 1}]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = [f"{step},{step},{value}" for step, value in rows]
    (folder / "metrics.csv").write_text("\n".join(["epoch,step,val/loss", *lines, ""]))
    return RunRecord(folder, folder.name)


def pair(root):
    one = written(root / "a", [(0, 2.0), (1, 1.0)], fusion="cross", depth=2)
    return one, written(root / "b", [(0, 3.0), (1, 4.0)], fusion="concat")


def test_settings_that_differ_are_named_by_their_paths_and_no_others(tmp_path):
    assert settings_that_differ(pair(tmp_path)) == {
        "model.init_args.depth": [2, None],
        "model.init_args.fusion": ["cross", "concat"],
    }


def test_metrics_are_those_of_each_runs_best_epoch(tmp_path):
    runs = pair(tmp_path)
    assert validation_metrics(runs) == {"val/loss": [1.0, 3.0], "epoch": [1, 0]}
    assert compared_curves(runs) == {"val/loss": [[(0, 2.0), (1, 1.0)], [(0, 3.0), (1, 4.0)]]}


def test_the_commands_print_json_and_write_a_picture(tmp_path, capsys):
    pair(tmp_path / "runs")
    (tmp_path / "runs" / "b" / "test-1").mkdir()
    report = {"metrics": {"mpjpe_mm": 9.5, "mrrpe_mm": None}, "data": {"root": "set", "split": "test"}}
    (tmp_path / "runs" / "b" / "test-1" / "report.json").write_text(json.dumps(report))
    runs = f"--runs={tmp_path / 'runs'}"
    assert main(["run", "compare", "a", "b", runs, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [run["run"] for run in content["runs"]] == ["a", "b"]
    assert content["settings"]["model.init_args.fusion"] == ["cross", "concat"]
    assert content["test"] == {"mpjpe_mm": [None, 9.5]}
    assert (tmp_path / "runs" / "comparison.png").read_bytes().startswith(b"\x89PNG")

    assert main(["run", "list", runs, "--json"]) == 0
    assert {run["run"]: run["best"] for run in json.loads(capsys.readouterr().out)} == {"a": 1.0, "b": 3.0}
    assert main(["run", "show", "b", runs, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["test"]["mpjpe_mm"], facts["tested_on"], facts["state"]) == (9.5, "set test", "interrupted")


def test_the_commands_print_tables(tmp_path, capsys):
    pair(tmp_path / "runs")
    runs = f"--runs={tmp_path / 'runs'}"
    for words in (["list"], ["show", "a"], ["compare", "a", "b", f"--out={tmp_path / 'c.svg'}"]):
        assert main(["run", *words, runs]) == 0
        text = capsys.readouterr().out
        assert "TokenFusionRegressor" in text
        assert "interrupted" in text
    assert "model.init_args.fusion" in text
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")


def test_mistakes_are_one_sentence(tmp_path, capsys):
    pair(tmp_path / "runs")
    runs = f"--runs={tmp_path / 'runs'}"
    for words, said in (
        (["compare", "a"], "at least two runs"),
        (["compare", "a", "c"], "'c' is not a run"),
        (["compare", "a", "b", "--out=curves.doc"], "curves.doc"),
        (["show", "nowhere"], "'nowhere' is not a run"),
        (["show"], "give RUN"),
    ):
        assert main(["run", *words, *([runs] if len(words) > 1 else [])]) == 2
        assert said in capsys.readouterr().err
    assert main(["run", "list", f"--runs={tmp_path / 'none'}"]) == 0
    assert "no run under" in capsys.readouterr().out
