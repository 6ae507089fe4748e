"""A training on two machines, both of which are this one, by torchrun and by SLURM's variables, with gloo.

Each machine has one process. With and without a folder that both see, it equals the training of one process with twice
the batch; after an interruption it continues with another number of processes, at the very next sample.
"""

import csv
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from trainings import REPOSITORY, SMALL, experiment, free_port

BINARIES = Path(sys.executable).parent
COMMAND = str(BINARIES / "gesturehand")
BATCH = 16
WORDS = [
    "fit", experiment("demo/pretrain"), *SMALL, "--model.init_args.dropout=0", "--data.image_size=32",
    "--trainer.max_epochs=1", "--trainer.log_every_n_steps=1", "--trainer.callbacks+=training_record.TrainingRecord",
    "--trust_config=true", "--resume_every_n_steps=3", "--pictures_every_n_epochs=0",
]  # fmt: skip
ONE = [f"--data.batch_size={BATCH}"]
TWO = [f"--data.batch_size={BATCH // 2}", "--trainer.num_nodes=2", "--trainer.devices=1", "--trainer.strategy=ddp"]

pytestmark = pytest.mark.slow


class Node(NamedTuple):
    """A process that was started."""

    process: subprocess.Popen
    log: Path

    def code(self) -> int:
        return self.process.wait(timeout=1800)


def start(folder: Path, record: Path, command: list[str], **variables: str) -> Node:
    """Starts a command in a folder; its steps are recorded in another."""
    for place in (folder, record):
        place.mkdir(parents=True, exist_ok=True)
    launchers = ("SLURM_", "TORCHELASTIC_", "MASTER_", "GESTUREHAND_RUN", "WANDB_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(launchers)}
    path = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY / "tests" / "support")])
    environment |= {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "RECORD_FOLDER": str(record), **variables}
    log = record / f"{variables.get('SLURM_PROCID', folder.name)}.log"
    with log.open("w") as file:
        return Node(subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file), log)


def slurm(rank: int, port: int) -> dict[str, str]:
    """The variables that ``srun`` sets for each of two tasks on two machines."""
    return {
        "MASTER_ADDR": "127.0.0.1",  # for the machines, whose names SLURM would give
        "MASTER_PORT": str(port),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "hands",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_NNODES": "2",
        "SLURM_NODELIST": "node[1-2]",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(rank),
        "SLURM_LOCALID": "0",
    }


def torchrun(rank: int, port: int) -> list[str]:
    """The command on each of two machines."""
    meeting = ["--master-addr=127.0.0.1", f"--master-port={port}"]
    launcher = [str(BINARIES / "torchrun"), "--nnodes=2", "--nproc-per-node=1", f"--node-rank={rank}", *meeting]
    return [*launcher, COMMAND, *WORDS, *TWO, "--wandb=false"]


def copy_of(root: Path, target: Path) -> Path:
    """A set without its index."""
    return Path(shutil.copytree(root, target, ignore=shutil.ignore_patterns("*_index.safetensors*", "masks")))


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs" / "demo" / "pretrain").iterdir()
    return run


def steps(record: Path) -> dict[int, dict]:
    """The record of each step, by its number; samples are in the order of a single process."""
    entries = [
        {entry["step"]: entry for entry in map(json.loads, file.read_text().splitlines())}
        for file in sorted(record.glob("steps-*.jsonl"))
    ]
    together = {}
    for step, first in entries[0].items():
        shares = [first["samples"], *(other[step]["samples"] for other in entries[1:] if step in other)]
        losses = {entry[step]["loss"] for entry in entries if step in entry}
        assert len(shares) == first["processes"]
        assert len(losses) == 1, "the loss that is logged is that of all processes"
        together[step] = {
            "samples": [sample for row in zip(*shares, strict=True) for sample in row],
            "loss": losses.pop(),
        }
    return together


class Trainings(NamedTuple):
    """Folders in which the processes were started and recorded."""

    place: Path
    codes: dict[str, int]
    logs: dict[str, str]


@pytest.fixture(scope="module")
def trainings(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    """All trainings; those that do not wait for another run at the same time."""
    place = tmp_path_factory.mktemp("nodes")
    scontrol = place / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {place}/scontrol.txt\n')
    scontrol.chmod(stat.S_IRWXU)
    path = f"{scontrol.parent}{os.pathsep}{os.environ['PATH']}"
    for folder in ("one", "apart/node-0", "apart/node-1", "shared"):
        copy_of(synthetic_root, place / folder / "set")
    data = "--data.root=set"
    ports = [free_port() for _ in range(3)]
    nodes: dict[str, Node] = {}
    nodes["one"] = start(
        place / "one", place / "of-one", [COMMAND, *WORDS, *ONE, data, "--wandb=false"], RECORD_COPY_AFTER="5"
    )
    for rank in (0, 1):
        folder = place / "apart" / f"node-{rank}"
        nodes[f"apart-{rank}"] = start(folder, place / "of-apart", [*torchrun(rank, ports[0]), data])
        variables = slurm(rank, ports[1]) | {"PATH": path, "WANDB_MODE": "offline", "RECORD_SIGNAL_AT": "0"}
        words = [COMMAND, *WORDS, *TWO, data]
        nodes[f"shared-{rank}"] = start(place / "shared", place / "of-shared", words, **variables)
    codes = {name: node.code() for name, node in nodes.items()}
    if codes["one"] == codes["shared-0"] - 143 == 0:
        # The one that SLURM stopped continues as one process, the one that crashed as two.
        words = [COMMAND, *WORDS, *ONE, data, "--wandb=false", f"--resume={run_of(place / 'shared')}"]
        nodes["shared on one"] = start(place / "shared", place / "of-shared-on-one", words)
        for rank in (0, 1):
            words = [COMMAND, *WORDS, *TWO, data, "--wandb=false", f"--resume={place / 'of-one' / 'copy'}"]
            name = f"one on two-{rank}"
            nodes[name] = start(place / "one", place / "of-one-on-two", words, **slurm(rank, ports[2]))
    codes = {name: node.code() for name, node in nodes.items()}
    yield Trainings(place, codes, {name: node.log.read_text() for name, node in nodes.items()})
    for node in nodes.values():
        node.process.kill()


def assert_same(one: dict[int, dict], other: dict[int, dict]) -> None:
    """Asserts the same samples, and the same losses, in each step that both have."""
    assert other.keys() <= one.keys()
    for step, entry in other.items():
        assert entry["samples"] == one[step]["samples"], step
        assert entry["loss"] == pytest.approx(one[step]["loss"], rel=1e-5), step


def validation(run: Path) -> dict[str, float]:
    """The metrics that the last validation of a run logged."""
    with (run / "metrics.csv").open(newline="") as file:
        row = [row for row in csv.DictReader(file) if row["val/loss"]][-1]
    return {name: float(value) for name, value in row.items() if name.startswith("val/")}


def test_all_of_them_ended_as_they_should(trainings):
    stopped = {"shared-0", "shared-1"}
    wrong = {name: code for name, code in trainings.codes.items() if code != (143 if name in stopped else 0)}
    assert not wrong, {name: trainings.logs[name][-3000:] for name in wrong}
    assert len(trainings.codes) == 8


def test_two_machines_without_a_common_folder_are_one_process(trainings):
    place = trainings.place
    one, apart = steps(place / "of-one"), steps(place / "of-apart")
    assert one.keys() == apart.keys()
    assert len(one) > 5
    assert_same(one, apart)
    validated = [validation(run_of(place / name)) for name in ("one", "apart/node-0")]
    assert len(validated[0]) > 5
    assert validated[1] == pytest.approx(validated[0], rel=1e-5)


def test_only_the_first_machine_keeps_the_run_and_each_its_index(trainings):
    apart = trainings.place / "apart"
    assert (run_of(apart / "node-0") / "checkpoints" / "best.ckpt").is_file()
    assert not (apart / "node-1" / "runs").exists()
    for folder in (apart / "node-0", apart / "node-1", trainings.place / "shared"):
        names = [path.name for path in (folder / "set" / "annotations" / "train").iterdir() if "index" in path.name]
        assert sum(not name.startswith(".") for name in names) == 1, names
        assert not [name for name in names if ".part" in name], names


def test_slurm_stops_both_puts_the_job_back_once_and_one_run_is_kept(trainings):
    place = trainings.place
    assert (place / "scontrol.txt").read_text() == "requeue 4711\n"
    assert "Job 4711 is back in SLURM's queue" in trainings.logs["shared-0"]
    assert steps(place / "of-shared").keys() == {1}
    run = run_of(place / "shared")
    assert len(list((run / "wandb").glob("offline-run-*"))) == 1
    assert list((place / "shared").glob("**/hpc_ckpt*")) == [], "Lightning's own would not be exact"
    assert not list((place / "shared" / "runs" / "demo" / "pretrain").glob(".*"))


@pytest.mark.parametrize(
    ("began", "goes_on", "first_step"), [("of-shared", "of-shared-on-one", 2), ("of-one", "of-one-on-two", 4)]
)
def test_run_continues_with_another_number_of_machines(trainings, began, goes_on, first_step):
    """It continues at the sample at which it stopped: none is seen twice and none is left out."""
    one, rest = steps(trainings.place / "of-one"), steps(trainings.place / goes_on)
    assert min(rest) == first_step
    assert max(rest) == max(one)
    assert_same(one, rest)
    before = steps(trainings.place / began)
    seen = [sample for step in range(1, first_step) for sample in before[step]["samples"]]
    seen += [sample for step in sorted(rest) for sample in rest[step]["samples"]]
    assert len(set(seen)) == len(seen) == BATCH * len(one)
