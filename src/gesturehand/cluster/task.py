"""A piece of work, and how a worker does it."""

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

    It may be done twice, and even twice at once, where a worker is lost and found again: what it writes must appear
    whole or not at all (:mod:`gesturehand.file_writing`) and must not depend on who wrote it.

    Attributes:
        name: Unique; progress and failures name it.
        run: What the worker calls. Its result is in files on a shared folder, or a small value.
        arguments: Arguments of ``run``; paths among them must be absolute, since a worker has another folder.
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
        reason: Why, as the end of a sentence.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class Terms(NamedTuple):
    """What a worker must agree with its client on.

    Attributes:
        proof: A file on the shared folder, or None.
        versions: Versions of Python and packages, by name.
    """

    proof: str | None
    versions: tuple[tuple[str, str | None], ...]


class Unfit(UserError):
    """A worker that cannot do any task of this client."""


def do_task(pickled: bytes, terms: Terms) -> Any:
    """What a worker does: looks whether it can, unpickles the task's function and arguments, and calls it.

    They come pickled so that a scheduler need not import them, and a worker not before it has its cores and GPU.

    Raises:
        Unfit: The worker does not see the shared folder, or has other versions.
    """
    check_terms(terms)
    run, arguments = pickle.loads(pickled)
    share_machine()
    try:
        return run(*arguments)
    except (KeyboardInterrupt, SystemExit) as error:  # these would end the worker, and with it the reason
        raise RuntimeError(f"it was interrupted ({type(error).__name__})") from error


class Unwanted(Exception):
    """The client of a task has gone, or was interrupted."""


def check_wanted() -> None:
    """Long tasks must call this now and then, because nobody interrupts them.

    Raises:
        Unwanted: Nobody waits for the task that this thread does.
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
    """Compares this process with the client.

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
    """The version of Python (without its last number) or of a package, which is not imported; None without it."""
    from importlib.metadata import PackageNotFoundError, version

    if name == "python":
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def share_machine() -> None:
    """Gives this worker its share of the cores and, of several GPUs, its own one.

    The cores are those of the environment variable ``OMP_NUM_THREADS``, which Dask sets to 1 if it is not set.
    """
    import cv2

    cv2.setNumThreads(0)
    torch = sys.modules.get("torch")
    if torch is None:
        return
    # OpenMP counts its threads by the thread that asks for them, which is not the one of the last task for certain.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
    _take_gpu(torch)
    import logging

    # Lightning's remarks on devices and tips, once a training, are of no use beside a progress bar.
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


@cache
def _take_gpu(torch: Any) -> Any:
    """Leaves one GPU visible, which no other worker of this machine has; the lock that says so."""
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
