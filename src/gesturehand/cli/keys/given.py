"""Reads the keys of a command line and its files, one after the other, without importing the code that they set."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import yaml

from gesturehand.cli.keys.signature import Kind
from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean_path
from gesturehand.text_file import check_aliases, read_text, read_yaml

#: Options that have no value, or need none.
SWITCHES: Final = ("help", "print_config", "trust_config")
#: The value of an option that has none.
MISSING: Final = ...


class Given(NamedTuple):
    """A key that was given.

    Attributes:
        path: The key as written, with dots.
        value: Its value, read as YAML: a scalar, or a list or mapping.
        place: Its place: "" on the command line, otherwise ``'experiment.yaml', line 3``.
        adds: Whether the value is added to a list, as by ``--key+=value``.
    """

    path: str
    value: Any
    place: str
    adds: bool = False


class Line(NamedTuple):
    """A command line taken apart.

    Attributes:
        options: The options, in order.
        strays: Words that are neither an option nor the value of one.
    """

    options: list[Given]
    strays: list[str]


def read_line(words: Sequence[str]) -> Line:
    """Takes the words after a command apart.

    Args:
        words: ``--key=value``, ``--key value`` and separate words.
    """
    options: list[Given] = []
    strays: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "-h":
            word = "--help"
        if word == "--":  # only arguments follow
            strays += waiting
            break
        if not word.startswith("-") or (word.startswith("-") and word[1:2].isdigit()):
            strays.append(word)
            continue
        name, has_value, value = word.partition("=")
        if name == "-c":
            name = "--config"
        elif name.startswith("-c") and not name.startswith("--"):
            name, has_value, value = "--config", "=", word[2:].removeprefix("=")
        path, adds = name.lstrip("-").removesuffix("+"), name.endswith("+")
        if not has_value and path not in ("help", "print_config") and waiting and not waiting[0].startswith("--"):
            has_value, value = "=", waiting.pop(0)
        options.append(Given(path, value if has_value else MISSING, "", adds))
    return Line(options, strays)


def read_file(path: str) -> Iterator[Given]:
    """The keys of a YAML file, one after the other.

    Args:
        path: The file.

    Raises:
        UserError: It does not exist, or holds no keys.
    """
    try:
        text = read_text(path)
    except IsADirectoryError:
        raise UserError(f"The configuration '{path}' is a folder: give a YAML file.") from None
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise UserError(
            f"The configuration '{path}' {reason}: {did_you_mean_path(path, 'give a YAML file.')}"
        ) from None
    check_aliases(text, "The configuration")
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UserError(f"The configuration '{path}'{where}, is not YAML ({problem}): correct it.") from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise UserError(f"The configuration '{path}' holds no keys: write KEY: VALUE on each line.")
    if root is not None:
        yield from _flat(root, "", path)


def _flat(node: yaml.MappingNode, above: str, path: str) -> Iterator[Given]:
    for key, value in node.value:
        name = f"{above}{key.value}" if isinstance(key, yaml.ScalarNode) else above
        if name == f"{above}<<" and isinstance(value, yaml.MappingNode):
            yield from _flat(value, above, path)
            continue
        place = f"'{path}', line {key.start_mark.line + 1}"
        if isinstance(value, yaml.MappingNode) and value.value:
            yield Given(name, {}, place)
            yield from _flat(value, f"{name}.", path)
        else:
            yield Given(name, _value(value), place)


def _value(node: yaml.Node) -> Any:
    return read_yaml(yaml.serialize(node, Dumper=yaml.CSafeDumper), "A configuration")


def scalar(text: Any) -> Any:
    """A word of the command line as YAML reads it; anything else is returned unchanged."""
    if not isinstance(text, str) or not text:
        return text
    try:
        return read_yaml(text, "A value")
    except yaml.YAMLError:
        return text


def accepts(kind: Kind, value: Any, *, adds: bool = False) -> bool:
    """Whether a value can be one of a kind; in doubt it counts as one.

    Args:
        kind: The kind.
        value: As YAML reads it.
        adds: Whether it is added to a list.
    """
    if not kind.is_known or isinstance(value, dict) or (isinstance(value, str) and "${" in value):
        return True
    if adds and not isinstance(value, list):
        return not kind.items or any(accepts(item, value) for item in kind.items)
    if isinstance(value, list):
        if "list" not in kind.types or kind.length not in (None, len(value)):
            return False
        return all(any(accepts(item, part) for item in kind.items) for part in value)
    if value in kind.words or str(value) in map(str, kind.words):
        return True
    if value is None:
        return "null" in kind.types
    if isinstance(value, bool):
        return "bool" in kind.types
    if isinstance(value, int | float):
        whole = isinstance(value, int) or not math.isfinite(value)
        return "float" in kind.types or (whole and "int" in kind.types) or ("bool" in kind.types and value in (0, 1))
    return "bool" in kind.types and str(value).lower() in ("true", "false", "yes", "no", "on", "off")


def is_not_finite(value: Any) -> bool:
    """Whether a word is a number for some readers, and not a finite one: nan, inf."""
    return isinstance(value, str) and re.fullmatch(r"[-+]?(?:nan|inf(?:inity)?)", value, re.IGNORECASE) is not None
