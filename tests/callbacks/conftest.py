"""One short run of each stage, logged to everything; W&B's offline records are read from its own file."""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from trainings import SHORT, experiment

from gesturehand.cli.main import main
from gesturehand.runs import finished_runs

WORDS = [
    *SHORT, "--trainer.max_epochs=2", "--trainer.limit_val_batches=3", "--trainer.log_every_n_steps=1", "--wandb=true",
    "--tensorboard=true", "--wandb_checkpoints=true", "--val_pictures=3",
]  # fmt: skip


class Run(NamedTuple):
    """A finished run and the records of its W&B file."""

    folder: Path
    records: list

    def logged(self) -> set[str]:
        """Names of everything in the history."""
        return {"/".join(i.nested_key) or i.key for r in self.of("history") for i in r.history.item}

    def of(self, kind: str) -> list:
        return [record for record in self.records if record.WhichOneof("record_type") == kind]


def wandb_records(path: Path) -> Iterator:
    """Records of W&B's transaction log: LevelDB's log format after a header of seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data, place, part = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        if place + 7 + length > len(data):
            return  # not completely written yet
        part += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last of several
            record = wandb_internal_pb2.Record()
            record.ParseFromString(part)
            part = b""
            yield record


def finished_records(path: Path) -> list:
    """All records; W&B's process may still be writing when the run's process has ended."""
    for _ in range(300):
        records = list(wandb_records(path))
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            return records
        time.sleep(0.1)
    raise AssertionError(f"{path} has no end")


@pytest.fixture(scope="session")
def runs(tmp_path_factory, synthetic_root) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("callbacks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_DATA_DIR", str(folder / "staged"))
        for stage in ("pretrain", "finetune"):
            assert main(["fit", experiment(f"demo/{stage}"), *WORDS, f"--data.root={synthetic_root}"]) == 0
        found = {}
        for run, description in finished_runs("runs"):
            (file,) = run.glob("wandb/offline-run-*/*.wandb")
            found[description["model"]] = Run(folder / run, finished_records(file))
    assert yaml.safe_load((found["GesturePretrainer"].folder / "config.yaml").read_text())["tensorboard"] is True
    return found
