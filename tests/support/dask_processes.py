"""A scheduler and two workers of Dask as processes of their own, as somebody would start them on a cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
#: Processes that are tested import this checkout, with a thread each.
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
PATIENCE_S = 1800


class Machines(NamedTuple):
    """Attributes:
    address: Of the scheduler.
    workers: Its workers' processes.
    """

    address: str
    workers: list[subprocess.Popen]


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """A scheduler and two workers, each on a port of its own, which work in other folders than the client."""
    with ExitStack() as started:

        def start(name: str, *words: str) -> subprocess.Popen:
            place = folder / name
            place.mkdir()
            with (place / "log.txt").open("wb") as log:
                process = subprocess.Popen(
                    [Path(sys.executable).with_name("dask"), *words],
                    cwd=place,
                    env={**os.environ, **ENVIRONMENT},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            started.callback(end, process)
            return process

        file = folder / "scheduler.json"
        start("scheduler", "scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={file}")
        until(file.exists)
        address = json.loads(file.read_text())["address"]
        words = ("worker", address, "--nthreads=1", "--memory-limit=0", "--no-nanny", "--no-dashboard")
        workers = [start(f"worker{number}", *words) for number in range(2)]
        yield Machines(address, workers)


def end(process: subprocess.Popen) -> None:
    """Kills a process."""
    process.kill()
    process.wait()


def client(*words: str) -> subprocess.Popen:
    """A command, in this process's folder."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("gesturehand"), *words],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(process: subprocess.Popen) -> None:
    """As the system kills a process that takes too much memory."""
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def until(true: Callable[[], object]) -> None:
    """Waits until something is true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.01)
