"""Runs a command that is a function: its signature is the command line."""

import importlib
from typing import Any

import jsonargparse

from gesturehand.cli.commands import GROUPS, POSITIONAL, function_of
from gesturehand.cli.parser import CommandParser, guard_yaml


def run_function(command: str, words: list[str]) -> None:
    """Parses the words behind a command and calls its function.

    Args:
        command: As :func:`~gesturehand.cli.commands.all_commands` has it.
        words: The words behind it.
    """
    guard_yaml()
    positional = POSITIONAL.get(command)
    function = _function(command)
    parser = CommandParser(prog=f"gesturehand {command}", allow_abbrev=False)
    parser.add_argument("--config", action=jsonargparse.ActionConfigFile)
    skip: set[str | int] = {positional.name} if positional else set()
    parser.add_function_arguments(function, as_group=False, as_positional=False, skip=skip)
    if positional is not None:
        parser.add_argument(positional.name, nargs=positional.number, type=str, metavar=positional.shown)
    values = parser.parse_args(words).as_dict()
    del values["config"]
    function(**values)


def run_group(words: list[str]) -> None:
    """Runs a command of a group that a file names, as ``data --config FILE``, with its keys below its name.

    Args:
        words: The command line, the group first.
    """
    guard_yaml()
    jsonargparse.auto_cli(
        {name: _function(f"{words[0]} {name}") for name in GROUPS[words[0]]},
        args=words[1:],
        prog=f"gesturehand {words[0]}",
        as_positional=False,
        parser_class=CommandParser,
        allow_abbrev=False,
    )


def _function(command: str) -> Any:
    """A command's function; its module is imported here, so that no command loads what another needs."""
    module, _, name = function_of(command).rpartition(".")
    return getattr(importlib.import_module(module), name)
