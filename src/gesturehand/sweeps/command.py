"""The command of a trial, as W&B's agent would run it.

Source: W&B's documentation of sweep configuration keys (command macros).
"""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gesturehand.errors import UserError

DEFAULT_COMMAND: Final = ("${env}", "${interpreter}", "${program}", "${args}")
_ENVIRONMENT_VARIABLE: Final = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
_Arguments = Mapping[str, Any]
#: What each macro stands for.
_ARGUMENT_MACROS: Final[dict[str, Callable[[_Arguments], list[str]]]] = {
    "args": lambda args: [f"--{name}={value}" for name, value in args.items()],
    "args_no_equals": lambda args: [word for name, value in args.items() for word in (f"--{name}", str(value))],
    "args_no_hyphens": lambda args: [f"{name}={value}" for name, value in args.items()],
    "args_no_boolean_flags": lambda args: [
        f"--{name}" if value is True else f"--{name}={value}" for name, value in args.items() if value is not False
    ],
    "args_append_hydra": lambda args: [f"+{name}={value}" for name, value in args.items()],
    "args_override_hydra": lambda args: [f"++{name}={value}" for name, value in args.items()],
    "args_json": lambda args: [json.dumps(dict(args))],
}
_PLAIN_MACROS: Final = ("env", "interpreter", "program")


def render_command(command: Sequence[Any], program: str, args: _Arguments) -> list[str]:
    """Words of the command.

    Args:
        command: The sweep's ``command``.
        program: The sweep's ``program``.
        args: The trial's values by name.

    Raises:
        UserError: A macro that cannot be honoured.

    Example:
        >>> render_command(["${interpreter}", "${program}", "${args}"], "train.py", {"depth": 2, "fusion": "cross"})
        ['python', 'train.py', '--depth=2', '--fusion=cross']
    """
    plain = {"env": "/usr/bin/env", "interpreter": "python", "program": program}
    words: list[str] = []
    for chunk in command:
        word = _ENVIRONMENT_VARIABLE.sub(lambda match: os.environ.get(match[1], match[1]), str(chunk))
        if not (word.startswith("${") and word.endswith("}")):
            words.append(word)
            continue
        macro = word[2:-1]
        if macro in plain:
            words.append(plain[macro])
        elif macro in _ARGUMENT_MACROS:
            words += _ARGUMENT_MACROS[macro](args)
        else:
            known = ", ".join(f"${{{name}}}" for name in (*_PLAIN_MACROS, *_ARGUMENT_MACROS, "envvar:NAME"))
            raise UserError(f"The sweep's command has the macro '{word}', which is not run locally: use {known}.")
    return words
