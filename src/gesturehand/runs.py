"""Run folders: a new one for every run, and finding finished ones again.

A run lives in ``<runs>/<name>/<date>-<time>/`` with its resolved ``config.yaml``, ``metrics.csv``, ``checkpoints/``
and, once training has finished, ``finished.json``. Nothing is ever written into another run's folder.
"""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gesturehand.errors import UserError
from gesturehand.json_files import write_json

FINISHED_FILE: Final = "finished.json"
CONFIG_FILE: Final = "config.yaml"
BEST_CHECKPOINT: Final = Path("checkpoints") / "best.ckpt"


def new_run(parent: str | Path, prefix: str = "") -> Path:
    """Creates a folder that did not exist, named by the time.

    Args:
        parent: Folder of runs of one name.
        prefix: Before the time, for example ``test-``.
    """
    parent = Path(parent)
    stamp = f"{prefix}{datetime.now():%Y%m%d-%H%M%S}"
    for attempt in range(1, 1000):
        folder = parent / (stamp if attempt == 1 else f"{stamp}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"The folder '{folder}' cannot be made ({error.strerror}): choose another --runs."
            ) from error
        return folder
    raise UserError(f"No new run folder could be made in '{parent}': clear it, or choose another --runs.")


def mark_finished(run: Path, description: dict[str, Any]) -> None:
    """Notes that a run's training has come to its end, and what it trained."""
    write_json(run / FINISHED_FILE, {**description, "finished_at": time.time()})


def finished_runs(runs: str | Path) -> list[tuple[Path, dict[str, Any]]]:
    """Finished runs under a folder with their descriptions, newest first."""
    found = [(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in Path(runs).rglob(FINISHED_FILE)]
    return sorted(found, key=lambda entry: entry[1]["finished_at"], reverse=True)


def newest_run(runs: str | Path, model: str) -> Path:
    """The newest finished run of a model, or of any model of a kind (``kinds`` of its description), under a folder.

    Raises:
        UserError: There is none.
    """
    for folder, description in finished_runs(runs):
        if model in (description["model"], *description.get("kinds", ())):
            return folder
    raise UserError(f"No finished {model} under '{runs}': train one with `make finetune`, or give its folder.")


def best_checkpoint(run: str | Path) -> Path:
    """The best checkpoint of a run.

    Raises:
        UserError: The run has none.
    """
    path = Path(run) / BEST_CHECKPOINT
    if not path.is_file():
        raise UserError(f"The run '{run}' has no '{BEST_CHECKPOINT}': give the folder of a run that was trained.")
    return path
