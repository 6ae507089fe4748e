"""Compares a command line and its files with the existing keys, before anything is loaded."""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from gesturehand.cli.commands import POSITIONAL, TRAINING, function_of
from gesturehand.cli.keys.given import (
    MISSING,
    SWITCHES,
    Given,
    Line,
    accepts,
    is_not_finite,
    read_file,
    read_line,
    scalar,
)
from gesturehand.cli.keys.known import KnownKeys, known_classes, known_keys, model_classes
from gesturehand.cli.keys.signature import (
    REQUIRED,
    Kind,
    Signature,
    first_sentence,
    is_record,
    signature_of,
)
from gesturehand.cli.keys.source import find_dotted
from gesturehand.data.files import check_root, is_url
from gesturehand.data.spelling import find_file
from gesturehand.errors import UserError, one_line
from gesturehand.suggestions import did_you_mean, did_you_mean_path, nearest

#: Largest length of a sentence about a slip, with the program's name before it.
LONGEST: Final = 300
#: Names less alike than this may be those of a user's own classes.
_CLASS_ALIKE: Final = 0.75
#: Keys that name a file or folder to be written, or files to be read that need not exist.
_PLACES: Final = ("out", "output", "boxes", "runs", "images", "joints", "folder", "into")
_OF_OBJECTS: Final = ("class_path", "init_args", "dict_kwargs")


def check_line(command: str, words: Sequence[str]) -> None:
    """Refuses keys that a command does not have, and values that they cannot have.

    Anything that cannot be told from source, such as a user's own classes, is left to the parser.

    Args:
        command: As in :func:`~gesturehand.cli.commands.all_commands`.
        words: The words after it.

    Raises:
        UserError: A key, value or class is unknown; the message says which was probably meant.
    """
    line = read_line(words)
    _check_strays(command, line)
    given = all_given(line)
    models = _models_in_effect(given) if command in TRAINING else {}
    classes: dict[str, str] = {}
    for each in given:
        _check(known_keys(command, models.get(_source(each))), each, classes)
    if command not in TRAINING:
        _check_needed(command, line, given)


def check_paths(command: str, words: Sequence[str]) -> None:
    """Refuses files and folders that are to be read but do not exist.

    Args:
        command: As in :func:`~gesturehand.cli.commands.all_commands`.
        words: The words after it.

    Raises:
        UserError: One is missing; the message says which was probably meant.
    """
    given = all_given(read_line(words))
    known = known_keys(command, model_of(given))
    for each in {in_full(known.command, each.path): each for each in given}.values():
        path = in_full(known.command, each.path)
        key = known.by_path.get(path)
        value = each.value
        if key is None or "path" not in key.parameter.kind.types or not isinstance(value, str) or "${" in value:
            continue
        if key.parameter.name in ("root", "data") and is_url(value):
            continue
        if value and value not in key.parameter.kind.words and find_file(Path(value)) is None:
            if key.parameter.name in ("root", "data"):
                check_root(Path(value))
            words_of = [str(word) for word in key.parameter.kind.words]
            end = did_you_mean(value, words_of, did_you_mean_path(value, "check the path."))
            dashes = "" if each.place or command in TRAINING else "--"
            where = f"{dashes}{path}" + (f", {each.place}" if each.place else "")
            start = f"'{value}' does not exist ({where}): "
            raise UserError(_brief(start, end, "check the path."))


def all_given(line: Line) -> list[Given]:
    """The keys of a command line's files and of its options, in the order in which they count.

    Raises:
        UserError: A file cannot be read.
    """
    given: list[Given] = []
    for option in line.options:
        if option.path == "config" and isinstance(option.value, str) and not re.search(r"[\n{]|:\s", option.value):
            given += read_file(option.value)
        else:
            given.append(option._replace(value=scalar(option.value)))
    return given


def model_of(given: Iterable[Given]) -> str | None:
    """The class that a training's keys name as the model, by its full name; None if none is named."""
    name = None
    for each in given:
        if each.path in ("model", "model.class_path") and isinstance(each.value, str):
            name = each.value
    return None if name is None else model_classes().get(name, name)


def _source(given: Given) -> str:
    """The file that a key was given in; "" for the command line."""
    return given.place.rpartition(", line ")[0]


def _models_in_effect(given: Sequence[Given]) -> dict[str, str | None]:
    """The class to which the keys of each file, and of the command line, belong: its own, or else the previous one.

    A later class takes over those of an earlier class's keys that it knows, so that they are not slips.
    """
    models: dict[str, str | None] = {}
    last = None
    for source in dict.fromkeys(map(_source, given)):
        last = model_of(each for each in given if _source(each) == source) or last
        models[source] = last
    return {source: model or last for source, model in models.items()}


def _check_needed(command: str, line: Line, given: Sequence[Given]) -> None:
    """Refuses a command line without an option that has no default."""
    if any(option.path in ("help", "print_config") for option in line.options):
        return
    positional = POSITIONAL.get(command)
    if positional is not None and not line.strays:
        help_of = f"`gesturehand {command} --help` lists the options."
        raise UserError(f"Nothing to {command}: give {positional.shown}; {help_of}")
    names = {each.path for each in given}
    for parameter in signature_of_command(command).parameters:
        is_positional = positional is not None and parameter.name == positional.name
        if parameter.default is REQUIRED and parameter.name not in names and not is_positional:
            what = first_sentence(parameter.text).rstrip(".")
            what = what if what[1:2].isupper() else what[:1].lower() + what[1:]
            raise UserError(f"`gesturehand {command}` needs --{parameter.name}: {what}.")


def _check_strays(command: str, line: Line) -> None:
    if not line.strays:
        return
    if command in POSITIONAL:
        positional = POSITIONAL[command]
        kind = next(p.kind for p in signature_of_command(command).parameters if p.name == positional.name)
        word, words = line.strays[0], list(map(str, kind.words))
        if words and word not in words:
            meant = did_you_mean(word, words, f"choose {_choice(words)}.")
            raise UserError(f"There is no {positional.shown} '{one_line(word, 60)}': {meant}")
        return
    word = line.strays[0]
    if command in TRAINING:
        options = ["config"]
    else:
        signature = signature_of_command(command)
        options = [p.name for p in signature.parameters if p.default is REQUIRED] or ["config"]
    missing = [name for name in options if name not in {option.path for option in line.options}]
    hint = f"did you mean --{missing[0]} {one_line(word, 60)}?" if missing else "every value belongs to an option."
    raise UserError(f"`gesturehand {command}` takes no argument '{one_line(word, 60)}' without an option: {hint}")


def signature_of_command(command: str) -> Signature:
    """The signature of a command's function."""
    signature = signature_of(function_of(command))
    assert signature is not None
    return signature


def _check(known: KnownKeys, given: Given, classes: dict[str, str]) -> None:
    """Checks one key.

    Args:
        known: The command's keys.
        given: The given keys.
        classes: The class that was last named for each key that takes an object.
    """
    path = in_full(known.command, given.path)
    if given.value is MISSING and path not in SWITCHES and not path.endswith(".help"):
        if path in known.by_path:
            raise UserError(f"--{path} needs a value: write --{path}=VALUE.")
        given = given._replace(value=None)
    elif given.value is MISSING:
        return None
    if known.command in TRAINING and path in ("model", "model.class_path"):
        return _check_class(given, given.value, model_classes)
    if path == "help" or path.endswith(".help") or any(key.startswith(f"{path}.") for key in known.by_path):
        return None
    key = known.by_path.get(path)
    if key is not None and key.parameter.kind == Kind():
        return None  # a switch
    if key is not None:
        if given.value == "" and ("path" in key.parameter.kind.types or key.parameter.name in _PLACES):
            # Path("") is the current folder, which nobody means by a variable of the shell that is not set.
            raise UserError(f"{'' if given.place else '--'}{path} is empty{_at(given)}: give a path, or leave it out.")
        return _check_value(given, key.path, key.parameter.kind, classes)
    for owner in known.by_path.values():
        rest = path.removeprefix(f"{owner.path}.")
        if rest != path:  # a part of an object, a list or a mapping
            return _check_part(given, owner.path, rest, owner.parameter.kind, classes)
    if any(f"{path}.".startswith(f"{section}.") for section in known.open) or path.startswith("model.dict_kwargs"):
        return None
    raise UserError(_unknown_key(known, given, path))


def in_full(command: str, path: str) -> str:
    """``model.fusion`` is short for ``model.init_args.fusion``."""
    section, _, rest = path.partition(".")
    short = command in TRAINING and section == "model" and rest
    return f"model.init_args.{rest}" if short and rest.partition(".")[0] not in (*_OF_OBJECTS, "help") else path


def _unknown_key(known: KnownKeys, given: Given, path: str) -> str:
    sections = {key.partition(".")[0] for key in known.by_path if "." in key}
    others = ["help", *(["model.class_path", "model.init_args"] if known.command in TRAINING else [])]
    is_section = given.value == {} and "." not in path
    near = nearest(path, sections) if is_section else nearest_key(path, [*known.by_path, *others])
    dashes = "" if given.place else "--"
    what = "key" if known.command in TRAINING or given.place else "option"
    meant = f"did you mean {dashes}{near}?" if near else f"`gesturehand {known.command} --help` lists all."
    if not near and known.command in POSITIONAL and not given.place:
        meant = f"{meant.removesuffix('.')}; a file's name that begins with a dash is written ./-NAME."
    return f"There is no {what} {dashes}{one_line(given.path, 60)}{_at(given)}: {meant}"


def nearest_key(path: str, known: Iterable[str]) -> str | None:
    """The known key most like an unknown one, in its own section first, then in any.

    Args:
        path: The key in full, with dots.
        known: Paths of all keys.
    """
    keys = list(known)
    section, _, name = path.rpartition(".")
    own = {key.removeprefix(f"{section}."): key for key in keys if section and key.startswith(f"{section}.")}
    ends: dict[str, list[str]] = {}
    for key in keys:
        ends.setdefault(key.rpartition(".")[2], []).append(key)
    plain = name.casefold().replace("-", "_")
    if plain in own:
        return own[plain]
    if plain in ends:
        return _most_like(path, ends[plain])
    if own and (found := nearest(name, own)) is not None:
        return own[found]
    found = nearest(path, keys, 0.75)
    if found is None and (end := nearest(name, ends)) is not None:
        found = _most_like(path, ends[end])
    return found


def _most_like(path: str, keys: Sequence[str]) -> str:
    return max(keys, key=lambda key: difflib.SequenceMatcher(None, path, key).ratio())


def _check_value(given: Given, path: str, kind: Kind, classes: dict[str, str]) -> None:
    for value in given.value if isinstance(given.value, list) else [given.value]:
        name = value.get("class_path") if isinstance(value, dict) else value
        parts = value.get("init_args") if isinstance(value, dict) and name is not None else value
        if kind.classes and isinstance(name, str):
            _check_class(given, name, lambda: _classes_of(kind), path)
            classes[path] = name
        if isinstance(parts, dict) and kind.classes:
            of = {path: name} if isinstance(name, str) else {}
            above = f"{path}.init_args" if of else path
            for part, inner in parts.items():
                _check_part(Given(f"{above}.{part}", inner, given.place), path, str(part), kind, of)
    if not accepts(kind, given.value, adds=given.adds):
        raise UserError(_wrong_value(path, given, kind))


def _check_part(given: Given, path: str, part: str, kind: Kind, classes: dict[str, str]) -> None:
    """Checks an argument of an object whose class was named before."""
    if part == "class_path" and isinstance(given.value, str):
        _check_class(given, given.value, lambda: _classes_of(kind), path)
        classes[path] = given.value
        return
    name = part.removeprefix("init_args.")
    known = _classes_of(kind)
    class_name = classes.get(path) or _record_of(kind)
    signature = None if class_name is None else signature_of(known.get(class_name, class_name))
    if signature is None or not signature.complete or part in _OF_OBJECTS or "." in name:
        return
    parameters = {parameter.name: parameter for parameter in signature.parameters}
    if name in parameters:
        if not accepts(parameters[name].kind, given.value, adds=given.adds):
            raise UserError(_wrong_value(given.path, given, parameters[name].kind))
        return
    near = nearest(name, parameters)
    meant = f"did you mean {given.path.removesuffix(name)}{near}?" if near else f"it has {_choice(parameters)}."
    start = f"{class_name} has no argument {one_line(name, 60)}{_at(given)}: "
    raise UserError(_brief(start, meant, f"see {class_name}."))


def _record_of(kind: Kind) -> str | None:
    """The dataclass whose fields a key takes, in a list or alone, if it takes nothing else."""
    names = list(dict.fromkeys(kind.classes))
    found = find_dotted(names[0]) if len(names) == 1 else None
    return names[0] if found is not None and isinstance(found.node, ast.ClassDef) and is_record(found.node) else None


def _classes_of(kind: Kind) -> dict[str, str]:
    return {short: full for base in dict.fromkeys(kind.classes) for short, full in known_classes(base).items()}


def _check_class(given: Given, name: Any, classes: Callable[[], dict[str, str]], path: str = "model") -> None:
    """Refuses the name of a class that is a slip in a known one; others may be the user's own."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w.]+", name) or not name.rpartition(".")[2][:1].isupper():
        return
    short = name.rpartition(".")[2]
    known = classes()
    if short in known or signature_of(name) is not None:
        return
    near = nearest(short, known, _CLASS_ALIKE)
    if near is not None:
        shown = known[near] if "." in name else near
        raise UserError(f"There is no class '{one_line(name, 60)}' for {path}{_at(given)}: did you mean {shown}?")


def _wrong_value(path: str, given: Given, kind: Kind) -> str:
    words = [str(word) for word in dict.fromkeys(map(str, kind.words))]
    words += ["true", "false"] if "bool" in kind.types else []
    words += ["null"] if "null" in kind.types and given.place else []
    number = "a number" if "float" in kind.types else "a whole number" if "int" in kind.types else ""
    if "list" in kind.types:
        number = (
            "a list, as [a, b]"
            if kind.length is None
            else f"{kind.length} values, as [{', '.join('abcdefgh'[: kind.length])}]"
        )
    dashes = "" if given.place or "." in given.path else "--"
    shown = str(given.value).lower() if isinstance(given.value, bool) else given.value
    start = f"{dashes}{path} is '{one_line(shown, 60)}'{_at(given)}: "
    if is_not_finite(given.value) and number:
        return f"{start}{given.value} is not a finite number; give one that is."
    near = None if isinstance(given.value, list) else nearest(str(shown), words)
    verb = "choose" if kind.words else "give"
    choice = " or ".join(
        part for part in (f"{verb} {_choice(words)}" if words else "", f"give {number}" if number else "") if part
    )
    if near is None:
        return _brief(start, f"{choice}.", "`--help` lists what it takes.")
    return _brief(start, f"{choice}; did you mean '{near}'?", f"did you mean '{near}'?")


def _brief(start: str, end: str, otherwise: str) -> str:
    """A sentence, with the shorter ending if it would be too long."""
    return start + (end if len(start) + len(end) < LONGEST - len("gesturehand: ") else otherwise)


def _choice(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _at(given: Given) -> str:
    return f" ({given.place})" if given.place else ""
