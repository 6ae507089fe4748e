"""Which of a training's processes is the first, and how the others learn what it chose, on whatever machine they are.

Processes that Lightning starts on one machine find the choice in their environment. Those that ``torchrun``, SLURM or a
user started on several machines ask the first one for it, over the network: they need no folder that all of them see.
"""

import json
import os
from datetime import timedelta
from typing import Any, Final, NamedTuple

from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.utilities import rank_zero_only
from torch import distributed

from gesturehand.cli.training.trainer_limits import impossible_trainer
from gesturehand.errors import UserError

#: Processes that Lightning starts for the other devices of a machine find here what was chosen.
_VARIABLE: Final = "GESTUREHAND_RUN"
#: The port beside the one at which the processes meet for training: that far from it.
_PORTS_ASIDE: Final = 10_000
_PORTS: Final = 65_536
#: Seconds that a process waits for the first one, which may be slow to import what it needs.
_PATIENCE_S: Final = 300.0
_KEY: Final = "run"

#: Held until the process ends: the others read from the first one's.
_stores: list[Any] = []


class Choice(NamedTuple):
    """What the first process chooses for all.

    Attributes:
        folder: The run's folder.
        point: The checkpoint that the run continues from; None starts at the beginning.
        pretrained: The gesture pretraining, as the model takes it; None for none.
    """

    folder: str
    point: str | None = None
    pretrained: str | None = None


class _Meeting(NamedTuple):
    """Where processes of several machines meet: whose store it is, and what its keys begin with."""

    host: str
    port: int
    hosted: bool
    prefix: str


def is_first_process() -> bool:
    """Whether this process chooses; before Lightning's trainer is built, which then counts the processes."""
    # Lightning takes the first process of each machine for the first of all until its trainer is built.
    own_start = "RANK" not in os.environ and "LOCAL_RANK" not in os.environ and not SLURMEnvironment.detect()
    if own_start and os.environ.get("NODE_RANK", "0") != "0":
        rank_zero_only.rank = int(os.environ["NODE_RANK"])  # type: ignore[attr-defined]
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def tell_others(choice: Choice, num_nodes: int) -> None:
    """Leaves what was chosen where the other processes look for it.

    Args:
        choice: What was chosen.
        num_nodes: The trainer's.

    Raises:
        UserError: Nothing says where the machines meet, or the port is taken.
    """
    os.environ[_VARIABLE] = json.dumps(choice)
    meeting = _meeting(num_nodes)
    if meeting is not None:
        _store(meeting, first=True, patience_s=_PATIENCE_S).set(_KEY, json.dumps(choice))


def told_by_first(num_nodes: int, patience_s: float = _PATIENCE_S) -> Choice:
    """What the first process chose.

    Args:
        num_nodes: The trainer's.
        patience_s: Seconds to wait for it.

    Raises:
        UserError: The first process does not say it in that time, or nothing says where the machines meet.
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
    """Where the processes of several machines meet; None if they are of one, started by Lightning."""
    if distributed.is_available() and distributed.is_torchelastic_launched():
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # A store that outlives the processes may hold what those before a restart were told.
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
    """Lets go of what the other processes were told, so that another training of this process is another one."""
    _stores.clear()
    os.environ.pop(_VARIABLE, None)
