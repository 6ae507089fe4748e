"""The processes of a training: the set-up of each (cores, memory, warnings), and the choice of the first one.

The others learn the first one's choice as follows: processes that Lightning starts on one machine find it in their
environment. Those that ``torchrun``, SLURM or a user started on several machines ask the first one for it over the
network, so that they need no folder that all of them see.
"""

import ctypes
import json
import logging
import os
import subprocess
import warnings
from datetime import timedelta
from typing import Any, Final, NamedTuple

import torch
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.utilities import rank_zero_info, rank_zero_only, rank_zero_warn
from torch import distributed

from gesturehand.cli.training.trainer_limits import impossible_trainer
from gesturehand.errors import UserError

#: glibc's names for ``mallopt``'s parameters (malloc.h).
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGEST_INT: Final = 2**31 - 1
#: The environment variable in which processes that Lightning starts for a machine's other devices find the choice.
_VARIABLE: Final = "GESTUREHAND_RUN"
#: Distance of the port from the one at which the processes meet for training.
_PORTS_ASIDE: Final = 10_000
_PORTS: Final = 65_536
#: Seconds that a process waits for the first one, which may be slow to import its modules.
_PATIENCE_S: Final = 300.0
_KEY: Final = "run"

#: The stores, held until the process ends: the other processes read from that of the first one.
_stores: list[Any] = []


def share_cores(workers: int) -> None:
    """Leaves a core to every worker process.

    PyTorch's threads wait for each other in a loop that burns their cores. On a small machine where workers want the
    same cores, that makes training several times slower than with a single thread.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - workers))


def keep_freed_memory() -> None:
    """Lets the process keep memory that it frees, if the C library is glibc; environment variables take precedence.

    glibc gives large blocks back to the system at once. A step on the CPU frees and takes gigabytes, and spends almost
    half of its time on requesting empty pages.
    """
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None or any(name in os.environ for name in names):
        return
    for parameter in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
        mallopt(parameter, _LARGEST_INT)


def silence_what_is_meant() -> None:
    """Silences warnings about things that this command does on purpose or that users cannot change."""
    for message in (
        "LightningCLI's args parameter is intended",  # --run is expanded before Lightning sees the words
        "The dirpath has changed from",  # a test keeps its results in its own folder
        "Experiment logs directory",  # the run folder is new, and only W&B's part of it is old
        ".*isinstance\\(treespec, LeafSpec\\)",
        "The `srun` command is available",
        "Be aware that when using `ckpt_path`",  # a test has its own callbacks
    ):
        warnings.filterwarnings("ignore", message)
    # Messages that matter come through the same logger.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_matters)


#: Lightning's messages at every start and end, and its advertisements. A GPU that is not used has a warning.
_SAID_ALWAYS: Final = (
    "GPU available: ",
    "TPU available: ",
    "Loading `train_dataloader` to estimate",
    "Loaded model weights from",
    "`Trainer.fit` stopped: `max_epochs",
)


def _matters(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return "Tip:" not in message and not message.startswith(_SAID_ALWAYS)


@rank_zero_only
def requeue() -> None:
    """Asks SLURM to start this job again; only the first process does."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = os.environ["SLURM_JOB_ID"] if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        rank_zero_warn(f"SLURM does not put job {job} back into its queue ({said}): submit it again.")
    else:
        rank_zero_info(f"Job {job} is back in SLURM's queue.")


class Choice(NamedTuple):
    """The first process's choice for all.

    Attributes:
        folder: The run's folder.
        point: The checkpoint that the run continues from; None starts at the beginning.
        pretrained: The gesture pretraining, in the form that the model takes; None for none.
    """

    folder: str
    point: str | None = None
    pretrained: str | None = None


class _Meeting(NamedTuple):
    """The meeting point of processes on several machines: the owner of its store, and the prefix of its keys."""

    host: str
    port: int
    hosted: bool
    prefix: str


def is_first_process() -> bool:
    """Whether this process chooses; asked before Lightning's trainer is built, which then counts the processes."""
    # Lightning takes the first process of each machine for the first of all until its trainer is built.
    own_start = "RANK" not in os.environ and "LOCAL_RANK" not in os.environ and not SLURMEnvironment.detect()
    if own_start and os.environ.get("NODE_RANK", "0") != "0":
        rank_zero_only.rank = int(os.environ["NODE_RANK"])  # type: ignore[attr-defined]
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def tell_others(choice: Choice, num_nodes: int) -> None:
    """Stores the choice at the place where the other processes look for it.

    Args:
        choice: The choice.
        num_nodes: The trainer's ``num_nodes``.

    Raises:
        UserError: The address at which the machines meet is not given, or the port is taken.
    """
    os.environ[_VARIABLE] = json.dumps(choice)
    meeting = _meeting(num_nodes)
    if meeting is not None:
        _store(meeting, first=True, patience_s=_PATIENCE_S).set(_KEY, json.dumps(choice))


def told_by_first(num_nodes: int, patience_s: float = _PATIENCE_S) -> Choice:
    """The first process's choice.

    Args:
        num_nodes: The trainer's ``num_nodes``.
        patience_s: Seconds to wait for it.

    Raises:
        UserError: The first process does not answer in that time, or the address at which the machines meet is not
            given.
    """
    if _VARIABLE in os.environ:
        return Choice(*json.loads(os.environ[_VARIABLE]))
    meeting = _meeting(num_nodes)
    if meeting is None:
        raise UserError(
            "This is not the first process of a training, and nothing says where that one is: start all of them with "
            "torchrun or srun (docs/multi_node.md)."
        )
    try:
        told = _store(meeting, first=False, patience_s=patience_s).get(_KEY)
    except distributed.DistError:
        raise UserError(
            f"The first process has not said within {patience_s:.0f} s where the run is kept: see its output, and "
            f"whether port {meeting.port} of its machine can be reached."
        ) from None
    os.environ[_VARIABLE] = told.decode()  # for those that Lightning starts from here
    return Choice(*json.loads(told))


def _meeting(num_nodes: int) -> _Meeting | None:
    """The place where the processes of several machines meet; None if they are on one, started by Lightning."""
    if distributed.is_available() and distributed.is_torchelastic_launched():
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # A store that outlives the processes may still hold the choice from before a restart.
        prefix = f"gesturehand-{os.environ['TORCHELASTIC_RESTART_COUNT']}-{os.environ['WORLD_SIZE']}"
        if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True):
            return _Meeting(host, port, True, prefix)
        return _Meeting(host, _aside(port), False, prefix)
    if SLURMEnvironment.detect():
        if os.environ["SLURM_NTASKS"] == "1":
            return None
        try:
            environment = SLURMEnvironment(auto_requeue=False)
        except RuntimeError as error:
            raise impossible_trainer(error) from error
        return _Meeting(environment.main_address, _aside(environment.main_port), False, "gesturehand")
    if num_nodes < 2:
        return None
    if not {"MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        raise UserError(
            f"trainer.num_nodes is {num_nodes}, and nothing says where the machines meet: start the training with "
            "torchrun or srun (docs/multi_node.md)."
        )
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return _Meeting(host, _aside(port), False, "gesturehand")


def _aside(port: int) -> int:
    return port + _PORTS_ASIDE if port + _PORTS_ASIDE < _PORTS else port - _PORTS_ASIDE


def _store(meeting: _Meeting, *, first: bool, patience_s: float) -> Any:
    try:
        store = distributed.TCPStore(
            meeting.host,
            meeting.port,
            is_master=first and not meeting.hosted,
            timeout=timedelta(seconds=patience_s),
            wait_for_workers=False,
        )
    except distributed.DistError as error:
        if not first:
            raise
        raise UserError(
            f"Port {meeting.port} of this machine, at which the processes of a training meet, cannot be opened: set "
            "MASTER_PORT to another number on every machine."
        ) from error
    _stores.append(store)
    return distributed.PrefixStore(meeting.prefix, store)


def leave_others() -> None:
    """Forgets what the other processes were told, so that this process's next training is a separate one."""
    _stores.clear()
    os.environ.pop(_VARIABLE, None)
