"""The keys that a command takes, from the source of the code that they set."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, NamedTuple

from gesturehand.cli.commands import POSITIONAL, TRAINING, function_of
from gesturehand.cli.keys.signature import REQUIRED, Kind, Parameter, bases_of, kind_of, signature_of
from gesturehand.cli.keys.source import find_dotted, tree_of, value_of

TRAINER: Final = "pytorch_lightning.Trainer"
CHECKPOINT: Final = "pytorch_lightning.callbacks.ModelCheckpoint"
DATA: Final = "gesturehand.InterHandDataModule"
#: The module that adds a training's own keys to its parser.
_RUN_KEYS: Final = "gesturehand.cli.training.parser"
_STAGE: Final = "gesturehand.trainers.training_stage.TrainingStage"
#: Arguments of the trainer's methods that are objects, not keys.
_OBJECTS: Final = ("model", "datamodule", "dataloaders", "train_dataloaders", "val_dataloaders")
#: The accepted words of keys that in Lightning's source take any text.
_WORDS: Final = {
    "checkpoint.mode": ("min", "max"),
    "trainer.gradient_clip_algorithm": ("norm", "value"),
    "trainer.profiler": ("simple", "advanced", "pytorch"),
}
_TEXT: Final = Kind(types=frozenset({"str"}))
_SWITCH: Final = Kind(types=frozenset({"bool"}))
#: Keys of every training that belong to no class.
_TRAINING_KEYS: Final = (
    Parameter("config", _TEXT, None, "File of keys, YAML; where a key is given twice, the last one counts."),
    Parameter("run", _TEXT, None, "Folder of a run, or latest: stands for its config.yaml and its best checkpoint."),
    Parameter("seed_everything", Kind(types=frozenset({"int", "bool"})), 0, "Seed of all random numbers."),
    Parameter("trust_config", _SWITCH, False, "Let a configuration name classes of any package."),
)  # fmt: skip
_PRINT: Final = Parameter("print_config", Kind(), None, "Print all keys with their values, and end.")
_FILE: Final = Parameter("config", _TEXT, None, "File of these options, YAML.")


class Key(NamedTuple):
    """A key.

    Attributes:
        path: As in YAML, with dots: ``data.image_size``.
        parameter: The parameter that it sets.
    """

    path: str
    parameter: Parameter


@dataclass(frozen=True)
class KnownKeys:
    """The keys of a command.

    Attributes:
        command: The command.
        groups: Keys by the title of their group.
        open: Sections that may have further keys, since not all code that they set could be read.
        text: The command's description.
    """

    command: str
    groups: dict[str, list[Key]]
    open: tuple[str, ...] = ()
    text: str = ""
    by_path: dict[str, Key] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_path", {key.path: key for keys in self.groups.values() for key in keys})


def known_keys(command: str, model: str | None = None) -> KnownKeys:
    """The keys of a command.

    Args:
        command: As in :func:`~gesturehand.cli.commands.all_commands`.
        model: For training, the class that is trained; if not given, the keys of all of this library's models.
    """
    return _keys_of_training(command, model) if command in TRAINING else _keys_of_function(command)


@cache
def model_classes() -> dict[str, str]:
    """The classes that can be trained, as a configuration names them, by their short names."""
    names = {name: f"gesturehand.{name}" for name in _reexported("gesturehand")}
    return {name: full for name, full in names.items() if _STAGE in bases_of(full) and not _is_abstract(full)}


@cache
def known_classes(base: str) -> dict[str, str]:
    """Classes of this library and of Lightning for a key that takes an object of a class, by their short names.

    Args:
        base: Dotted name, in the defining module, of the class that the key takes.
    """
    package = base.rsplit(".", 2)[0]
    names = {name: f"{package}.{name}" for name in _reexported(package)}
    names |= {name: f"gesturehand.callbacks.{name}" for name in _reexported("gesturehand.callbacks")}
    return {name: full for name, full in names.items() if base in bases_of(full)}


def _keys_of_function(command: str) -> KnownKeys:
    signature = signature_of(function_of(command))
    assert signature is not None, command
    positional = POSITIONAL.get(command)
    parameters = [p for p in signature.parameters if positional is None or p.name != positional.name]
    required = [p for p in parameters if p.default is REQUIRED]
    groups = {"needed": required, "options": [p for p in parameters if p.default is not REQUIRED]}
    groups["others"] = [_FILE, _PRINT]
    return KnownKeys(command, _as_keys(groups, {}), text=signature.text)


def _keys_of_training(command: str, model: str | None) -> KnownKeys:
    groups: dict[str, list[Parameter]] = {"run": [*_TRAINING_KEYS[:2], _PRINT, *_TRAINING_KEYS[2:], *_added_keys()]}
    prefixes: dict[str, str] = {}
    opened: list[str] = []

    def add(title: str, section: str, parameters: Iterable[Parameter] | None, *, complete: bool) -> None:
        groups[title] = list(parameters or ())
        prefixes[title] = f"{section}."
        if parameters is None or not complete:
            opened.append(section)

    def add_class(title: str, section: str, name: str, defaults: dict[str, Any] | None = None) -> None:
        signature = signature_of(name)
        parameters = None if signature is None else signature.parameters
        if parameters is not None and defaults:
            parameters = tuple(p._replace(default=defaults.get(p.name, p.default)) for p in parameters)
        add(title, section, parameters, complete=signature is not None and signature.complete)

    add_class(f"data ({DATA})", "data", DATA)
    if model is not None:
        add_class(f"model ({model})", "model.init_args", model)
    else:
        for names, parameters in _of_all_models().items():
            add(f"model ({', '.join(names)})", "model.init_args", parameters, complete=True)
    add_class("checkpoint", "checkpoint", CHECKPOINT, _defaults_of("checkpoint"))
    add_class("trainer", "trainer", TRAINER)
    method = signature_of(f"{TRAINER}.{command}")
    groups["run"] += [p for p in (method.parameters if method else ()) if p.name not in _OBJECTS]
    return KnownKeys(command, _as_keys(groups, prefixes), tuple(opened))


def _as_keys(
    groups: dict[str, Sequence[Parameter]] | dict[str, list[Parameter]], prefixes: dict[str, str]
) -> dict[str, list[Key]]:
    return {
        title: [_key(f"{prefixes.get(title, '')}{parameter.name}", parameter) for parameter in parameters]
        for title, parameters in groups.items()
        if parameters
    }


def _key(path: str, parameter: Parameter) -> Key:
    if path not in _WORDS:
        return Key(path, parameter)
    kind = parameter.kind
    return Key(path, parameter._replace(kind=replace(kind, words=_WORDS[path], types=kind.types - {"str"})))


def _of_all_models() -> dict[tuple[str, ...], list[Parameter]]:
    """Parameters by the classes that have them, with the same default and description."""
    owners: dict[Parameter, list[str]] = {}
    for short, full in model_classes().items():
        signature = signature_of(full)
        for parameter in signature.parameters if signature else ():
            owners.setdefault(parameter, []).append(short)
    groups: dict[tuple[str, ...], list[Parameter]] = {}
    for parameter, names in sorted(owners.items(), key=lambda item: -len(item[1])):
        groups.setdefault(tuple(names), []).append(parameter)
    return groups


@cache
def _added_keys() -> tuple[Parameter, ...]:
    """The keys that the source of a training's parser adds one by one."""
    added = []
    for call in _calls("add_argument"):
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        added.append(
            Parameter(
                value_of(call.args[0], _RUN_KEYS).removeprefix("--"),
                kind_of(options.get("type"), _RUN_KEYS),
                value_of(options["default"], _RUN_KEYS) if "default" in options else None,
                value_of(options["help"], _RUN_KEYS) if "help" in options else "",
            )
        )
    return tuple(added)


def _defaults_of(section: str) -> dict[str, Any]:
    """The defaults that the source of a training's parser gives a section's keys."""
    given: dict[str, Any] = {}
    for call in _calls("set_defaults"):
        given |= value_of(call.args[0], _RUN_KEYS)
    return {key.removeprefix(f"{section}."): value for key, value in given.items() if key.startswith(f"{section}.")}


def _calls(method: str) -> Iterator[ast.Call]:
    tree = tree_of(_RUN_KEYS)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield node


def _reexported(package: str) -> list[str]:
    """Names of classes that a package's ``__init__`` imports."""
    tree = tree_of(package)
    nodes = ast.walk(tree) if tree else ()
    names = [alias.asname or alias.name for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names]
    return [name for name in names if name[:1].isupper()]


def _is_abstract(name: str) -> bool:
    found = find_dotted(name)
    return found is not None and any(
        isinstance(part, ast.FunctionDef)
        and any(ast.unparse(d).endswith("abstractmethod") for d in part.decorator_list)
        for part in getattr(found.node, "body", ())
    )
