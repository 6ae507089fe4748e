"""``gesturehand``: one dispatcher over training, data and hand-model commands."""

import errno
import importlib
import inspect
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

from gesturehand.errors import UserError

#: A full disk or quota, a file that is too large; and places that cannot be: no permission, a file among the folders.
_DISK_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_PLACE_ERRORS: Final = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
_TRAINING: Final = {
    "fit": "train a stage: --config experiments/….yaml",
    "validate": "evaluate a run on the validation split",
    "test": "evaluate a run on the test split: --run runs/…/<time>",
}
#: Commands of their own: a module of the same name with a function of the same name.
_COMMANDS: Final = {
    "evaluate": "score saved predictions without a model: --predictions P.npz --data FOLDER",
    "predict": "run a trained network on images, folders or videos: predict IMAGE --output FOLDER",
    "app": "a page for the browser: photo, camera or short video in; hands in 3D out",
    "export": "write a trained network as ONNX or PyTorch program: --format onnx --out model.onnx",
    "sweep": "search settings: --file experiments/sweeps/….yaml",
    "ablation": "the paper's comparison, with tables and pictures: --size quick",
    "experiments": "list the experiments that come with the package",
    "init": "copy experiments, notebooks and a Makefile to start from: init FOLDER",
}
#: Commands that take words without a --name: the function's argument, how many, how the help shows it, its help.
_POSITIONAL: Final = {
    "predict": ("inputs", "+", "IMAGE|FOLDER|VIDEO", "Images, folders, videos, cameras."),
    "init": ("folder", None, "FOLDER", "The folder, which is made if it is not there."),
    "run show": ("run", None, "RUN", "Folder of the run, the name of one as `run list` has it, or latest."),
    "run compare": ("names", "+", "RUN", "Folders of runs, their names as `run list` has them, or latest."),
}
_GROUPS: Final = {
    "data": {
        "synth": "write the open synthetic set",
        "synth_photo": "write the photo-like open set",
        "show": "draw annotations over crops",
        "gallery": "draw the gesture poses",
        "samples": "draw whole frames side by side",
        "stats": "count a set; errors of the mean pose and of a gesture oracle",
        "import": "make images and joints of yours a set",
        "index": "build the memory-mapped index of annotation files",
        "check": "list what is wrong in a data set",
    },
    "hand": {"info": "show a hand model", "convert": "turn a MANO pickle into .npz"},
    "submission": {
        "write": "write the archive that FreiHAND's or HO-3D's server takes",
        "check": "check such an archive before it is uploaded",
        "score": "score one as the server does, where the annotations are there",
    },
    "run": {
        "list": "list the runs: stage, backbone, best metric, whether it has finished",
        "show": "show what a run trained and what came of it: run show RUN",
        "compare": "set runs side by side: settings that differ, metrics, curves: run compare RUN RUN …",
        "summary": "compare a tested run with its baselines",
        "latest": "print the newest finished run",
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without the program's name; None for the process's own.

    Returns:
        The exit code: 0; 130 after an interrupt; 2 after a :class:`~gesturehand.errors.UserError`, which is printed as
        one sentence.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_overview())
        return 0
    if words[0] == "--version":
        from gesturehand import __version__

        sys.stdout.write(f"gesturehand {__version__}\n")
        return 0
    words = _with_signs(words)
    try:
        _dispatch(words)
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(": ".join(["gesturehand: interrupted", *map(str, interrupt.args)]) + "\n")
        return 130
    except Exception as error:
        mistake = _user_error(error)
        if mistake is None:
            raise
        sys.stderr.write(f"gesturehand: {_sentence(mistake)}\n")
        return 2
    return 0


def _with_signs(words: list[str]) -> list[str]:
    """Joins an option to a value that begins with a minus and a digit, which argparse takes for another option."""
    joined: list[str] = []
    for word in words:
        if joined and re.match(r"-\.?\d", word) and re.fullmatch(r"--[\w.+-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    # A value that is true or false may be left out of the one option that says how to print.
    pairs = zip(joined, [*joined[1:], ""], strict=True)
    return ["--json=true" if word == "--json" and after not in ("true", "false") else word for word, after in pairs]


def _dispatch(words: list[str]) -> None:
    # Read by the libraries when they are imported: no look for a newer version, no banner.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    os.environ.setdefault("WANDB_SILENT", "true")
    # Whatever library loads a checkpoint within a command, none may run code.
    os.environ.setdefault("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    command = words[0]
    if command in _TRAINING:
        from gesturehand.cli.train import train

        train(words)
    elif command in _POSITIONAL:
        _run_with_words(command, words[1:])
    elif " ".join(words[:2]) in _POSITIONAL:
        _run_with_words(" ".join(words[:2]), words[2:])
    elif command in _COMMANDS or command in _GROUPS:
        import jsonargparse

        from gesturehand.cli.experiment_files import expand_configs
        from gesturehand.cli.parser import CommandParser
        from gesturehand.cli.yaml_guard import guard_yaml

        guard_yaml()
        words = expand_configs(words, lambda _: None)
        jsonargparse.auto_cli(
            _functions(command),
            args=words[1:],
            prog=f"gesturehand {command}",
            as_positional=False,
            parser_class=CommandParser,
        )
    else:
        known = ", ".join([*_TRAINING, *_COMMANDS, *_GROUPS])
        raise UserError(f"There is no command '{command}': choose one of {known}.")


def _run_with_words(command: str, words: list[str]) -> None:
    """A command whose words stand for themselves, as in ``predict a.jpg b.jpg --output out``."""
    from gesturehand.cli.parser import CommandParser
    from gesturehand.cli.yaml_guard import guard_yaml

    guard_yaml()
    argument, number, shown, text = _POSITIONAL[command]
    if not words:
        raise UserError(f"Nothing to {command}: give {shown}; `gesturehand {command} --help` lists the options.")
    group, _, name = command.partition(" ")
    function = _functions(group)[name] if name else _functions(group)
    description = (inspect.getdoc(function) or "").partition("\n\nArgs:")[0]
    parser = CommandParser(prog=f"gesturehand {command}", description=description)
    parser.add_function_arguments(function, as_group=False, as_positional=False, skip={argument})
    parser.add_argument(argument, nargs=number, type=str, metavar=shown, help=text)
    function(**parser.parse_args(words).as_dict())


def _functions(group: str) -> Any:
    """A command's function or a group's by name; imported here so that one does not load what another needs."""
    module = importlib.import_module(f"gesturehand.cli.{group}")
    if group in _COMMANDS:
        return getattr(module, group)
    # A function cannot be called `import`, and should not be called `list`.
    return {name: getattr(module, name if hasattr(module, name) else f"{name}_") for name in _GROUPS[group]}


def _overview() -> str:
    lines = ["usage: gesturehand COMMAND [OPTIONS]", "", "commands (each has --help):"]
    rows = [*_TRAINING.items(), *_COMMANDS.items()]
    rows += [(f"{group} {name}", text) for group, names in _GROUPS.items() for name, text in names.items()]
    lines += [f"  {name:<14} {text}" for name, text in rows]
    return "\n".join(lines) + "\n"


def _user_error(error: BaseException | None) -> UserError | None:
    """The user's mistake behind an error: argument parsers wrap what a constructor raises in errors of their own."""
    while error is not None and not isinstance(error, UserError):
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            # Of two files, the second is the one that is written.
            name = error.filename2 or error.filename
            where = f"'{name}'" if name else "A file"
            return UserError(f"{where} cannot be written ({error.strerror}): make room, or write elsewhere.")
        if isinstance(error, OSError) and error.errno in _PLACE_ERRORS and error.filename:
            return UserError(f"'{error.filename}' cannot be opened ({error.strerror}): check the path.")
        error = error.__cause__
    return error


def _sentence(error: UserError) -> str:
    """A worker process hands an error on with its traceback in front; the sentence is its last line."""
    kind = type(error)  # the worker's, which may be a class derived from UserError
    return str(error).strip().splitlines()[-1].removeprefix(f"{kind.__module__}.{kind.__qualname__}: ")
