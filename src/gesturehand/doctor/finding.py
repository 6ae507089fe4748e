"""Findings, and examinations that cannot fail or hang."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from gesturehand.errors import brief

State: TypeAlias = Literal["ok", "warning", "problem"]
#: Largest length of an error's text that is passed on.
_ERROR_LENGTH: Final = 240


class Finding(NamedTuple):
    """One thing that was examined.

    Attributes:
        name: The subject.
        value: The result.
        state: ``ok``; ``warning``: something works less well than it could; ``problem``: something does not work.
        remedy: The remedy; empty if there is nothing to do.
    """

    name: str
    value: str
    state: State = "ok"
    remedy: str = ""

    @classmethod
    def judged(cls, name: str, value: str, good: bool, remedy: str, otherwise: State = "warning") -> "Finding":
        """A finding, with its remedy unless it is good."""
        return cls(name, value) if good else cls(name, value, otherwise, remedy)


#: The output of an examination in a separate process: findings, and before each the name of the next subject.
Examination: TypeAlias = Iterator[Finding | str]


def guarded(name: str, examine: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Findings of an examination; a failure of the examination is itself a finding.

    Args:
        name: The subject.
        examine: The examination.
    """
    found = []
    try:
        for finding in examine():
            found.append(finding)
    except Exception as error:  # of whatever is broken
        found.append(Finding(name, f"could not be examined: {brief(error)}", "problem", "report this as a bug"))
    return found


def examined_apart(module: str, function: str, patience_s: float, *words: str) -> list[Finding]:
    """Findings of an examination in a separate process, which may crash or hang.

    Args:
        module: Dotted name of the module.
        function: A function of it that takes words and returns an :data:`Examination`.
        patience_s: Seconds after which the process is ended.
        words: The function's arguments.
    """
    program = (
        "import json, sys\n"
        f"from {module} import {function} as examine\n"
        "for found in examine(*sys.argv[1:]):\n"
        "    print(json.dumps(found), flush=True)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, errors="replace")
        output, errors, end = done.stdout, done.stderr, _end_of(done.returncode)
    except subprocess.TimeoutExpired as expired:
        kept = expired.stdout or b""
        output = kept if isinstance(kept, str) else kept.decode(errors="replace")
        errors, end = "", f"did not answer within {patience_s:.0f} s"
    found: list[Finding] = []
    examining = "start"
    for line in output.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue  # output of a library
        if isinstance(content, str):
            examining = content
        elif isinstance(content, list):
            found.append(Finding(*content))
    if end:
        last = errors.strip().splitlines()[-1][:_ERROR_LENGTH] if errors.strip() else ""
        value = f"the process {end}" + (f": {last}" if last else "")
        found.append(Finding(examining, value, "problem", "install it again, in the version of constraints.txt"))
    return found


def _end_of(code: int) -> str:
    if code == 0:
        return ""
    if code < 0:
        names = {int(number): number.name for number in signal.Signals}
        return f"was ended by {names.get(-code, f'signal {-code}')}"
    return f"failed with exit code {code}"
