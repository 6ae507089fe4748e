"""``gesturehand``: one dispatcher over training, data and hand-model commands."""

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import Final

from gesturehand.cli.commands import COMMANDS, GROUPS, TRAINING, all_commands, split_command
from gesturehand.cli.experiments import expand_configs
from gesturehand.cli.keys.check import all_given, check_line, check_paths, model_of
from gesturehand.cli.keys.given import read_line
from gesturehand.cli.keys.help_text import group_help, help_text, overview
from gesturehand.errors import UserError, printable
from gesturehand.suggestions import did_you_mean, nearest

#: A full disk or quota, a file that is too large, and impossible places: no permission, a file among the folders.
_DISK_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_PLACE_ERRORS: Final = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
_HELP: Final = ("-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without the program's name; None for the process's own.

    Returns:
        The exit code: 0; 130 after an interrupt; 2 after a :class:`~gesturehand.errors.UserError`, which is printed as
        one sentence.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in _HELP:
        sys.stdout.write(overview())
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
    # A value of true or false may be omitted only for the option that says how to print.
    pairs = zip(joined, [*joined[1:], ""], strict=True)
    return ["--json=true" if word == "--json" and after not in ("true", "false") else word for word, after in pairs]


def _dispatch(words: list[str]) -> None:
    if words[0] in GROUPS and (len(words) == 1 or words[1] in _HELP):
        sys.stdout.write(group_help(words[0]))
        return
    if words[0] in GROUPS and words[1].startswith("-"):
        from gesturehand.cli.parser import run_group

        run_group(words)
        return
    command, rest = split_command(words)
    if command not in all_commands():
        raise UserError(_unknown_command(words))
    training = command in TRAINING
    if training:
        from gesturehand.cli.training.preflight import expand_run

        rest = expand_run(words)[1:]
    # Training expands its words itself, and says what it has chosen.
    rest = expand_configs(rest, lambda _: None)
    if any(word in _HELP for word in rest):
        model = model_of(all_given(read_line(rest))) if training else None
        sys.stdout.write(help_text(command, model))
        return
    check_line(command, rest)
    if training:
        from gesturehand.cli.training.preflight import check_training

        check_training(command, rest)
    else:
        check_paths(command, rest)
    # Read by the libraries when they are imported: no check for a newer version, no banner.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    os.environ.setdefault("WANDB_SILENT", "true")
    # No library that loads a checkpoint within a command may run code.
    os.environ.setdefault("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    if training:
        from gesturehand.cli.train import train

        train(words)
    else:
        from gesturehand.cli.parser import run_function

        run_function(command, rest)


def _unknown_command(words: list[str]) -> str:
    name = words[0]
    if name in GROUPS:
        near = nearest(words[1], GROUPS[name])
        meant = f"did you mean '{name} {near}'?" if near else f"`gesturehand {name} --help` lists the commands."
        return f"There is no command '{name} {words[1]}': {meant}"
    known = [*TRAINING, *COMMANDS, *GROUPS]
    if name.startswith("-"):
        meant = did_you_mean(name, ("--help", "--version"), "`gesturehand --help` lists the commands.")
        return f"There is no option {name} without a command: {meant}"
    members = {member: f"{group} {member}" for group, names in GROUPS.items() for member in names}
    near = nearest(name, known) or members.get(nearest(name, members) or "")
    return f"There is no command '{name}': " + (
        f"did you mean '{near}'?" if near else f"choose one of {', '.join(known)}."
    )


def _user_error(error: BaseException | None) -> UserError | None:
    """The user's mistake behind an error: argument parsers wrap a constructor's errors in their own."""
    while error is not None and not isinstance(error, UserError):
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            # If there are two files, the second is the one that is written.
            name = error.filename2 or error.filename
            where = f"'{name}'" if name else "A file"
            return UserError(f"{where} cannot be written ({error.strerror}): make room, or write elsewhere.")
        if isinstance(error, OSError) and error.errno in _PLACE_ERRORS and error.filename:
            return UserError(f"'{error.filename}' cannot be opened ({error.strerror}): check the path.")
        if isinstance(error, ValueError) and str(error) == "embedded null byte":
            return UserError("A path contains a zero byte, which no file's name can: correct it.")
        error = error.__cause__
    return error


def _sentence(error: UserError) -> str:
    """The sentence in one line; a worker process hands it on with its traceback in front."""
    kind = type(error)  # the worker's, which may be a class derived from UserError
    traceback, _, sentence = str(error).strip().rpartition(f"\n{kind.__module__}.{kind.__qualname__}: ")
    return printable(sentence if traceback else str(error).strip())
