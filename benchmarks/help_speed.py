"""The time that every command takes to print its help and to report a slip, against ``python -c "import torch"``.

    python benchmarks/help_speed.py [--source src] [--repeats 3] [--out docs/results/help_before.json]

Each runs in a separate process. Its processor time counts, user and system together, which a busy machine changes
little, and the least of several runs. ``--source`` measures some commands of another folder's package: the figures that
the documents quote as *before* come from ``git worktree add ../before ad6e7fe`` and ``--source ../before/src``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gesturehand.cli.commands import all_commands
from gesturehand.text_file import write_json

SOURCE = Path(__file__).parent.parent / "src"
_RUN = "import sys; from gesturehand.cli.main import main; sys.exit(main())"
#: Commands that are measured of an older commit; of this one, all are.
COMMANDS = ("fit", "test", "predict", "evaluate", "data synth", "data check", "hand info", "run summary")
SLIP = "fit --config experiments/demo/finetune.yaml --model.init_args.fusoin=cross"


def measure(source: Path = SOURCE, commands: Sequence[str] | None = None, repeats: int = 3) -> dict[str, Any]:
    """Processor seconds of importing PyTorch, of each command's help, and of a slip in a key of ``fit``.

    Args:
        source: Folder of the package.
        commands: Commands whose help is asked for; all of this commit's if not given.
        repeats: Number of runs of each; the least time counts.
    """
    seconds = {"import torch": _least(source, ["-c", "import torch"], repeats)}
    for command in commands or all_commands():
        seconds[command] = _least(source, ["-c", _RUN, *command.split(), "--help"], repeats)
    slip = _least(source, ["-c", _RUN, *SLIP.split()], repeats)
    unit = seconds.pop("import torch")
    return {"import_torch_s": unit, "help_s": seconds, "slip_s": slip}


def _least(source: Path, words: Sequence[str], repeats: int) -> float:
    return min(_processor_seconds(source, words) for _ in range(repeats))


def _processor_seconds(source: Path, words: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    subprocess.run([sys.executable, *words], cwd=SOURCE.parent, env=environment, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    commands = None if arguments.source == SOURCE else COMMANDS
    result = measure(arguments.source.resolve(), commands, arguments.repeats)
    print(json.dumps(result, indent=2))
    if arguments.out:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
