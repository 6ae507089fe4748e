"""The command line's parser, whose mistakes are one sentence, and commands whose keys are a function's arguments."""

import functools
import importlib
import re
import sys
from typing import Any, Final, NoReturn

import jsonargparse
import yaml
from jsonargparse import ArgumentParser, get_loader, set_loader

from gesturehand.cli.commands import GROUPS, POSITIONAL, function_of
from gesturehand.cli.keys.check import LONGEST
from gesturehand.text_file import check_aliases

_NO_NUMBER: Final = re.compile(r"(?:value: |val=')([-+]?\.?(?:nan|inf(?:inity)?))\b", re.IGNORECASE)
#: The message of jsonargparse for a value that fits none of a key's types, with the reason for every type.
_BAD_VALUE: Final = re.compile(
    r'Parser key "(?P<key>[^"]+)": (?P<why>.*?)(?:Given|Got) value: (?P<value>.*)', re.DOTALL
)
_NOT_ALLOWED: Final = re.compile(r"Importing '([^']*)' is not allowed")
_MAX_VALUE: Final = 60
#: Modes of the parsers of the commands and of training.
_MODES: Final = ("yaml", "omegaconf+")


class CommandParser(ArgumentParser):
    """The parser of jsonargparse, with short messages."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the mistake and ends the process with status 2."""
        refuse(message)


def refuse(message: str) -> NoReturn:
    """Writes a parser's message as one sentence to the error stream and ends the process with status 2."""
    sys.stderr.write(f"gesturehand: {sentence_of(message)}\n")
    raise SystemExit(2)


def sentence_of(message: str) -> str:
    """A parser's message as a sentence of at most :data:`~gesturehand.cli.keys.check.LONGEST` characters.

    Args:
        message: The message of jsonargparse or argparse, over many lines.
    """
    text, remedy = " ".join(message.split()), "; `--help` lists the options."
    if found := _NOT_ALLOWED.search(text):
        text, remedy = f"'{found[1]}' is not allowed in a configuration that is not trusted", ": see --trust_config."
    elif found := _BAD_VALUE.search(text):
        value = found["value"] if len(found["value"]) <= _MAX_VALUE else f"{found['value'][:_MAX_VALUE]}…"
        reasons = re.findall(r"Expected an? (?:<class '([\w.]+)'>|(tuple with \d+ elements))", found["why"])
        types = [a or b for a, b in reasons if (a or b) != "NoneType"]
        if not types:
            text = f"{found['key']} cannot be {value}: {found['why']}"
        else:
            text = f"{found['key']} is {value}, which is no {' or '.join(dict.fromkeys(types))}"
    if found := _NO_NUMBER.search(" ".join(message.split())):
        remedy = f"; {found[1]} is not a finite number, which this option needs."
    room = LONGEST - len("gesturehand: ") - len(remedy)
    text = text.strip(" .-;:")
    return (text if len(text) <= room else f"{text[: room - 2]} …") + remedy


@functools.cache
def guard_yaml() -> None:
    """Makes every parser of this process refuse texts that grow beyond all bounds; one call is enough."""
    for mode in _MODES:
        ArgumentParser(parser_mode=mode).parse_string("{}")  # a mode's loader exists once it has been used
        set_loader(mode, functools.partial(_checked, get_loader(mode)), (yaml.YAMLError,))


def _checked(load: Any, value: str) -> Any:
    check_aliases(value, "A configuration")
    return load(value)


def run_function(command: str, words: list[str]) -> None:
    """Parses the words after a command and calls its function.

    Args:
        command: As in :func:`~gesturehand.cli.commands.all_commands`.
        words: The words after it.
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
