"""Runs the trainings of a grid side by side, those that are done already left out."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from gesturehand.ablation.grid import Arm, Grid, Pretrain
from gesturehand.ablation.job import RESULT_FILE, Job
from gesturehand.cores import available_cores
from gesturehand.errors import UserError


class Training(Protocol):
    """A training of a comparison, as the scheduler sees it."""

    @property
    def name(self) -> str:
        """Unique within the comparison."""

    @property
    def steps(self) -> int:
        """Its length, for the progress bar."""

    @property
    def needs(self) -> "Training | None":
        """The training whose checkpoint it starts from."""


class Folders(Protocol):
    """Where trainings are kept."""

    def folder(self, job: Any, /) -> Path:
        """A training's folder."""


def jobs_of(grid: Grid) -> list[Job]:
    """All trainings, one seed after the other, so that what is there early is complete for a seed.

    Within a seed the pretrainings come first: much waits for them.
    """
    works: tuple[Pretrain | Arm, ...] = (*grid.pretrains(), *grid.arms)
    return [Job(work, seed) for seed in range(grid.size.seeds) for work in works]


def is_done(job: Training, place: Folders) -> bool:
    """Whether the job's result is there."""
    return (place.folder(job) / RESULT_FILE).is_file()


def run_all(
    jobs: Sequence[Training],
    place: Folders,
    run: Callable[[Any, Any, int], None],
    processes: int,
    *,
    after_each: Callable[[], Any] | None = None,
    progress: bool = True,
) -> list[str]:
    """Runs every job that is not done, each after the one it starts from.

    Args:
        jobs: The trainings, in the order in which they are wanted.
        place: Where.
        run: Does one, given the job, the place and the number of a GPU; it writes the result. Processes import it.
        processes: Trainings at a time.
        after_each: Called when a training has ended.
        progress: Show a progress bar over the steps of all trainings.

    Returns:
        What went wrong, a line for each training that failed; the others are run nevertheless.

    Raises:
        UserError: A process was killed, usually because memory ran out.
    """
    waiting = [job for job in jobs if not is_done(job, place)]
    steps = sum(job.steps for job in jobs)
    interval = 0.5 if sys.stderr.isatty() else 30.0
    bar = tqdm(total=steps, desc="ablation", unit="step", disable=not progress, mininterval=interval)
    bar.update(steps - sum(job.steps for job in waiting))
    # A forked process would inherit OpenCV's and PyTorch's thread pools without their threads.
    context = multiprocessing.get_context("spawn")
    numbers = context.SimpleQueue()
    for number in range(processes):
        numbers.put(number)
    failures: list[str] = []
    running: dict[Future[None], Training] = {}
    with bar, ProcessPoolExecutor(processes, context, _start_process, (numbers, _threads(processes))) as pool:
        try:
            while waiting or running:
                for job in _ready(waiting, place, list(running.values()), processes - len(running)):
                    waiting.remove(job)
                    running[pool.submit(_work, run, job, place)] = job
                if not running:
                    failures += [f"{job.name}: what it starts from failed" for job in waiting]
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    bar.update(job.steps)
                    bar.set_postfix_str(job.name, refresh=False)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        raise error
                    if error is not None:
                        failures.append(f"{job.name}: {type(error).__name__}: {error}")
                    elif after_each is not None:
                        after_each()
        except BrokenProcessPool:
            raise UserError(
                "A training's process was killed: run fewer at a time with --processes; what is done is kept."
            ) from None
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failures


def _ready(waiting: list[Training], place: Folders, running: list[Training], free: int) -> list[Training]:
    """The next jobs whose checkpoint is there."""
    ready = [job for job in waiting if job.needs is None or (is_done(job.needs, place) and job.needs not in running)]
    return ready[:free]


def _threads(processes: int) -> int:
    return max(1, available_cores() // processes)


_state: dict[str, Any] = {}


def _start_process(numbers: Any, threads: int) -> None:
    """An interrupt ends a process at once; each has its share of the cores and its number for a GPU."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(0)
    _state["number"] = numbers.get()
    _quiet()


def _quiet() -> None:
    """Lightning's remarks on devices and tips, once a training, are of no use beside a progress bar."""
    import logging

    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _work(run: Callable[[Any, Any, int], None], job: Training, place: Folders) -> None:
    import torch

    gpus = torch.cuda.device_count()
    run(job, place, _state["number"] % gpus if gpus else 0)
