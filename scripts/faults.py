"""Kills training runs at random moments, continues them with the same command, and compares them with uninterrupted
ones.

``python scripts/faults.py --out docs/results/faults.json`` trains both stages on a tiny open set: once undisturbed, and
once with kills, including some in the middle of writing a checkpoint, between writing and renaming, right after
renaming, and with the newest checkpoint cut short or changed in one bit afterwards. In the end, the weights, the
optimiser, the schedule and the logged metrics must be equal, bit for bit. Every run is a separate process of
``gesturehand fit``.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

REPOSITORY = Path(__file__).resolve().parents[1]
#: The faults of each stage, in a random order; SIGTERM and SIGKILL come at random moments.
FAULTS = {
    "SIGTERM": 3,
    "SIGKILL": 3,
    "SIGKILL while a checkpoint is written": 2,
    "SIGKILL between write and rename": 2,
    "SIGKILL right after the rename": 1,
    "newest checkpoint cut short": 1,
    "newest checkpoint with one bit changed": 1,
}
#: The places at which the child process ends itself, for faults that depend on the place and not on the time.
PLACE_VARIABLE = "FAULT_PLACE"
#: Long enough for a run to be still at work after all faults.
EPOCHS = 8


def child(words: list[str]) -> int:
    """Runs a command with its last resume points kept, and with a kill at the place that the environment names."""
    from gesturehand import file_writing
    from gesturehand.checkpoints import checkpoint_io
    from gesturehand.cli import main, train

    place, _, after = os.environ.get(PLACE_VARIABLE, "").partition(":")
    saves = 0

    def die_at(here: str) -> None:
        if here == place and saves == int(after):
            os.kill(os.getpid(), signal.SIGKILL)

    real = checkpoint_io.durable_file

    class Half:
        """A file that ends the process when some bytes have been written."""

        def __init__(self, file: Any) -> None:
            self.file, self.written = file, 0

        def write(self, data: Any) -> int:
            self.written += len(data)
            if self.written > 50_000:
                self.file.flush()
                die_at("write")
            return self.file.write(data)

        def flush(self) -> None:
            self.file.flush()

    @contextmanager
    def counted(path: Path) -> Iterator[Any]:
        nonlocal saves
        saves += "step-" in Path(path).name
        with real(path) as file:
            yield Half(file)

    class Os:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def replace(self, source: Any, target: Any) -> None:
            die_at("rename")
            os.replace(source, target)  # noqa: PTH105
            die_at("renamed")

    if place:
        checkpoint_io.durable_file = counted
        file_writing.os = Os()
    train.remove_points = lambda folder: None
    return main.main(words)


def main() -> int:
    if sys.argv[1:2] == ["child"]:
        return child(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    began = time.monotonic()
    try:
        result = run_all(folder, random.Random(options.seed))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result["seconds"] = round(time.monotonic() - began)
    print(json.dumps(result, indent=2))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if result["survived"] == result["faults"] else 1


def run_all(folder: Path, chance: random.Random) -> dict[str, Any]:
    from gesturehand.synthetic.writer import write_synthetic_set

    gestures = ("open_spread", "fist", "index_point", "a_okay")
    write_synthetic_set(
        folder / "set",
        subjects=(2, 1, 1),
        frames=(64, 8, 8),
        views=2,
        gestures=gestures,
        processes=1,
        progress=False,
    )
    result: dict[str, Any] = {"command": "python scripts/faults.py", "torch": torch.__version__, "stages": {}}
    pretrained = "none"
    for stage, workers in (("pretrain", 0), ("finetune", 2)):
        words = command(folder / "set", stage, workers, pretrained)
        code, output = run(folder / "reference", words)
        assert code == 0, f"{stage} fails without any fault: {output[-3000:]}"
        faults, outcomes = torture(folder / "tortured", words, chance, stage)
        ours, theirs = (finished_run(folder / name, stage) for name in ("reference", "tortured"))
        differences = compare(ours, theirs)
        same = not differences and all(outcome["survived"] for outcome in outcomes)
        result["stages"][stage] = {
            "equal": not differences,
            "differences": differences,
            "log_rows": [len((run / "metrics.csv").read_text().splitlines()) for run in (ours, theirs)],
            "faults": faults,
            "runs": len(list((folder / "tortured" / "runs" / "demo" / stage).iterdir())),
            "each": outcomes,
        }
        pretrained = str(ours / "checkpoints" / "best.ckpt")
        print(f"{stage}: {sum(faults.values())} faults, {'equal' if same else differences}", flush=True)
    stages = result["stages"].values()
    result["faults"] = sum(len(stage["each"]) for stage in stages)
    result["survived"] = sum(one["survived"] and stage["equal"] for stage in stages for one in stage["each"])
    return result


def command(root: Path, stage: str, workers: int, pretrained: str) -> list[str]:
    words = [
        "fit",
        f"--config={REPOSITORY / 'experiments' / 'demo' / stage}.yaml",
        f"--data.root={root}",
        "--model.init_args.backbone=test_resnet",
        "--data.image_size=32",
        "--data.batch_size=4",
        f"--data.num_workers={workers}",
        f"--trainer.max_epochs={EPOCHS}",
        "--trainer.enable_progress_bar=false",
        "--trainer.log_every_n_steps=5",
        "--resume_every_n_steps=7",
        "--wandb=false",
    ]
    if stage == "finetune":
        words += [f"--model.init_args.pretrained={pretrained}", "--model.init_args.dropout=0.1"]
    return words


def run(folder: Path, words: list[str], place: str = "", hit: signal.Signals | None = None, delay: float = 0.0):
    """Runs the command, with a kill if asked for; returns its exit code and its output.

    Args:
        folder: The folder in which it runs.
        words: The command line.
        place: The place at which it ends itself.
        hit: The signal that it gets.
        delay: Seconds between the start of training and the signal.
    """
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", PLACE_VARIABLE: place}
    with (folder / "output.txt").open("w+", encoding="utf-8") as output:
        began = time.time()
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "child", *words],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        )
        if hit is not None:
            # A run's settings are written when its training is set up.
            while process.poll() is None and not any(
                path.stat().st_mtime > began for path in folder.glob("runs/demo/*/*/config.yaml")
            ):
                time.sleep(0.02)
            time.sleep(delay)
            process.send_signal(hit)
        code = process.wait(timeout=300)
        output.seek(0)
        return code, output.read()


def torture(folder: Path, words: list[str], chance: random.Random, stage: str):
    """Causes every fault, each followed by the same command, and finally lets the command finish."""
    kinds = [kind for kind, count in FAULTS.items() for _ in range(count)]
    chance.shuffle(kinds)
    places = {
        "SIGKILL while a checkpoint is written": "write",
        "SIGKILL between write and rename": "rename",
        "SIGKILL right after the rename": "renamed",
    }
    outcomes: list[dict[str, Any]] = []
    for kind in kinds:
        if kind.startswith("newest"):
            points = sorted(folder.glob(f"runs/demo/{stage}/*/checkpoints/resume/step-*.ckpt"))
            if len(points) < 2:  # too early: let it get further first
                run(folder, words, place="renamed:3")
                points = sorted(folder.glob(f"runs/demo/{stage}/*/checkpoints/resume/step-*.ckpt"))
            damage(points[-1], kind)
            delay = chance.uniform(0.2, 0.8)
            code, output = run(folder, words, hit=signal.SIGKILL, delay=delay)
            said = f"{points[-1].name}' is damaged" in output and f"from {points[-2].name}" in output
            outcomes.append({"fault": kind, "point": points[-1].name, "survived": said})
        elif kind in places:
            place = f"{places[kind]}:{chance.randint(1, 3)}"
            code, output = run(folder, words, place=place)
            outcomes.append({"fault": kind, "place": place, "survived": code == -signal.SIGKILL})
        else:
            hit, delay = getattr(signal, kind), chance.uniform(0.0, 1.5)
            code, output = run(folder, words, hit=hit, delay=delay)
            expected = (-signal.SIGKILL,) if hit == signal.SIGKILL else (143, -signal.SIGTERM)
            outcomes.append({"fault": kind, "seconds": round(delay, 2), "exit": code, "survived": code in expected})
        assert code, f"{stage} finished before all faults were tried: make EPOCHS larger"
        outcomes[-1]["from"] = next((line for line in output.splitlines() if "Resuming" in line), "the beginning")[-60:]
        if not outcomes[-1]["survived"]:
            print(kind, code, output[-3000:], flush=True)
    code, output = run(folder, words)
    outcomes[-1]["survived"] &= code == 0
    if code:
        print(output[-3000:], flush=True)
    return dict(Counter(kinds)), outcomes


def damage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if "cut" in kind:
        del content[len(content) * 2 // 3 :]
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


def finished_run(folder: Path, stage: str) -> Path:
    (run_folder,) = folder.glob(f"runs/demo/{stage}/*/finished.json")
    return run_folder.parent


def compare(one: Path, two: Path) -> list[str]:
    """The differences between two runs in final weights, optimiser, schedule and log."""
    states = []
    for folder in (one, two):
        path = max((folder / "checkpoints" / "resume").glob("step-*.ckpt"))
        states.append(torch.load(path, weights_only=True))
    found: list[str] = []
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step"):
        differences(states[0][key], states[1][key], key, found)
    logs = [sorted((folder / "metrics.csv").read_text().splitlines()) for folder in (one, two)]
    if not set(logs[1]) <= set(logs[0]) or len(logs[1]) != len(set(logs[1])):
        found.append(f"metrics.csv: {sorted(set(logs[1]) - set(logs[0]))[:6]}")
    best = [torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"] for folder in (one, two)]
    differences(*best, "best.ckpt", found)
    return found[:20]


def differences(one: Any, two: Any, name: str, found: list[str]) -> None:
    if isinstance(one, torch.Tensor):
        equal = isinstance(two, torch.Tensor) and one.dtype == two.dtype and torch.equal(one, two)
        if not equal:
            found.append(name)
    elif isinstance(one, dict):
        if one.keys() != two.keys():
            found.append(f"{name}: keys")
        for key in one.keys() & two.keys():
            differences(one[key], two[key], f"{name}.{key}", found)
    elif isinstance(one, (list, tuple)):
        if len(one) != len(two):
            found.append(f"{name}: length")
        for place, pair in enumerate(zip(one, two, strict=False)):
            differences(*pair, f"{name}.{place}", found)
    elif one != two:
        found.append(f"{name}: {one} {two}")


if __name__ == "__main__":
    sys.exit(main())
