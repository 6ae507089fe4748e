"""All subjects together, as text that can be pasted into an issue and as JSON; nothing private is in either."""

import getpass
import importlib
import os
import re
import socket
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from gesturehand.doctor.finding import Finding, State, guarded

#: From harmless to serious.
STATES: Final[tuple[State, ...]] = ("ok", "warning", "problem")
#: Shorter names of people and machines identify nobody.
_SHORTEST_NAME: Final = 3
_SECRET_VARIABLE: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET: Final = 8
_NAME_WIDTH: Final = 26
#: Width of the text if there is no terminal that it must fit into.
WIDTH: Final = 110


def examine(
    root: str = "data/openhand",
    *,
    runs: str = "runs",
    mano: str | None = None,
    cluster: str | None = None,
    network: bool = True,
    begins: Callable[[str], object] = lambda subject: None,
) -> dict[str, list[Finding]]:
    """Examines every subject.

    Args:
        root: The dataset's folder.
        runs: The folder of all runs.
        mano: MANO's folder or file; None if there is none.
        cluster: Address of a cluster's scheduler; None if there is none.
        network: Whether to contact anything beyond this machine.
        begins: Called with each subject before it is examined.

    Returns:
        Findings by subject, without private words.
    """
    examinations = {
        "versions": partial(_subject, "versions", "versions"),
        "devices": partial(_subject, "devices", "devices"),
        "cores and memory": partial(_subject, "cores", "cores"),
        "storage": partial(_subject, "storage", "storage", root, runs),
        "network": partial(_subject, "network", "network", cluster),
        "hand models": partial(_subject, "hands", "hands", mano),
        "extras": partial(_subject, "versions", "extras"),
    }
    if not network:
        del examinations["network"]
    hide = private_words_hidden()
    found = {}
    for subject, examination in examinations.items():
        begins(subject)
        rows = guarded(subject, examination)
        found[subject] = [row._replace(value=hide(row.value), remedy=hide(row.remedy)) for row in rows]
    return found


def _subject(module: str, name: str, *arguments: Any) -> Iterable[Finding]:
    """A subject's findings; it is imported within its own examination, so that a failing import is a finding."""
    examination = getattr(importlib.import_module(f"gesturehand.doctor.{module}"), name)
    return cast("Iterable[Finding]", examination(*arguments))


def private_words_hidden() -> Callable[[str], str]:
    """A function that replaces home folders, people's and machines' names, and keys in a text."""
    homes = {str(Path.home()), os.environ.get("HOME", ""), os.environ.get("USERPROFILE", "")} - {"", "/"}
    homes |= {os.path.realpath(home) for home in homes}
    secrets = [
        value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name) and len(value) >= _SHORTEST_SECRET
    ]
    users = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    with suppress(OSError, KeyError, ImportError):  # a number without a name, as in containers
        users.add(getpass.getuser())
    users = {name for name in users if len(name) >= _SHORTEST_NAME}
    machine = socket.gethostname()
    machines = {name for name in (machine, machine.partition(".")[0]) if len(name) >= _SHORTEST_NAME} - {"localhost"}

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        text = re.sub(r"(?<=://)[^/@\s]+@", "", text)
        for home in sorted(homes, key=len, reverse=True):
            text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
        for name in users:
            # Only as a folder: such a name may be an ordinary word.
            text = re.sub(rf"(?<=[/\\]){re.escape(name)}(?![\w.-])", "USER", text)
        for name in sorted(machines, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "HOST", text)
        # Other people's homes.
        return re.sub(r"(?<![\w.])(/home/|/Users/|[A-Z]:\\Users\\)[^/\\\s'\"]+", r"\1USER", text)

    return hide


def worst(found: Mapping[str, Iterable[Finding]]) -> State:
    """The most serious state of all findings."""
    return max((row.state for rows in found.values() for row in rows), key=STATES.index, default="ok")


def summary_line(found: Mapping[str, Iterable[Finding]]) -> str:
    """A sentence on the number of problems and warnings."""
    states = [row.state for rows in found.values() for row in rows]
    parts = []
    for state in ("problem", "warning"):
        number = states.count(state)
        if number:
            parts.append(f"{number} {state}{'s' if number > 1 else ''}")
    return f"{' and '.join(parts)}." if parts else "No problems."


def report_lines(found: Mapping[str, Iterable[Finding]], width: int = WIDTH) -> Iterator[tuple[State | None, str]]:
    """The report's lines, and the state of the finding that one begins; None for the others.

    Args:
        found: Findings by subject.
        width: Largest number of characters in a line.
    """
    indent = " " * (2 + 9 + _NAME_WIDTH)
    for subject, rows in found.items():
        yield None, subject
        for row in rows:
            # A path is not split, so that it can be copied.
            wrapped = _wrapped(row.value, width - len(indent))
            yield row.state, f"  {row.state:<9}{row.name:<{_NAME_WIDTH - 1}} {wrapped[0]}"
            for line in wrapped[1:]:
                yield None, f"{indent}{line}"
            for number, line in enumerate(_wrapped(row.remedy, width - len(indent) - 2) if row.remedy else []):
                yield None, f"{indent}{'  ' if number else '→ '}{line}"
        yield None, ""
    yield None, summary_line(found)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 30), break_long_words=False, break_on_hyphens=False) or [""]


def report_json(found: Mapping[str, Iterable[Finding]]) -> dict[str, Any]:
    """``state`` of all together, and ``findings``: each a subject, name, value, state and remedy."""
    rows = [{"subject": subject, **row._asdict()} for subject, rows in found.items() for row in rows]
    return {"state": worst(found), "findings": rows}
