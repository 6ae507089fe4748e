"""A piece of work, and the way in which a worker does it."""

import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, try_lock


@dataclass(frozen=True)
class Task:
    """A piece of work that a worker does.

    It may be done twice, and even twice at once, if a worker is lost and found again: what it writes must appear whole
    or not at all (:mod:`gesturehand.file_writing`) and must not depend on which worker wrote it.

    Attributes:
        name: Unique; progress and failures name it.
        run: The function that the worker calls. Its result is in files in a shared folder, or is a small value.
        arguments: Arguments of ``run``; paths among them must be absolute, since a worker runs in another folder.
        needs: Names of the tasks that must be done before; those that are not among the tasks of the run count as done.
        weight: Its share of the progress bar.
    """

    name: str
    run: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Failure:
    """A task that could not be done.

    Attributes:
        name: The task's.
        reason: The reason, as the end of a sentence.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class Terms(NamedTuple):
    """The things on which a worker must agree with its client.

    Attributes:
        proof: A file in the shared folder, or None.
        versions: Versions of Python and packages, by name.
    """

    proof: str | None
    versions: tuple[tuple[str, str | None], ...]


class Unfit(UserError):
    """A worker that cannot do any task of this client."""


def do_task(pickled: bytes, terms: Terms) -> Any:
    """Does a task on a worker: checks whether it can, unpickles the task's function and arguments, and calls it.

    They come pickled so that the scheduler need not import them, and a worker only once it has its cores and GPU.

    Raises:
        Unfit: The worker does not see the shared folder, or has other versions.
    """
    check_terms(terms)
    run, arguments = pickle.loads(pickled)
    share_machine()
    try:
        return run(*arguments)
    except (KeyboardInterrupt, SystemExit) as error:  # these would end the worker, and the reason would be lost
        raise RuntimeError(f"it was interrupted ({type(error).__name__})") from error


class Unwanted(Exception):
    """The client of a task has gone, or was interrupted."""


def check_wanted() -> None:
    """Long tasks must call this now and then, because nobody interrupts them.

    Raises:
        Unwanted: Nobody is waiting for this thread's task.
    """
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return  # not on a worker
    key = worker.get_current_task()
    state = worker.state.tasks.get(key)
    if state is None or state.state == "cancelled":
        raise Unwanted(f"nobody waits for {key}")


@cache
def check_terms(terms: Terms) -> None:
    """Compares this process with its client.

    Raises:
        Unfit: The worker does not see the shared folder, or has other versions.
    """
    where = f"The worker on {os.uname().nodename if hasattr(os, 'uname') else 'another machine'}"
    for name, wanted in terms.versions:
        found = version_of(name)
        if found != wanted:
            raise Unfit(
                f"{where} has {name} {found or '(none)'} and this machine {wanted or '(none)'}: install the same "
                "version on both."
            )
    if terms.proof is not None and not Path(terms.proof).is_file():
        raise Unfit(
            f"{where} does not see the folder '{Path(terms.proof).parent}': workers need it under the same path, as on "
            "a network drive."
        )


def version_of(name: str) -> str | None:
    """The version of Python (without its last number) or of a package, which is not imported; None if it is missing."""
    from importlib.metadata import PackageNotFoundError, version

    if name == "python":
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def share_machine() -> None:
    """Gives this worker its share of the cores and, if there are several GPUs, one of them.

    The cores are those of the environment variable ``OMP_NUM_THREADS``, which Dask sets to 1 if it is not set.
    """
    import cv2

    cv2.setNumThreads(0)
    torch = sys.modules.get("torch")
    if torch is None:
        return
    # OpenMP sets its number of threads for the thread that asks, and the last task may have run in another thread.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
    _take_gpu(torch)
    import logging

    # Lightning's remarks on devices and its tips, once per training, are of no use beside a progress bar.
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


@cache
def _take_gpu(torch: Any) -> Any:
    """Leaves one GPU visible, which no other worker of this machine uses; returns the lock that reserves it."""
    gpus = torch.cuda.device_count()
    if gpus < 2:
        return None
    folder = Path(tempfile.gettempdir()) / f"gesturehand-{os.getuid() if hasattr(os, 'getuid') else 'workers'}"
    make_folder(folder)
    number, lock = next(
        (number, lock) for number in count() if (lock := try_lock(folder / f"gpu{number}.lock")) is not None
    )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(gpu) for gpu in range(gpus)]
    os.environ["CUDA_VISIBLE_DEVICES"] = names[number % len(names)]
    return lock
