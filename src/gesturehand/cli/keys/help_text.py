"""The help of a command: its keys in groups, with the values they take, their defaults and a sentence each."""

import shutil
import textwrap
from typing import Any, Final

from gesturehand.cli.commands import GROUPS, POSITIONAL, TRAINING, all_commands
from gesturehand.cli.keys.known import Key, KnownKeys, known_keys, model_classes
from gesturehand.cli.keys.signature import REQUIRED, Kind, Parameter, first_sentence, plain

#: Width if the output is not a terminal, and the largest width.
_WIDTH: Final = 120
#: Largest number of columns for keys; longer keys have a separate line.
_LONGEST_KEY: Final = 44
_TRAINING_TEXT: Final = """Keys are given in the files of --config, as YAML, and as --KEY=VALUE; ${data.image_size} is \
another key's value. No key may be abbreviated. In brackets: its default."""

_OPTIONS_TEXT: Final = "No option may be abbreviated. In brackets: its default."


def help_text(command: str, model: str | None = None) -> str:
    """The help of a command.

    Args:
        command: As in :func:`~gesturehand.cli.commands.all_commands`.
        model: For training, the class that is trained.
    """
    known = known_keys(command, model)
    positional = POSITIONAL.get(command)
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
    if command in TRAINING:
        lines = [f"usage: gesturehand {command} --config FILE [--KEY=VALUE …]", "", *_filled(_about(command), width)]
        lines += ["", *_filled(_TRAINING_TEXT, width)]
    else:
        words = f" {positional.shown}{' …' if positional.number else ''}" if positional else ""
        needed = "".join(f" --{key.path} {_shown(key.parameter.kind)}" for key in known.groups.get("needed", ()))
        lines = [
            f"usage: gesturehand {command}{words}{needed} [OPTIONS]",
            "",
            *_paragraphs(f"{known.text}\n\n{_OPTIONS_TEXT}", width),
        ]
    for title, keys in known.groups.items():
        lines += ["", f"{title}:", *_rows(keys, width, brief=command in TRAINING)]
    if command in TRAINING:
        lines += ["", *_filled(_classes(known, model), width)]
    return "\n".join(lines) + "\n"


def group_help(group: str) -> str:
    """The commands of a group."""
    lines = [f"usage: gesturehand {group} COMMAND [OPTIONS]", "", "commands (each has --help):"]
    return "\n".join([*lines, *_table({f"{group} {name}": text for name, text in GROUPS[group].items()})]) + "\n"


def overview() -> str:
    """All commands."""
    lines = ["usage: gesturehand COMMAND [OPTIONS]", "", "commands (each has --help):"]
    return "\n".join([*lines, *_table(all_commands())]) + "\n"


def _table(rows: dict[str, str]) -> list[str]:
    longest = max(14, *map(len, rows))
    return [f"  {name:<{longest}} {text}" for name, text in rows.items()]


def _rows(keys: list[Key], width: int, *, brief: bool) -> list[str]:
    """A group's keys, aligned, each with a sentence or with its whole description."""
    named = [(f"--{key.path}{_value(key)}", key) for key in keys]
    indent = min(_LONGEST_KEY, max(len(name) for name, _ in named)) + 4
    lines = []
    for name, key in named:
        text = first_sentence(key.parameter.text) if brief else plain(key.parameter.text)
        text = " ".join(part for part in (text, _listed(key.parameter.kind, text), _default(key.parameter)) if part)
        rows = textwrap.wrap(text, max(30, width - indent), break_long_words=False, break_on_hyphens=False) or [""]
        if len(name) > indent - 4:
            lines.append(f"  {name}")
        else:
            rows[0] = f"  {name:<{indent - 4}}  {rows[0]}"
        start = 0 if len(name) > indent - 4 else 1
        lines += rows[:start] + [" " * indent + row for row in rows[start:]]
    return [line.rstrip() for line in lines]


def _value(key: Key) -> str:
    """The form in which a key's value is shown after it."""
    shown = _shown(key.parameter.kind)
    return f" {shown}" if shown else ""


def _shown(kind: Kind) -> str:
    types = kind.types - {"null"}
    if kind.words and not types:
        return "WORD"
    names = {
        "int": "N",
        "float": "X",
        "bool": "true|false",
        "str": "TEXT",
        "path": "PATH",
        "list": "[…]",
        "other": "CLASS",
    }
    if {"int", "float"} <= types:
        types = types - {"int"}
    if "other" in types and types - {"other"}:
        types = types - {"other"}
    return "|".join([*(["WORD"] if kind.words else []), *(name for each, name in names.items() if each in types)])


def _listed(kind: Kind, text: str) -> str:
    """The words that a key takes, if the text does not name them."""
    words = [str(word) for word in kind.words]
    return "" if not words or all(word in text for word in words) else f"({', '.join(dict.fromkeys(words))})"


def _default(parameter: Parameter) -> str:
    if parameter.default is REQUIRED or parameter.kind == Kind():
        return ""
    shown = _as_yaml(parameter.default)
    return shown if shown.startswith("[") else f"[{shown}]"


def _as_yaml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_as_yaml, value))}]"
    return str(value)


def _about(command: str) -> str:
    text = TRAINING[command].partition(":")[0]
    return f"{text[0].upper()}{text[1:]}."


def _classes(known: KnownKeys, model: str | None) -> str:
    names = ", ".join(model_classes())
    if model is None:
        return f"The model is one of {names}: `gesturehand {known.command} --model=NAME --help` lists only its keys."
    if "model.init_args" in known.open:
        return (
            f"Not all keys of {model} could be read: `gesturehand {known.command} --model.help={model}` asks the class."
        )
    return f"Without --model, the keys of all of {names} are listed."


def _paragraphs(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += ["", *_filled(plain(paragraph), width)]
    return lines[1:]


def _filled(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
