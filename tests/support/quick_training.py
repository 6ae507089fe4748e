"""Stands in for ``gesturehand fit`` in tests of sweeps, not of their trainings: it takes seconds and hardly any CPU.

Like a training, it allows one process per folder, continues where it was killed, and ends when its sweep has ended.
"""

import json
import math
import os
import sys
import time
from pathlib import Path

from gesturehand.file_writing import try_lock

STEPS = 10
CONFIG = {
    "model": {
        "class_path": "gesturehand.GesturePretrainer",
        "init_args": {"backbone": "test_resnet", "feature_stride": 16, "imagenet_weights": False},
    }
}


def train(folder: Path, learning_rate: float, weight: float) -> None:
    """Makes ten steps, each with a validation whose loss depends on the settings."""
    parent = os.getppid()
    lock = try_lock(folder / ".running")
    assert lock is not None, "two processes train in one folder"
    (folder / "config.yaml").write_text(json.dumps(CONFIG))
    report = folder / "trial.jsonl"
    done = len(report.read_text().splitlines()) if report.exists() else 0
    for step in range(done + 1, STEPS + 1):
        time.sleep(0.3)
        assert os.getppid() == parent, "the sweep has ended"
        loss = (math.log10(learning_rate) + 3) ** 2 + weight + 1 / step
        with report.open("a") as file:
            file.write(json.dumps({"epoch": step, "step": step, "val/loss": loss}) + "\n")


if __name__ == "__main__":
    if "--print_config" in sys.argv:
        print(json.dumps(CONFIG))
    else:
        given = dict(word.removeprefix("--").split("=", 1) for word in sys.argv if "=" in word)
        rate, weight = given["model.init_args.learning_rate"], given["model.init_args.weight_hierarchy"]
        train(Path(os.environ["GESTUREHAND_TRIAL_FOLDER"]), float(rate), float(weight))
