"""The parsers of the command lines: a mistake is one sentence, without the list of all options before it."""

import re
import sys
from typing import Final, NoReturn

from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningArgumentParser

#: Of a parser's message; what follows repeats what it was given.
_LONGEST: Final = 700
_NO_NUMBER: Final = re.compile(r"(?:value: |val=')([-+]?\.?(?:nan|inf(?:inity)?))\b", re.IGNORECASE)


class CommandParser(ArgumentParser):
    """jsonargparse's."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Says what is wrong and ends the process with status 2."""
        _refuse(message)


class TrainingParser(LightningArgumentParser):
    """Lightning's."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """As of :class:`CommandParser`."""
        _refuse(message)


def _refuse(message: str) -> NoReturn:
    text = " ".join(message.split())
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
    if found := _NO_NUMBER.search(text):
        text += f"; {found[1]} is not a finite number, which this option needs"
    sys.stderr.write(f"gesturehand: {text.rstrip('.')}; `--help` lists the options.\n")
    raise SystemExit(2)
