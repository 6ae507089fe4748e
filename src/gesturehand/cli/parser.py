"""The parser of the command line: a mistake is one sentence, without the list of all options before it."""

import re
import sys
from typing import Final, NoReturn

from jsonargparse import ArgumentParser

#: Longest part of a message that is shown; the rest repeats the input.
_LONGEST: Final = 700
_NO_NUMBER: Final = re.compile(r"(?:value: |val=')([-+]?\.?(?:nan|inf(?:inity)?))\b", re.IGNORECASE)


class CommandParser(ArgumentParser):
    """The parser of jsonargparse, with short messages."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Says what is wrong and ends the process with status 2."""
        refuse(message)


def refuse(message: str) -> NoReturn:
    """Writes a parser's message as one sentence to the error stream and ends the process with status 2."""
    text = " ".join(message.split())
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
    if found := _NO_NUMBER.search(text):
        text += f"; {found[1]} is not a finite number, which this option needs"
    sys.stderr.write(f"gesturehand: {text.rstrip('.')}; `--help` lists the options.\n")
    raise SystemExit(2)
