"""A scheduler and its workers as separate processes, as somebody would start them on a cluster's machines."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: The environment of processes under test: they import what this one does, have one thread each, and may start others.
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "OMP_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
}
PATIENCE_S = 1800


class Machines:
    """A scheduler and two workers, which do not run in the client's folder.

    Args:
        folder: For what they write.
        settings: Environment variables of the scheduler.

    Attributes:
        address: The scheduler's address.
        scheduler: The scheduler's process.
        workers: The workers' processes, in the order of their start.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen] = []
        self.workers: list[subprocess.Popen] = []
        self.restart(**settings)

    def restart(self, port: int = 0, **settings: str) -> None:
        """Starts a scheduler, with two workers."""
        file = self.folder / f"scheduler{len(self._started)}.json"
        words = ("--host=127.0.0.1", f"--port={port}", "--no-dashboard", f"--scheduler-file={file}")
        self.scheduler = self._start("scheduler", *words, **settings)
        # The file is there before its contents are.
        until(lambda: file.exists() and file.read_text().rstrip().endswith("}"), self.scheduler)
        self.address = json.loads(file.read_text())["address"]
        for _ in range(2):
            self.worker()

    def worker(self, *words: str) -> subprocess.Popen:
        """Starts a further worker."""
        fixed = ("worker", self.address, "--memory-limit=0", "--no-nanny", "--no-dashboard")
        self.workers.append(self._start(*fixed, *(words or ("--nthreads=1",))))
        return self.workers[-1]

    def _start(self, kind: str, *words: str, **settings: str) -> subprocess.Popen:
        place = self.folder / f"{kind}{len(self._started)}"
        place.mkdir()
        with (place / "log.txt").open("wb") as log:
            program = Path(sys.executable).with_name("dask")
            self._started.append(started(program, kind, *words, cwd=place, stdout=log, stderr=log, settings=settings))
        return self._started[-1]

    def end(self) -> None:
        """Kills all processes."""
        for process in self._started:
            end(process)


@contextmanager
def machines(folder: Path, **settings: str) -> Iterator[Machines]:
    """A scheduler and two workers, each on a separate port, which are killed at the end."""
    folder.mkdir(exist_ok=True)
    running = Machines(folder, **settings)
    try:
        yield running
    finally:
        running.end()


def started(program: str | Path, *words: str, settings: dict[str, str] | None = None, **where) -> subprocess.Popen:
    """A program in a separate process group."""
    environment = {**os.environ, **ENVIRONMENT, **(settings or {})}
    return subprocess.Popen([program, *words], env=environment, start_new_session=True, **where)


def client(*words: str) -> subprocess.Popen:
    """A command in this process's folder, whose output can be read."""
    program = Path(sys.executable).with_name("gesturehand")
    return started(program, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> None:
    """Kills a process and those that it has started, if it is running."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill(process: subprocess.Popen) -> None:
    """Kills as a machine that loses power does."""
    assert process.poll() is None, process.communicate()
    end(process)


def until(true: Callable[[], object], process: subprocess.Popen | None = None) -> None:
    """Waits until something is true that a process is expected to bring about."""
    began = time.monotonic()
    while not true():
        assert process is None or process.poll() is None, f"{process.args} has ended"
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.02)
