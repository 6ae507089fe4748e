"""The number of files that are tried, the watch over reading them, and the figures of a long run."""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gesturehand.errors import UserError

#: Number of files of each kind; `make fuzz` tries many more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
#: Seconds that one file may take.
PATIENCE = 30

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

_outcomes: dict[str, Counter[str]] = {}
#: Audit events of running something else while a file is read.
_ran: list[str] = []
_watching = False
_RUNS = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "shutil.rmtree",
    "socket.connect",
)


def _watch(event: str, arguments: tuple) -> None:
    if _watching and event in _RUNS:
        _ran.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_watch)


@pytest.fixture
def attempt():
    """Reads one file: it loads, or the project's own error says why it does not; nothing is run, and nothing hangs."""

    @contextmanager
    def reading(kind: str) -> Iterator[None]:
        global _watching

        def too_long(signum, frame):
            raise TimeoutError(f"reading took more than {PATIENCE} seconds")

        before = signal.signal(signal.SIGALRM, too_long)
        signal.alarm(PATIENCE)
        _watching = True
        outcome = "loaded"
        try:
            yield
        except UserError:
            outcome = "refused"
        finally:
            _watching = False
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        assert not _ran, _ran
        _outcomes.setdefault(kind, Counter())[outcome] += 1

    return reading


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if "FUZZ_OUT" in os.environ and _outcomes:
        kinds = {kind: {"tried": sum(c.values()), **dict(sorted(c.items()))} for kind, c in sorted(_outcomes.items())}
        result = {
            "command": "make fuzz",
            "files_of_each_kind": EXAMPLES,
            "passed": int(exitstatus) == 0,
            "kinds": kinds,
        }
        Path(os.environ["FUZZ_OUT"]).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
