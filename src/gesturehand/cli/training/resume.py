"""Finds the folder of a training run: a new one, or that of the same interrupted run, which then continues."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from filelock import BaseFileLock
from pytorch_lightning.utilities import rank_zero_info

from gesturehand.checkpoints.resume_points import newest_point
from gesturehand.errors import UserError
from gesturehand.file_writing import try_lock
from gesturehand.runs import FINISHED_FILE, RUNNING_FILE, new_run
from gesturehand.text_file import read_note, write_json

#: The place of resume points within a run's folder.
POINTS: Final = Path("checkpoints") / "resume"
_STATE_FILE: Final = "resume.json"
#: Settings that may change without making it another run, …
_NOT_COMPARED: Final = ("config", "resume")
#: … and those of the trainer: a run may continue elsewhere, as long as its steps stay the same (ResumePoints).
_NOT_COMPARED_OF_TRAINER: Final = ("num_nodes", "devices")

#: Locks that are held until the process ends, however it ends.
_locks: list[BaseFileLock] = []


class RunPlace(NamedTuple):
    """The place of a run.

    Attributes:
        folder: Its folder.
        point: The checkpoint from which it continues; None starts at the beginning.
        state: The values that a run remembers: ``config_sha256``, ``wandb_id`` and those that :func:`remember` added.
    """

    folder: Path
    point: Path | None
    state: dict[str, Any]


def place_of_run(parent: Path, config: str, resume: str, given: Path | None = None) -> RunPlace:
    """Chooses the folder of a training run and locks it for this process.

    Args:
        parent: Folder of runs of one name.
        config: The resolved configuration, YAML.
        resume: ``auto``: continue the newest unfinished run of the same configuration that no process is working
            on, or start a new one; ``never``: start a new one; else the folder of the run to continue.
        given: An existing folder for this run, such as a sweep's trial has: the run continues or starts in it.

    Raises:
        UserError: The named run cannot be resumed.
    """
    digest = config_digest(config)
    if given is not None:
        state = read_note(given / _STATE_FILE)
        same = state.get("config_sha256") == digest and not (given / FINISHED_FILE).exists()
        return _go_on(given, state) if same and _lock(given) and resume != "never" else _start(given, digest)
    if resume == "auto":
        states = sorted(parent.glob(f"*/{_STATE_FILE}"), key=lambda path: path.parent.name, reverse=True)
        for path in states:
            state = read_note(path)
            if state.get("config_sha256") != digest or (path.parent / FINISHED_FILE).exists():
                continue
            if _lock(path.parent):
                return _go_on(path.parent, state)
            rank_zero_info(f"The same run is still training in '{path.parent}', so this one starts from the beginning.")
    elif resume != "never":
        folder = Path(resume)
        state = read_note(folder / _STATE_FILE)
        if not state:
            raise UserError(f"'{folder}' is not a run that can be resumed: give a folder under runs/.")
        if (folder / FINISHED_FILE).exists():
            raise UserError(f"The run '{folder}' has finished: test it with `gesturehand test --run {folder}`.")
        if not _lock(folder):
            raise UserError(f"The run '{folder}' is still being trained by another process: end that one first.")
        return _go_on(folder, state)
    return _start(new_run(parent), digest)


def remember(place: RunPlace, **facts: Any) -> None:
    """Stores values that must be the same when the run continues."""
    place.state.update(facts)
    write_json(place.folder / _STATE_FILE, place.state)


def config_digest(config: str) -> str:
    """SHA-256 of a configuration without the settings that do not make it another run."""
    settings = {key: value for key, value in yaml.safe_load(config).items() if key not in _NOT_COMPARED}
    trainer = settings.get("trainer")
    if isinstance(trainer, dict):
        settings["trainer"] = {key: value for key, value in trainer.items() if key not in _NOT_COMPARED_OF_TRAINER}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def release_locks() -> None:
    """Lets other processes continue the runs of this one, which has finished with them."""
    while _locks:
        _locks.pop().release()


def _start(folder: Path, digest: str) -> RunPlace:
    _lock(folder)
    state = {"config_sha256": digest, "wandb_id": secrets.token_hex(4)}
    write_json(folder / _STATE_FILE, state)
    return RunPlace(folder, None, state)


def _go_on(folder: Path, state: dict[str, Any]) -> RunPlace:
    point = newest_point(folder / POINTS)
    where = f"from {point.name}" if point else "from its beginning: it was interrupted before its first checkpoint"
    rank_zero_info(f"Resuming '{folder}' {where} (--resume=never starts a new run).")
    return RunPlace(folder, point, state)


def _lock(folder: Path) -> bool:
    """Locks a folder for this process and not its children; the system lets go of it when the process ends."""
    path = folder / RUNNING_FILE
    if any(lock.lock_file == str(path) for lock in _locks):
        return True
    lock = try_lock(path)
    if lock is not None:
        _locks.append(lock)
    return lock is not None
