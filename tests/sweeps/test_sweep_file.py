"""Sweep files: keys that are honoured, keys that are refused by name, and that the project's files all work."""

import math
import shutil

import numpy as np
import optuna
import pytest
import yaml
from faults import fault
from refusals import refused
from scipy import stats

from gesturehand.cli.main import main
from gesturehand.errors import UserError
from gesturehand.runs import CONFIG_FILE
from gesturehand.sweeps.local import example_values
from gesturehand.sweeps.sweep_file import (
    DEFAULT_COMMAND,
    arguments,
    grid_points,
    read_parameters,
    read_sweep,
    render_command,
)
from gesturehand.sweeps.trial_process import check_metric, logged_metrics

from .conftest import SWEEPS, TINY

PLAIN = {
    "program": "gesturehand",
    "method": "random",
    "metric": {"name": "val/loss"},
    "parameters": {"lr": {"min": 0.0, "max": 1.0}},
}
DRAWS = 2000


def written(folder, **changes):
    content = {key: value for key, value in {**PLAIN, **changes}.items() if value is not None}
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_contents_of_a_file(tmp_path):
    sweep = read_sweep(
        written(
            tmp_path,
            metric={"name": "val/acc", "goal": "maximize", "target": 0.9},
            run_cap=7,
            early_terminate={"type": "hyperband", "max_iter": 27, "s": 2},
            project="anything",
        )
    )
    assert (sweep.name, sweep.metric, sweep.maximise, sweep.target, sweep.run_cap) == ("sweep", "val/acc", True, 0.9, 7)
    assert sweep.early_terminate is not None
    # W&B's brackets: 27 / 3² = 3 and 27 / 3 = 9 validations.
    assert (sweep.early_terminate.min_iter, sweep.early_terminate.eta) == (3, 3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"job": "x"}, "'job'"),
        ({"scheduler": {"engine": "optuna"}}, "'scheduler'"),
        ({"metric": {"name": "val/loss", "impute": 1}}, "metric.impute"),
        ({"metric": {"name": "val/loss", "goal": "smallest"}}, "metric.goal"),
        ({"metric": None}, "'metric'"),
        ({"method": "hyperopt"}, "hyperopt"),
        ({"method": "grid"}, "'lr'"),
        ({"command": ["${program}", "${args_json_file}"]}, "args_json_file"),
        ({"early_terminate": {"type": "envelope"}}, "early_terminate.type"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "strict": True}}, "early_terminate.strict"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "bands": 3}}, "early_terminate.bands"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate.min_iter"),
        ({"parameters": {"a": {"values": [1], "probabilities": [1.0]}}}, "probabilities"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keys_that_cannot_be_honoured_are_refused_by_name(tmp_path, changes, named):
    with refused(named):
        read_sweep(written(tmp_path, **changes))


def test_missing_or_broken_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_sweep(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(UserError, match="not YAML"):
        read_sweep(tmp_path / "broken.yaml")


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_command_of_every_sweep_trains_a_batch_and_logs_the_metric(path, workplace, synthetic_root, monkeypatch):
    """The exact command that an agent would run, followed by arguments that make the training tiny."""
    monkeypatch.setenv("DATA_ROOT", str(synthetic_root))
    monkeypatch.setenv("GESTUREHAND_TRIAL_FOLDER", str(workplace / "trial"))
    (workplace / "trial").mkdir()
    sweep = read_sweep(path)
    words = render_command(sweep.command, sweep.program, example_values(sweep))
    assert shutil.which(words[0]) or words[0] == "gesturehand"
    pretrained = [] if "pretrain" in path.stem else ["--model.init_args.pretrained=none"]
    assert main([*words[1:], *TINY, *pretrained, f"--data.root={synthetic_root}"]) == 0
    config = yaml.safe_load((workplace / "trial" / CONFIG_FILE).read_text())
    check_metric(sweep.metric, config)
    header = (workplace / "trial" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert sweep.metric in header
    # The names known beforehand are the ones that are logged.
    assert logged_metrics(config) == {name for name in header if name.startswith("val/")}


def test_metric_that_is_not_logged_is_refused(workplace):
    config = {
        "model": {
            "class_path": "gesturehand.trainers.gesture_pretrainer.GesturePretrainer",
            "init_args": {"backbone": "test_resnet", "image_size": 64},
        }
    }
    with pytest.raises(UserError, match="val/gesture_fine_top1"):
        check_metric("val/accuracy", config)


def spoken(kind, written, value):
    return pytest.param(
        written,
        value,
        marks=fault("numbers of a sweep file", f"{kind}: {written}", "taken as a number"),
        id=f"{kind} {written}",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        spoken("constant", "{value: 1e-4}", 1e-4),
        spoken("constant", "{value: 5E-1}", 0.5),
        spoken("constant", "{value: +2e3}", 2000.0),
        spoken("constant", "{value: -3e2}", -300.0),
        spoken("constant", "{value: 1.e-2}", 0.01),
        spoken("constant", "{value: {a: [1e-4]}}", {"a": [1e-4]}),
        spoken("one of a list", "{values: [1e-4]}", 1e-4),
        spoken("uniform", "{min: 5e-1, max: 5e-1}", 0.5),
        spoken("normal of no width", "{mu: 25e-2, sigma: 1e-300}", 0.25),
        spoken("log_uniform_values", "{distribution: log_uniform_values, min: 1e-4, max: 1e-4}", 1e-4),
        spoken("q_uniform", "{distribution: q_uniform, min: 5e-1, max: 5e-1, q: 5e-1}", 0.5),
        spoken("text in quotes", "{value: '1e-4'}", "1e-4"),
        spoken("a word with an e", "{value: 2e}", "2e"),
    ],
)
def test_numbers_without_a_point(tmp_path, text, value):
    path = tmp_path / "sweep.yaml"
    path.write_text(
        f"program: g\nmethod: random\nmetric: {{name: val/loss, target: 1e-3}}\nparameters:\n  lr: {text}\n"
    )
    sweep = read_sweep(path)
    assert sweep.target == 1e-3
    drawn = example_values(sweep)["lr"]
    assert drawn == (pytest.approx(value) if isinstance(value, float) else value)
    assert type(drawn) is type(value)


ARGS = {
    "model.init_args.fusion": "cross",
    "lr": 1e-05,
    "mirror": True,
    "flip": False,
    "mano": None,
    "betas": [0.9, 0.99],
    "optimizer": {"name": "adam"},
}


def of_the_agent(command, program, args):
    """The command as ``wandb.wandb_agent.Agent`` builds it, from W&B's own functions."""
    from wandb.sdk.launch.sweeps import utils

    known = utils.create_sweep_command_args({"args": {name: {"value": value} for name, value in args.items()}})
    known |= {"interpreter": ["python"], "program": [program], "env": ["/usr/bin/env"]}
    words = []
    for chunk in utils.create_sweep_command(list(command)):
        is_macro = str(chunk).startswith("${") and str(chunk).endswith("}")
        words += known[str(chunk)[2:-1]] if is_macro else [str(chunk)]
    return words


def test_words_are_those_of_the_agent():
    command = ["${env}", "${interpreter}", "-u", "${program}", 3, "${args}"]
    assert render_command(command, "train.py", ARGS) == of_the_agent(command, "train.py", ARGS)


def test_default_command_is_that_of_the_agent():
    from wandb.sdk.launch.sweeps import utils

    assert list(DEFAULT_COMMAND) == utils.DEFAULT_SWEEP_COMMAND


def test_environment_variables(monkeypatch):
    monkeypatch.setenv("DATA_ROOT", "/data")
    monkeypatch.delenv("NOT_THERE", raising=False)
    command = ["--root=${envvar:DATA_ROOT}/x/${envvar:NOT_THERE}", "${args}"]
    assert render_command(command, "p", ARGS) == of_the_agent(command, "p", ARGS)
    assert render_command(command, "p", {}) == ["--root=/data/x/NOT_THERE"]


@pytest.mark.parametrize("macro", ["args_json_file", "args_no_hyphens", "args_no_boolean_flags", "args_append_hydra"])
def test_other_macros_are_refused_by_name(macro):
    with pytest.raises(UserError, match=macro):
        render_command(["${program}", f"${{{macro}}}"], "train.py", {})


def draw(spec, number=DRAWS):
    """Values drawn as a random sweep draws them."""
    (parameter,) = read_parameters({"x": spec})
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Drawn directly from the sampler, because a study of thousands of trials is slow.
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    study.ask()
    (trial,) = study.trials
    return [
        parameter.value(sampler.sample_independent(study, trial, "x", parameter.distribution)) for _ in range(number)
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"distribution": "uniform", "min": -1, "max": 3}, stats.uniform(-1, 4)),
        ({"min": -1.0, "max": 3}, stats.uniform(-1, 4)),
        ({"distribution": "log_uniform", "min": -3, "max": 2}, stats.loguniform(math.exp(-3), math.exp(2))),
        ({"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1}, stats.loguniform(1e-4, 0.1)),
        ({"distribution": "normal", "mu": 2, "sigma": 0.5}, stats.norm(2, 0.5)),
        ({"mu": 2}, stats.norm(2, 1)),
    ],
    ids=lambda value: value.get("distribution", "inferred") if isinstance(value, dict) else "",
)
def test_continuous_distribution(spec, expected):
    assert stats.kstest(draw(spec), expected.cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("spec", "continuous"),
    [
        ({"distribution": "q_uniform", "min": 0, "max": 10, "q": 4}, stats.uniform(0, 10)),
        ({"distribution": "q_log_uniform_values", "min": 16, "max": 200, "q": 16}, stats.loguniform(16, 200)),
    ],
    ids=lambda value: value["distribution"] if isinstance(value, dict) else "",
)
def test_rounded_distribution(spec, continuous):
    """round(X / q) · q: the share of each value is that of the continuous distribution around it."""
    step, values = spec.get("q", 1), draw(spec)
    assert all(isinstance(value, type(step)) for value in values)
    for value in set(values):
        share = continuous.cdf(value + step / 2) - continuous.cdf(value - step / 2)
        assert np.mean(np.array(values) == value) == pytest.approx(share, abs=0.035)


def test_whole_numbers_and_choices_occur_equally_often():
    values = draw({"min": 2, "max": 6})
    assert stats.chisquare([values.count(number) for number in range(2, 7)]).pvalue > 0.01
    values = draw({"values": [None, True, "a", [1, 2], {"b": 1}]})
    assert (
        stats.chisquare(
            [
                sum(v == option and type(v) is type(option) for v in values)
                for option in (None, True, "a", [1, 2], {"b": 1})
            ]
        ).pvalue
        > 0.01
    )


def test_one_and_true_are_two_choices():
    values = draw({"values": [1, True, 0.0, False]}, 200)
    assert {(type(value), value) for value in values} == {(int, 1), (bool, True), (float, 0.0), (bool, False)}


def test_grid_is_every_combination():
    specs = {
        "a": {"values": ["x", "y"]},
        "b": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.5},
        "c": {"min": 1, "max": 2},
        "d": {"value": 7},
    }
    parameters = read_parameters(specs)
    points = [tuple(arguments(parameters, point).values()) for point in grid_points(parameters)]
    assert points == [(a, b, c, 7) for a in "xy" for b in (0.0, 0.5, 1.0) for c in (1, 2)]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"distribution": "cauchy", "mu": 1}, "cauchy"),
        ({"distribution": "beta", "a": 2, "b": 5}, "beta"),
        ({"distribution": "inv_log_uniform_values", "min": 1, "max": 5}, "inv_log_uniform_values"),
        ({"distribution": "q_log_normal", "mu": 1, "sigma": 1}, "q_log_normal"),
        ({"parameters": {"name": {"values": ["adam"]}}}, "parameters"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0}, "q_uniform"),
        ({"distribution": "q_log_uniform_values", "min": 0, "max": 1}, "q_log_uniform_values"),
        ({"min": 1, "max": 2, "step": 1}, "step"),
        ({"distribution": "log_uniform_values", "min": 1}, "max"),
        ({"distribution": "uniform", "min": 2, "max": 1}, "uniform"),
        ({"distribution": "q_uniform", "min": 2, "max": 1}, "q_uniform"),
        ({"values": ["a", "b"], "probabilities": [0.5, 0.5]}, "probabilities"),
        ({"values": []}, "categorical"),
        ({}, "gives no values"),
        (3, "not a mapping"),
    ],
)
def test_mistake_is_named(spec, named):
    with refused("learning_rate", match=named):
        read_parameters({"learning_rate": spec})


def test_same_space_as_wandbs_own_optuna_scheduler():
    """Since 0.2x, W&B has its own translation; if the installed one has it, ours is the same."""
    scheduler = pytest.importorskip("wandb.sdk.sweeps.scheduler.optuna")
    specs = {
        "a": {"values": ["x", "y"]},
        "b": {"min": 1, "max": 4},
        "c": {"min": 0.5, "max": 4},
        "d": {"distribution": "log_uniform_values", "min": 0.001, "max": 1.0},
    }
    ours = {parameter.name: parameter.distribution for parameter in read_parameters(specs)}
    assert ours == scheduler.search_space_from_sweep_config(specs)
