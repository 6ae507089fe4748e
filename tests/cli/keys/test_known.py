"""The keys that are read from source are those of the real parsers: names, defaults, words and descriptions."""

from typing import Literal, get_args, get_origin

import jsonargparse
import pytest
from trainings import exit_code

import gesturehand
from gesturehand.cli import train
from gesturehand.cli.commands import POSITIONAL, TRAINING, all_commands, function_of
from gesturehand.cli.keys.known import CHECKPOINT, known_classes, known_keys, model_classes
from gesturehand.cli.keys.signature import REQUIRED


class Parsers(Exception):
    """Carries the parsers out of Lightning's constructor."""


class UpToParsing(train.TrainingCLI):
    """Builds the parsers and stops there."""

    def parse_arguments(self, parser, args):
        raise Parsers(self._subcommand_parsers)


@pytest.fixture(scope="module")
def parsers():
    """The real parsers of training, by command."""
    with pytest.raises(Parsers) as stopped:
        train.run_cli(UpToParsing, [])
    return stopped.value.args[0]


def actions_of(parser):
    """A parser's keys with their actions, without those for help and whole sections."""
    return {
        action.dest: action
        for action in parser._actions
        if action.option_strings
        and not action.dest.endswith("help")
        and action.dest not in ("print_config", "trainer", "model", "data", "checkpoint")
    }


def agree(parameter, action, default):
    if parameter.default is not REQUIRED:
        assert str(parameter.default) == str(default)
    typehint = getattr(action, "_typehint", None)
    if get_origin(typehint) is Literal:
        assert parameter.kind.words == get_args(typehint)
    described = " ".join((action.help or "").split())
    assert " ".join(parameter.text.split()).rstrip(".") in described


@pytest.mark.parametrize("command", TRAINING)
def test_keys_of_training(parsers, command):
    actions, defaults = actions_of(parsers[command]), parsers[command].get_defaults()
    known = known_keys(command)
    assert known.open == (), "a class could not be read"
    own = {path: key for path, key in known.by_path.items() if not path.startswith("model.")}
    # The command line removes these before the parser sees them.
    assert own.keys() - actions.keys() == {"run", "trust_config", "print_config"}
    assert actions.keys() - own.keys() == set()
    for path in own.keys() & actions.keys() - {"config", "seed_everything"}:
        agree(own[path].parameter, actions[path], defaults[path])


@pytest.mark.parametrize("name", ["EANetRegressor", "GesturePretrainer", "TokenFusionRegressor"])
def test_keys_of_models(name):
    assert name in model_classes()
    parser = jsonargparse.ArgumentParser()
    parser.add_class_arguments(getattr(gesturehand, name), "model.init_args", fail_untyped=False)
    actions, defaults = actions_of(parser), parser.get_defaults()
    known = known_keys("fit", model_classes()[name])
    own = {path: key for path, key in known.by_path.items() if path.startswith("model.")}
    assert own.keys() == {path for path in actions if path != "model.init_args"}
    for path, key in own.items():
        agree(key.parameter, actions[path], defaults[path])


def test_only_trainable_classes_are_models():
    assert set(model_classes()) == {"EANetRegressor", "GesturePretrainer", "TokenFusionRegressor"}


@pytest.mark.parametrize("command", [name for name in all_commands() if name not in TRAINING])
def test_options_are_those_of_the_function(command):
    module, _, name = function_of(command).rpartition(".")
    function = getattr(__import__(module, fromlist=[name]), name)
    known = known_keys(command)
    positional = {POSITIONAL[command].name} if command in POSITIONAL else set()
    parser = jsonargparse.ArgumentParser()
    taken = parser.add_function_arguments(function, as_group=False, as_positional=False, skip=positional)
    actions, defaults = {action.dest: action for action in parser._actions}, parser.get_defaults()
    own = {path: key for path, key in known.by_path.items() if path not in ("config", "print_config")}
    assert own.keys() == set(taken)
    for path, key in own.items():
        agree(key.parameter, actions[path], defaults[path])


def test_callbacks_of_both_libraries_are_known():
    base = "pytorch_lightning.callbacks.callback.Callback"
    names = known_classes(base)
    assert names["EarlyStopping"] == "pytorch_lightning.callbacks.EarlyStopping"
    assert names["Throughput"] == "gesturehand.callbacks.Throughput"
    assert names["ModelCheckpoint"] == CHECKPOINT


def test_a_key_that_is_taken_by_the_parser_is_taken_by_the_check(tmp_path, monkeypatch, capsys):
    """A file with every key at its default is refused by neither."""
    monkeypatch.chdir(tmp_path)
    words = ["--model=EANetRegressor", "--model.init_args.mano=null"]  # a short name
    assert exit_code(["fit", *words, "--print_config"]) == 0
    (tmp_path / "all.yaml").write_text(capsys.readouterr().out)
    assert exit_code(["fit", "--config=all.yaml", "--print_config"]) == 0
    assert capsys.readouterr().out == (tmp_path / "all.yaml").read_text()
