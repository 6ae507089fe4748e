"""The places of workers: this machine, the address of a scheduler, or the jobs of a batch system."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from inspect import signature
from pathlib import Path
from typing import Any, Final

import yaml

from gesturehand.cores import available_cores
from gesturehand.errors import UserError, one_line
from gesturehand.extras import install
from gesturehand.suggestions import did_you_mean, did_you_mean_path
from gesturehand.text_file import read_yaml

LOCAL: Final = "local"
#: Loggers whose messages do not help a user: what goes wrong is reported as a failure or an error.
_LOGGERS: Final = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application", "asyncio")
#: Seconds for a scheduler to answer.
_PATIENCE_S: Final = 8
#: Batch systems, and the beginning of their class in dask-jobqueue.
_SYSTEMS: Final = {"slurm": "SLURM", "pbs": "PBS", "lsf": "LSF", "sge": "SGE", "oar": "OAR", "htcondor": "HTCondor"}
#: Dask's settings for the workers that are started here, …
_SETTINGS: Final = {
    "distributed.worker.daemon": False,  # a training's loaders are processes
    # Dask samples many times a second where each process spends its time and how busy its loop is, which nobody needs
    # here. With Dask's own intervals this takes a few percent of a core in each process.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.cycle": "1m",
    "distributed.admin.system-monitor.interval": "5s",
}
#: … and on this machine.
_LOCAL_SETTINGS: Final = {
    **_SETTINGS,
    # Watching the memory is left to the user: a paused worker would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # A training may keep Python's lock for long; a process that dies is noticed by its connection.
    "distributed.scheduler.worker-ttl": None,
    # On a busy machine, the replacement of a dead worker may take long to start, and would be given up.
    "distributed.deploy.lost-worker-timeout": "1d",
}


@contextmanager
def connected(address: str, workers: int | None) -> Iterator[Any]:
    """A client of the scheduler at an address; anything started for it ends with it.

    Args:
        address: "local", "tcp://host:8786" or the file of a batch system's configuration.
        workers: Number of workers; for a batch system, of jobs.

    Raises:
        UserError: No scheduler answers there, or the file cannot be used.
    """
    # Read when distributed is imported, here and in its processes.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    import dask
    import distributed

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set(_LOCAL_SETTINGS if address == LOCAL else {}), ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on other versions, which the tasks check, and on a used port
                started = None
                if address == LOCAL:
                    started = _local(workers or available_cores())
                elif "://" not in address:
                    started = batch_cluster(Path(address), workers)
                if started is not None:
                    stack.callback(_close, started)
                patience = 60 if address == LOCAL else _PATIENCE_S  # a busy machine is slow to answer itself
                client = distributed.Client(started or address, timeout=patience, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise UserError(
                f"No scheduler answers at '{address}': start one with `dask scheduler`, or check it."
            ) from error
        except ValueError as error:
            if "://" not in address:
                raise
            raise UserError(
                f"'{address}' is not the address of a scheduler ({one_line(error)}): write tcp://HOST:8786."
            ) from error
        stack.callback(client.close)
        yield client


def _local(workers: int) -> Any:
    """Workers on this machine, which share its cores and are reachable only from it."""
    import dask
    from distributed import LocalCluster

    threads = str(max(1, available_cores() // workers))
    before = dict(os.environ)
    shares = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    try:
        with dask.config.set({"distributed.nanny.pre-spawn-environ": shares}), _deaf_to_interrupts():
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                env=shares,
            )
    except RuntimeError as error:
        raise UserError(f"{workers} workers could not be started on this machine ({error}).") from error
    finally:
        # Dask's settings for its workers must not apply to other processes that the command starts.
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started within, also by threads started within, ignore Ctrl-C, which the client handles."""
    if sys.platform == "win32":
        yield
        return
    if threading.current_thread() is not threading.main_thread():
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
    """A cluster whose workers are jobs of a batch system, submitted by this call.

    Each worker runs one task at a time on all its cores.

    Args:
        path: A dask-jobqueue configuration of one system, ``jobqueue: {slurm: …}``, and ``jobs``, their number.
        jobs: Number of jobs, overriding the file's.

    Raises:
        UserError: The file is missing or broken, or dask-jobqueue is not installed.
    """
    import dask

    content = _content(path)
    system, settings = _system(path, content)
    jobs = jobs or content.get("jobs", 1)
    if not isinstance(jobs, int) or jobs < 1:
        raise UserError(f"'{path}': jobs must be a whole number above 0 and is {jobs!r}.")
    try:
        dask_jobqueue = _imported_jobqueue()
    except ImportError:
        raise UserError(f"Workers as jobs of a batch system need dask-jobqueue: {install('slurm')}.") from None
    known = {name.replace("-", "_") for name in dask.config.get(f"jobqueue.{system}")}
    known |= {*signature(dask_jobqueue.core.Job).parameters, *signature(dask_jobqueue.JobQueueCluster).parameters}
    for name in settings.keys() - known:
        meant = did_you_mean(name, known, "docs/cluster.md has an example.")
        raise UserError(f"'{path}': {system} has no key {name}: {meant}")
    processes = settings.get("processes", 1)
    threads = max(1, settings["cores"] // processes)
    settings |= {
        "processes": processes,
        # The last occurrence of an option counts. The batch system itself watches the memory.
        "worker_extra_args": ["--nthreads", "1", "--memory-limit", "0", *settings.get("worker_extra_args", [])],
        "job_script_prologue": [
            f"export OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads}",
            *(f"export {_variable(name)}={value}" for name, value in _SETTINGS.items()),
            *settings.get("job_script_prologue", []),
        ],
    }
    try:
        make = getattr(dask_jobqueue, f"{_SYSTEMS[system]}Cluster")
        return make(**settings, n_workers=jobs * processes, silence_logs=logging.CRITICAL)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"The jobs of '{path}' could not be submitted: {reason}") from error


def _variable(name: str) -> str:
    """The environment variable of one of Dask's settings."""
    return f"DASK_{name.upper().replace('.', '__').replace('-', '_')}"


def _imported_jobqueue() -> Any:
    """dask-jobqueue, imported so that it does not turn Ctrl-C into a quiet and successful end of this process."""
    before = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue

        return dask_jobqueue
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGINT, before)


def _content(path: Path) -> Any:
    try:
        return read_yaml(path.read_text(encoding="utf-8"), f"The cluster's file '{path}'")
    except OSError as error:
        meant = did_you_mean_path(path, "--cluster takes local, a scheduler's tcp://host:8786, or a YAML file.")
        raise UserError(f"The cluster's file '{path}' cannot be read ({error.strerror}): {meant}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"The cluster's file '{path}' is not YAML ({' '.join(str(error).split())}).") from None


def _system(path: Path, content: Any) -> tuple[str, dict[str, Any]]:
    """The batch system of a file, and its settings."""
    systems = content.get("jobqueue") if isinstance(content, dict) else None
    if not isinstance(systems, dict) or len(systems) != 1 or not systems.keys() <= _SYSTEMS.keys():
        raise UserError(
            f"'{path}' must have the key jobqueue, and under it one of {', '.join(_SYSTEMS)}: "
            "experiments/slurm/cluster.yaml is an example."
        )
    for name in content.keys() - {"jobs", "jobqueue"}:
        raise UserError(
            f"'{path}' has the key {name}: {did_you_mean(str(name), ['jobs'], 'it takes jobs and jobqueue.')}"
        )
    ((system, settings),) = systems.items()
    if not isinstance(settings, dict) or not {"cores", "memory"} <= settings.keys():
        raise UserError(f"'{path}': jobqueue.{system} must say how many cores and how much memory a job has.")
    named = {name.replace("-", "_"): value for name, value in settings.items()}
    for name in ("cores", "processes"):
        if not isinstance(named.get(name, 1), int) or named.get(name, 1) < 1:
            raise UserError(f"'{path}': {name} must be a whole number above 0 and is {named[name]!r}.")
    return system, named


def _close(cluster: Any) -> None:
    """Ends workers at once; everything worth keeping is in files."""
    import asyncio

    from distributed import Nanny

    async def end() -> None:
        nannies = [worker for worker in cluster.workers.values() if isinstance(worker, Nanny)]
        pids = [nanny.pid for nanny in nannies if nanny.pid]
        closing = [asyncio.ensure_future(nanny.close()) for nanny in nannies]
        await asyncio.sleep(0)  # now none starts another worker in place of a killed one
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        await asyncio.gather(*closing, return_exceptions=True)

    cluster.sync(end)
    cluster.close()
