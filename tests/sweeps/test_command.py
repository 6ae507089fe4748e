"""Commands against the ones that W&B's own agent would run."""

import pytest

from gesturehand.errors import UserError
from gesturehand.sweeps.command import DEFAULT_COMMAND, render_command

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
    """The words as ``wandb.wandb_agent.Agent`` puts them together, from W&B's own functions."""
    from wandb.sdk.launch.sweeps import utils

    known = utils.create_sweep_command_args({"args": {name: {"value": value} for name, value in args.items()}})
    known |= {"interpreter": ["python"], "program": [program], "env": ["/usr/bin/env"]}
    words = []
    for chunk in utils.create_sweep_command(list(command)):
        is_macro = str(chunk).startswith("${") and str(chunk).endswith("}")
        words += known[str(chunk)[2:-1]] if is_macro else [str(chunk)]
    return words


def test_words_are_the_agents():
    command = ["${env}", "${interpreter}", "-u", "${program}", 3, "${args}"]
    assert render_command(command, "train.py", ARGS) == of_the_agent(command, "train.py", ARGS)


def test_default_command_is_the_agents():
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
