"""Where workers are: on this machine, at the address of a scheduler, or in the jobs of a batch system."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from gesturehand.cores import available_cores
from gesturehand.errors import UserError
from gesturehand.extras import install

LOCAL: Final = "local"
#: Of these no word is of use to a user: what goes wrong is said as a failure or an error.
_LOGGERS: Final = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application", "asyncio")
#: Seconds for a scheduler to answer.
_PATIENCE_S: Final = 8
#: A worker does one task at a time; the scheduler's patience with a silent one is distributed's.
_QUIET: Final = {"DASK_LOGGING__DISTRIBUTED": "critical"}
_JOBS: Final = {"slurm": "SLURM", "pbs": "PBS", "lsf": "LSF", "sge": "SGE", "oar": "OAR", "htcondor": "HTCondor"}


@contextmanager
def connected(address: str, workers: int | None) -> Iterator[Any]:
    """A client of the scheduler at an address; what was started for it ends with it.

    Args:
        address: "local", "tcp://host:8786" or the file of a batch system's configuration.
        workers: How many; for a batch system, how many jobs.

    Raises:
        UserError: No scheduler answers there, or the file cannot be used.
    """
    # Read when distributed is imported, here and in its processes.
    os.environ.setdefault(*next(iter(_QUIET.items())))
    import distributed

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if address == LOCAL:
        started = _local(workers or available_cores())
    elif "://" in address:
        started = None
    else:
        started = batch_cluster(Path(address), workers)
    client = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions, which the tasks look at
            client = distributed.Client(started or address, timeout=_PATIENCE_S, set_as_default=False)
        yield client
    except (OSError, TimeoutError) as error:
        if client is not None:
            raise
        raise UserError(
            f"No scheduler answers at '{address}': start one with `dask scheduler`, or check it."
        ) from error
    finally:
        if client is not None:
            client.close()
        if started is not None:
            _close(started)


def _local(workers: int) -> Any:
    """Workers on this machine, which share its cores and hear nobody else."""
    import dask
    from distributed import LocalCluster

    threads = str(max(1, available_cores() // workers))
    before = dict(os.environ)
    settings = {
        "distributed.worker.daemon": False,  # a training's loaders are processes
        "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        # Memory is the user's to watch: a paused worker would wait for ever.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
        # A training may keep Python's lock for long; a process that dies is noticed by its connection.
        "distributed.scheduler.worker-ttl": None,
    }
    try:
        with dask.config.set(settings), _deaf_to_interrupts():
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                env={"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            )
    except RuntimeError as error:
        raise UserError(f"{workers} workers could not be started on this machine ({error}).") from error
    finally:
        # What Dask sets for its workers is not for the processes that the command starts otherwise.
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started within, and by threads that are, hear no Ctrl-C: it is the client's to handle."""
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it lets interrupts through again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def batch_cluster(path: Path, jobs: int | None) -> Any:
    """A cluster whose workers are jobs of a batch system.

    Args:
        path: A dask-jobqueue configuration of one system, ``jobqueue: {slurm: …}``, and ``jobs``, their number.
        jobs: Instead of the file's.

    Raises:
        UserError: The file is missing or broken, or dask-jobqueue is not installed.
    """
    raise UserError(f"'{path}' is not supported yet ({install('dev')}, {jobs}).")


def _close(cluster: Any) -> None:
    """Ends workers at once: whatever is worth keeping is in files."""
    import asyncio

    async def end() -> None:
        await asyncio.gather(*(worker.close(timeout=0.1) for worker in cluster.workers.values()))

    cluster.sync(end)
    cluster.close()
