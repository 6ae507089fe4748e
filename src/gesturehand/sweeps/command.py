"""The command of a trial, as W&B's agent would run it.

Source: W&B's documentation of sweep configuration keys (command macros).
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gesturehand.errors import UserError

DEFAULT_COMMAND: Final = ("${env}", "${interpreter}", "${program}", "${args}")
_ENVIRONMENT_VARIABLE: Final = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")


def render_command(command: Sequence[Any], program: str, args: Mapping[str, Any]) -> list[str]:
    """Words of the command.

    Args:
        command: The sweep's ``command``.
        program: The sweep's ``program``.
        args: The trial's values by name.

    Raises:
        UserError: The command has a macro that a local sweep does not replace.

    Example:
        >>> render_command(["${interpreter}", "${program}", "${args}"], "train.py", {"depth": 2, "fusion": "cross"})
        ['python', 'train.py', '--depth=2', '--fusion=cross']
    """
    macros = {
        "${env}": ["/usr/bin/env"],
        "${interpreter}": ["python"],
        "${program}": [program],
        "${args}": [f"--{name}={value}" for name, value in args.items()],
    }
    words: list[str] = []
    for chunk in command:
        word = _ENVIRONMENT_VARIABLE.sub(lambda match: os.environ.get(match[1], match[1]), str(chunk))
        if word.startswith("${") and word.endswith("}") and word not in macros:
            raise UserError(
                f"The sweep's command has the macro '{word}', which a local sweep does not replace: use "
                f"{', '.join(macros)}, ${{envvar:NAME}}, or run the sweep with W&B."
            )
        words += macros.get(word, [word])
    return words
