"""Runs tasks on a cluster's workers in the order of their dependencies, shows progress, and names failures."""

import secrets
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Self

from tqdm import tqdm

from gesturehand.cluster.machines import LOCAL, connected
from gesturehand.cluster.task import Failure, Task, Terms, Unfit, do_task, version_of
from gesturehand.cores import available_cores
from gesturehand.errors import UserError
from gesturehand.file_writing import write_bytes

#: Python and packages whose versions must be the same on all machines.
_PACKAGES: Final = ("python", "gesturehand", "torch", "numpy", "opencv-python-headless", "distributed")
#: Seconds between two counts of the workers.
_LOOK_S: Final = 1.0
#: Seconds within which this machine starts a worker in place of a dead one, however busy it is.
_RESTART_S: Final = 300.0
#: Tasks of a stream per worker: one running, one waiting for the worker, and one that has ended and waits for its turn.
_STREAMED: Final = 3
_QUEUED: Final = 2
#: Takes the place of a result if the task's worker died.
_LOST: Final = object()


class Cluster:
    """Workers, on this machine or on others; a context manager, and nothing is started before the first task.

    Args:
        address: "local": workers on this machine; "tcp://host:8786": those of a running scheduler; the name of a YAML
            file: jobs of SLURM, PBS or LSF, see docs/cluster.md.
        workers: Their number: for "local", by default one per core (or GPU); for a batch system, the number of jobs. It
            cannot be given for a running scheduler.
        gpu: The tasks use a GPU: "local" has one worker per GPU, if there are any.
        folder: The folder of the results, which every worker must see; it is created.

    Raises:
        UserError: A setting is wrong.
    """

    def __init__(
        self, address: str = LOCAL, *, workers: int | None = None, gpu: bool = False, folder: Path | None = None
    ) -> None:
        if workers is not None and workers < 1:
            raise UserError(f"The number of processes must be at least 1 and is {workers}.")
        if workers is not None and "://" in address:
            raise UserError(f"The scheduler at '{address}' has its own workers: do not give their number.")
        self.address = address
        self.workers = workers
        self.gpu = gpu
        self.folder = folder
        self._stack = ExitStack()
        self._client: Any = None
        self._terms = Terms(None, ())
        self._size, self._looked, self._staffed = -1, 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(
        self,
        tasks: Sequence[Task],
        *,
        retries: int = 2,
        on_done: Callable[[Task, Any], Any] | None = None,
        title: str = "tasks",
        unit: str = "task",
        done: float = 0.0,
        progress: bool = True,
    ) -> list[Failure]:
        """Runs all tasks, each after those that it needs, and otherwise in order as workers become free.

        Args:
            tasks: The tasks.
            retries: How often to repeat a task whose worker died.
            on_done: Called in this process with each finished task and its result.
            title: Title of the progress bar.
            unit: Unit of the tasks' weights.
            done: Weight of the tasks finished by an earlier run, for the progress bar.
            progress: Show it.

        Returns:
            The tasks that failed, and those that need them. All others are run nevertheless.

        Raises:
            UserError: No scheduler answers, or it is gone; a worker has other versions or sees no shared folder.
        """
        place = {task.name: number for number, task in enumerate(tasks)}
        order = TopologicalSorter({task.name: [name for name in task.needs if name in place] for task in tasks})
        order.prepare()
        ready: list[int] = []
        failures: dict[str, Failure] = {}

        def next_task() -> Task | None:
            for name in order.get_ready():
                heappush(ready, place[name])
            return tasks[heappop(ready)] if ready else None

        with (
            _bar(title, unit, done + sum(task.weight for task in tasks), done, progress and bool(tasks)) as bar,
            closing(self.draw(next_task, retries=retries, progress=progress)) as drawn,
        ):
            for task, value in drawn:
                bar.update(task.weight)
                bar.set_postfix_str(task.name, refresh=False)
                if isinstance(value, Failure):
                    failures[task.name] = value
                    continue
                order.done(task.name)
                if on_done is not None:
                    on_done(task, value)
        for task in tasks:
            for name in task.needs:
                if name in failures and task.name not in failures:
                    failures[task.name] = Failure(task.name, f"it needs '{name}', which failed")
        return [failures[task.name] for task in tasks if task.name in failures]

    def stream(
        self,
        tasks: Iterable[Task],
        *,
        retries: int = 2,
        title: str = "tasks",
        unit: str = "task",
        total: float | None = None,
        done: float = 0.0,
        progress: bool = True,
    ) -> Iterator[tuple[Task, Any]]:
        """Runs tasks that need no others, and yields each one with its result, in order.

        Only a few more tasks than there are workers are taken, and results kept, at a time. With one local worker, the
        tasks run in this process.

        Args:
            tasks: The tasks.
            retries: How often to repeat a task whose worker died.
            title: Title of the progress bar.
            unit: Unit of the tasks' weights.
            total: Weight of all tasks, including those finished by an earlier run, if it is known.
            done: Weight of the tasks finished by an earlier run.
            progress: Show the progress bar.

        Raises:
            UserError: As for :meth:`run`, or workers died again and again.
            Exception: The exception that a task raised.
        """
        following, waiting = iter(tasks), deque[Task]()
        values: dict[str, Any] = {}

        def next_task() -> Task | None:
            if len(waiting) >= _STREAMED * max(1, self._size):
                return None
            task = next(following, None)
            waiting.extend([task] if task is not None else [])
            return task

        with _bar(title, unit, total, done, progress) as bar:
            if self.address == LOCAL and self._wanted() == 1:
                for task in following:
                    value = task.run(*task.arguments)
                    bar.update(task.weight)
                    yield task, value
                return
            with closing(self._ended(next_task, retries, progress, _QUEUED)) as ended:
                for task, value in ended:
                    if isinstance(value, _LostError):
                        raise UserError(f"{task.name}: {value}.")
                    if isinstance(value, BaseException):
                        raise value
                    values[task.name] = value
                    while waiting and waiting[0].name in values:
                        task = waiting.popleft()
                        bar.update(task.weight)
                        yield task, values.pop(task.name)

    def draw(
        self, next_task: Callable[[], Task | None], *, retries: int = 2, progress: bool = True
    ) -> Generator[tuple[Task, Any], None, None]:
        """Runs tasks that become known one after the other, and yields each as it ends.

        Args:
            next_task: Called for a task whenever a worker is free. None: there is none for now; if no task is running
                either, the work is done.
            retries: How often to repeat a task whose worker died.
            progress: Print where the workers can be watched.

        Yields:
            Tasks with their results, or with a :class:`~gesturehand.cluster.task.Failure`.

        Raises:
            UserError: As for :meth:`run`.
        """
        for task, value in self._ended(next_task, retries, progress):
            if isinstance(value, BaseException):
                kind = "" if isinstance(value, UserError) else f"{type(value).__name__}: "
                value = Failure(task.name, f"{kind}{value}")
            yield task, value

    def _ended(
        self, next_task: Callable[[], Task | None], retries: int, progress: bool, queued: int = 1
    ) -> Generator[tuple[Task, Any], None, None]:
        """Tasks as they end, with their result or what they raised; each worker has up to ``queued`` of them."""
        ended: SimpleQueue[tuple[Task, Any]] = SimpleQueue()
        futures: set[Any] = set()  # the scheduler forgets what nobody holds
        deaths: Counter[str] = Counter()
        again: deque[Task] = deque()
        task = next_task()
        if task is not None:
            self._connect(progress)
        try:
            while task is not None or futures:
                if task is not None and len(futures) < queued * self._workers():
                    future = self._submit(task)
                    future.add_done_callback(lambda future, task=task: ended.put((task, future)))
                    futures.add(future)
                    task = None
                else:
                    with suppress(Empty):
                        done, future = ended.get(timeout=_LOOK_S)
                        futures.discard(future)
                        value = self._value(future)
                        deaths[done.name] += value is _LOST
                        if value is not _LOST:
                            yield done, value
                        elif deaths[done.name] <= retries:
                            again.append(done)
                        else:
                            yield done, _LostError(deaths[done.name])
                if task is None and len(futures) < queued * max(1, self._workers()):
                    task = again.popleft() if again else next_task()
        finally:
            for future in futures:
                future.release()  # nobody waits for it any more; a reference that is left would keep the task

    def _wanted(self) -> int:
        """The number of workers for "local"."""
        gpus = 0
        if self.gpu and self.workers is None:
            import torch

            gpus = torch.cuda.device_count()
        return self.workers or gpus or available_cores()

    def _connect(self, progress: bool) -> None:
        if self._client is None:
            if self.address != LOCAL:
                self._terms = Terms(self._proof(), tuple((name, version_of(name)) for name in _PACKAGES))
            workers = self._wanted() if self.address == LOCAL else self.workers
            self._client = self._stack.enter_context(connected(self.address, workers))
            if progress and find_spec("bokeh") is not None:
                _say(f"The workers can be watched at {self._client.dashboard_link}")
            # A task whose worker died comes back at once and waits here for a free worker. In Dask it would wait behind
            # another task, whose deaths would count against it too.
            before = self._client.run_on_scheduler(_allow_failures, 0)
            self._stack.callback(self._restore, before)

    def _restore(self, allowed: int) -> None:
        with suppress(Exception):  # the scheduler may be gone, and there is nothing to restore then
            self._client.run_on_scheduler(_allow_failures, allowed)

    def _proof(self) -> str | None:
        """A new file by which workers check that they see the folder; ``remove_parts`` removes a killed client's."""
        if self.folder is None:
            return None
        proof = self.folder.resolve() / f".cluster.{secrets.token_hex(4)}.part"
        write_bytes(proof, b"")
        self._stack.callback(proof.unlink, missing_ok=True)
        return str(proof)

    def _submit(self, task: Task) -> Any:
        import cloudpickle

        pickled = cloudpickle.dumps((task.run, task.arguments))
        key = f"{task.name}-{secrets.token_hex(8)}"
        with self._there():
            return self._client.submit(do_task, pickled, self._terms, key=key, pure=False)

    def _workers(self) -> int:
        """The present number of workers."""
        now = time.monotonic()
        if now - self._looked > _LOOK_S:
            had = self._size
            with self._there():
                threads = self._client.nthreads()
            for address, number in threads.items():
                if number != 1:
                    raise UserError(f"The worker {address} runs {number} tasks at a time: start it with --nthreads 1.")
            self._size, self._looked = len(threads), now
            if self._size or had < 0:
                self._staffed = now
            elif self.address == LOCAL and now - self._staffed > _RESTART_S:
                raise UserError(
                    "No worker could be started on this machine any more: close other programs, and run the same "
                    "command again; finished work is kept."
                )
            if not self._size and had and self.address != LOCAL:
                _say(f"There is no worker: waiting for one at {self._client.scheduler.address}")
        return self._size

    def _value(self, future: Any) -> Any:
        """A task's result, what it raised, or that its worker died.

        Raises:
            UserError: There is no point in continuing.
        """
        from distributed import KilledWorker

        with self._there():
            value = future.exception() if future.status == "error" else future.result()
        if isinstance(value, Unfit):
            raise value
        if isinstance(value, KilledWorker):
            self._looked = 0.0  # there is one worker fewer
            return _LOST
        return value

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Turns Dask's many errors for a scheduler that has ended into one."""
        from distributed.client import CancelledError, ClosedClientError

        try:
            yield
        except (OSError, TimeoutError, CancelledError, ClosedClientError) as error:
            raise UserError(
                f"The scheduler at '{self.address}' is gone: start it and its workers again; finished work is "
                "kept, and the same command continues."
            ) from error


class _LostError(UserError):
    """A task whose worker died again and again."""

    def __init__(self, deaths: int) -> None:
        times = "once" if deaths == 1 else f"{deaths} times"
        super().__init__(f"its worker was killed {times}, for want of memory as a rule: use fewer workers on a machine")


def _allow_failures(number: int, dask_scheduler: Any) -> int:
    """Sets how many deaths of its worker Dask lets a task survive; returns the previous number."""
    before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, number
    return before


def _say(text: str) -> None:
    """Prints a line above the progress bar."""
    tqdm.write(text, file=sys.stderr)


def _bar(title: str, unit: str, total: float | None, done: float, progress: bool) -> tqdm:
    # In a log file every update is a line.
    interval = 0.5 if sys.stderr.isatty() else 10.0
    return tqdm(total=total, initial=done, desc=title, unit=unit, disable=not progress, mininterval=interval)
