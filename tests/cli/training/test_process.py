"""The settings of a training's process, seen from outside: another process counts its page faults."""

import logging
import os
import platform
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from trainings import free_port

from gesturehand.cli.training import process
from gesturehand.cli.training.process import (
    Choice,
    is_first_process,
    leave_others,
    silence_what_is_meant,
    tell_others,
    told_by_first,
)
from gesturehand.errors import UserError

PROGRAM = """
import resource, sys
import torch
from gesturehand.cli.training.process import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    for _ in range(5):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
counts = [faults() for _ in range(8)]  # blocks find their places in the first rounds
print(min(after - before for before, after in zip(counts, counts[1:])))
"""
SOURCE = Path(process.__file__).parents[3]
CHOICE = Choice("runs/a/1", "runs/a/1/checkpoints/resume/step-000000005-epoch-000000.ckpt", None)
PROGRAM_FIRST_PROCESS = """
import sys
from gesturehand.cli.training.process import Choice, is_first_process, tell_others, told_by_first
if is_first_process():
    tell_others(Choice(*{choice!r}), 2)
    sys.stdin.read()
else:
    assert told_by_first(2, 60) == {choice!r}, told_by_first(2)
    print("told")
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
@pytest.mark.parametrize(
    ("word", "variables", "kept"),
    [("keep", {}, True), ("leave", {}, False), ("keep", {"MALLOC_TRIM_THRESHOLD_": "131072"}, False)],
    ids=["kept", "as glibc does", "as the environment says"],
)
def test_freed_memory_is_taken_again_without_page_faults(word, variables, kept):
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, word]
    done = subprocess.run(command, env=plain | variables, capture_output=True, text=True, check=True)
    # 5 × 64 MB in pages of 4 kB, or in the pages of 2 MB that some systems give.
    assert (int(done.stdout) < 5 * 32) == kept


def test_remarks_that_nobody_can_act_on_are_left_out(caplog):
    """Lightning's messages go through one logger; those that say something new still come through."""
    logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    before = list(logger.filters)
    try:
        with warnings.catch_warnings():
            silence_what_is_meant()
        with caplog.at_level(logging.INFO, logger.name):
            logger.propagate, kept = True, logger.propagate
            for message in (
                "GPU available: False, used: False",
                "Loading `train_dataloader` to estimate number of stepping batches.",
                "`Trainer.fit` stopped: `max_epochs=5` reached.",
                "`Trainer.fit` stopped: No training batches.",
                "Finished: runs/demo",
            ):
                logger.info(message)
            logger.propagate = kept
        assert caplog.messages == ["`Trainer.fit` stopped: No training batches.", "Finished: runs/demo"]
    finally:
        logger.filters = before


def variables(launcher: str, rank: int, port: int) -> dict[str, str]:
    """The environment of one of two processes, each on its own machine."""
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if launcher == "slurm":
        job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "hands", "SLURM_NODELIST": "127.0.0.1", "SLURM_NNODES": "2"}
        place = {"SLURM_PROCID": str(rank), "SLURM_NODEID": str(rank), "SLURM_LOCALID": "0"}
        return meeting | job | place | {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1"}
    if launcher == "torchrun":  # with the first worker as host of the store
        elastic = {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0"}
        place = {"RANK": str(rank), "LOCAL_RANK": "0", "GROUP_RANK": str(rank), "WORLD_SIZE": "2"}
        return meeting | elastic | place | {"TORCHELASTIC_USE_AGENT_STORE": "False"}
    return meeting | {"NODE_RANK": str(rank)}


def cleared() -> dict[str, str]:
    """This process's environment without the variables that a launcher would have set."""
    launchers = ("SLURM_", "TORCHELASTIC_", "MASTER_", "GESTUREHAND_RUN")
    names = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE")
    kept = {key: value for key, value in os.environ.items() if key not in names and not key.startswith(launchers)}
    return kept | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["slurm", "torchrun", "by hand"])
def test_second_process_is_told(launcher, tmp_path):
    port = free_port()
    program = PROGRAM_FIRST_PROCESS.format(choice=tuple(CHOICE))
    command = [sys.executable, "-c", program]
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with subprocess.Popen(command, stdin=-1, cwd=folders[0], env=cleared() | variables(launcher, 0, port)) as first:
        environment = cleared() | variables(launcher, 1, port)
        second = subprocess.run(command, cwd=folders[1], env=environment, capture_output=True, text=True)
        assert first.stdin is not None
        first.stdin.close()
    assert first.returncode == 0
    assert second.stdout == "told\n", second.stderr[-2000:]
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


@pytest.fixture
def alone(monkeypatch):
    """No launcher's variables in the environment; no other process is told anything afterwards."""
    for name in os.environ.keys() - cleared().keys():
        monkeypatch.delenv(name)
    yield monkeypatch
    leave_others()


def test_first_process_that_says_nothing(alone):
    for name, value in variables("slurm", 1, free_port()).items():
        alone.setenv(name, value)
    with pytest.raises(UserError, match=r"has not said within 1 s .*, and whether port"):
        told_by_first(2, patience_s=1)


def test_processes_that_lightning_starts_find_it_in_their_environment(alone):
    tell_others(CHOICE, num_nodes=1)
    assert told_by_first(num_nodes=1) == CHOICE
    leave_others()
    with pytest.raises(UserError, match="start all of them with torchrun or srun"):
        told_by_first(num_nodes=1)


def test_machines_that_do_not_know_of_each_other(alone):
    assert is_first_process()
    with pytest.raises(UserError, match=r"trainer.num_nodes is 2, and nothing says where the machines meet"):
        tell_others(CHOICE, num_nodes=2)


def test_port_that_is_taken(alone):
    with socket.create_server(("", 0)) as taken:
        alone.setenv("MASTER_ADDR", "127.0.0.1")
        port = taken.getsockname()[1]
        alone.setenv("MASTER_PORT", str(port - 10_000))
        with pytest.raises(UserError, match="cannot be opened: set MASTER_PORT"):
            tell_others(CHOICE, num_nodes=2)


def test_tasks_that_slurm_starts_without_saying_how_many_a_machine_has(alone):
    for name, value in variables("slurm", 0, free_port()).items():
        alone.setenv(name, value)
    alone.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(UserError, match="ntasks-per-node"):
        tell_others(CHOICE, num_nodes=2)
