"""Run folders: a new one for every run, and finding finished ones again.

A run lives in ``<runs>/<name>/<date>-<time>/`` with its resolved ``config.yaml``, ``metrics.csv``, ``checkpoints/``
and, once training has finished, ``finished.json``. Nothing is ever written into another run's folder.
"""

import math
import time
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from gesturehand.errors import UserError, one_line
from gesturehand.file_writing import try_lock
from gesturehand.suggestions import did_you_mean_path
from gesturehand.text_file import read_note, read_yaml, write_json

FINISHED_FILE: Final = "finished.json"
CONFIG_FILE: Final = "config.yaml"
#: The report of a test or an evaluation.
REPORT_FILE: Final = "report.json"
#: Locked by the process that trains.
RUNNING_FILE: Final = ".running"
BEST_CHECKPOINT: Final = Path("checkpoints") / "best.ckpt"
#: The kind of model that "latest" means: one of the second stage.
REGRESSOR: Final = "HandRegressor"
_PRETRAINER: Final = "GesturePretrainer"
#: Settings on which both stages must agree for a hand-over.
_ENCODER_SETTINGS: Final = ("backbone", "feature_stride", "embedding_dim", "gesture_classes")
#: Kinds of models whose runs, of the first version, do not list them.
_KINDS: Final[dict[str, tuple[str, ...]]] = {"TokenFusionRegressor": (REGRESSOR,), "EANetRegressor": (REGRESSOR,)}
#: First words of the folders of experiments, whose networks are trained for comparison and not for use.
_EXPERIMENTS: Final = ("ablation", "control", "sweep")
#: Settings that a run must have unless it is a control, an ablation or a trial of the code.
_ORDINARY: Final[dict[str, dict[str, Any]]] = {
    "data": {"shuffled_images": False, "shuffled_labels": False, "read_images": True, "fit_share": 1.0},
    "trainer": {"overfit_batches": 0.0, "fast_dev_run": False},
}


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
    """Notes that a run's training has finished, and what it trained."""
    write_json(run / FINISHED_FILE, {**description, "finished_at": time.time()})


def finished_runs(runs: str | Path) -> list[tuple[Path, dict[str, Any]]]:
    """Finished runs under a folder with their descriptions, newest first.

    A run whose description cannot be read is left out with a warning.
    """
    found = []
    for path in Path(runs).rglob(FINISHED_FILE):
        description = _description(path)
        if description is None:
            warnings.warn(f"'{path}' cannot be read, so its run is not considered: remove it.", stacklevel=2)
        else:
            found.append((path.parent, description))
    return sorted(found, key=lambda entry: entry[1]["finished_at"], reverse=True)


def candidate_runs(runs: str | Path) -> tuple[list[tuple[Path, dict[str, Any]]], list[str]]:
    """Finished runs that a command may choose by itself, newest first, and the reasons why the others are left out.

    A run is left out if it is a control, an ablation or a sweep's trial (a setting such as ``data.shuffled_images``,
    or a folder whose name begins with one of these words), if it was only a trial of the code, or if it has no best
    checkpoint.

    Returns:
        Folders with their descriptions; one clause for each run that was left out.
    """
    chosen, left_out = [], []
    for folder, description in finished_runs(runs):
        reason = _reason_against(folder, Path(runs))
        if reason is None:
            chosen.append((folder, description))
        else:
            left_out.append(f"'{folder}' {reason}")
    return chosen, left_out


def newest_run(runs: str | Path, model: str = REGRESSOR) -> Path:
    """The run that every command means by "latest": the newest one of a model that may be chosen.

    Args:
        runs: Folder to search.
        model: Class of the model, or a kind of models (``kinds`` of a run's description).

    Raises:
        UserError: There is none; the message names the runs that were left out.
    """
    chosen, left_out = candidate_runs(runs)
    for folder, description in chosen:
        own = description.get("model", "")
        if model == own or model in _kinds(own, description.get("kinds")):
            return folder
    note = f" ({', '.join(left_out[:3])}{' …' if len(left_out) > 3 else ''})" if left_out else ""
    raise UserError(f"No finished {model} under '{runs}'{note}: train one with `make finetune`, or give its folder.")


def encoder_settings(model: Any) -> dict[str, Any]:
    """The encoder's part of a model's settings; a backbone has the same name with and without ``timm/``."""
    settings = {key: model.get(key) for key in _ENCODER_SETTINGS}
    return settings | {"backbone": str(settings["backbone"]).removeprefix("timm/")}


def find_pretraining(wanted: str | None, runs: str | Path, settings: dict[str, Any]) -> str | None:
    """The checkpoint that a setting stands for.

    Args:
        wanted: A path, ``auto`` (the newest finished gesture pretraining that fits and is not a control) or ``none``.
        runs: The folder in which ``auto`` searches.
        settings: :func:`encoder_settings` and ``mirror_left`` of the second stage, which the first must share.

    Returns:
        A path, or None for none.

    Raises:
        UserError: ``auto`` finds no pretraining.
    """
    from pytorch_lightning.utilities import rank_zero_info

    if wanted in (None, "none"):
        return None
    if wanted != "auto":
        return str(wanted)
    for folder, description in candidate_runs(runs)[0]:
        if description.get("model") == _PRETRAINER and description.get("settings") == settings:
            path = str(best_checkpoint(folder))
            rank_zero_info(f"Gesture pretraining: {path}")
            return path
    wanted_text = ", ".join(f"{key}={value}" for key, value in settings.items())
    raise UserError(
        f"No finished gesture pretraining with {wanted_text} under '{runs}': run `make pretrain` first, name a "
        "checkpoint as model.pretrained, or go without with PRETRAINED=none."
    )


def mirrors_left(data: Any) -> bool:
    """Whether data, or its settings, show left hands as right ones."""
    return bool(data.mirror_left and data.layout == "per_hand")


def stage_of_model(model: str, kinds: list[str] | None = None) -> int | None:
    """1 for the gesture pretraining, 2 for a network of hands, None for a model of neither kind.

    Args:
        model: Class of the model.
        kinds: As a run's description lists them; None if it does not.
    """
    if model == _PRETRAINER:
        return 1
    return 2 if REGRESSOR in (model, *_kinds(model, kinds)) else None


def finished_description(run: Path) -> dict[str, Any] | None:
    """The notes made when a run was completed; None if it was not, or if they cannot be read."""
    return _description(run / FINISHED_FILE)


def is_running(run: Path) -> bool:
    """Whether a process is training in a run's folder now."""
    path = run / RUNNING_FILE
    if not path.exists():
        return False
    try:
        lock = try_lock(path)
    except UserError:  # a folder that one may only read
        return False
    if lock is not None:
        lock.release()
    return lock is None


def _kinds(model: str, listed: list[str] | None) -> tuple[str, ...] | list[str]:
    return _KINDS.get(model, ()) if listed is None else listed


def _description(path: Path) -> dict[str, Any] | None:
    content = read_note(path)
    finished_at = content.get("finished_at")
    good = isinstance(finished_at, (int, float)) and math.isfinite(finished_at)
    good = good and isinstance(content.get("model", ""), str) and isinstance(content.get("kinds", []), list)
    return content if good else None


def _reason_against(folder: Path, runs: Path) -> str | None:
    """The reason why no command chooses a run by itself, as the end of a sentence about it; None if one may."""
    for part in folder.relative_to(runs).parts:
        if part.startswith(_EXPERIMENTS):
            return f"is kept under '{part}'"
    if not (folder / BEST_CHECKPOINT).is_file():
        return f"has no {BEST_CHECKPOINT}"
    try:
        config = run_config(folder)
    except OSError:
        return None  # a run from Python has no configuration
    except UserError:
        return f"has a broken {CONFIG_FILE}"
    for section, ordinary in _ORDINARY.items():
        settings = config.get(section)
        for key, value in ordinary.items():
            if isinstance(settings, dict) and settings.get(key, value) not in (value, None):
                return f"was trained with {section}.{key}={settings[key]}"
    return None


def run_config(run: Path) -> dict[str, Any]:
    """The resolved configuration that a run was started with.

    Raises:
        OSError: There is none, or it cannot be opened.
        UserError: It is not one.
    """
    path = run / CONFIG_FILE
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), f"The configuration '{path}'")
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"The configuration '{path}' cannot be read ({one_line(error)}): give another run.") from None
    if not isinstance(content, dict):
        raise UserError(f"The configuration '{path}' holds no settings: give another run.")
    return content


def data_settings_of(checkpoint: Path) -> dict[str, Any]:
    """The data settings of the run that wrote a checkpoint, whose configuration is two folders above; {} without one.

    Raises:
        UserError: The configuration is damaged.
    """
    try:
        data = run_config(checkpoint.parent.parent).get("data")
    except FileNotFoundError:
        return {}
    return data if isinstance(data, dict) else {}


def best_checkpoint(run: str | Path) -> Path:
    """The best checkpoint of a run.

    Raises:
        UserError: The run has none.
    """
    path = Path(run) / BEST_CHECKPOINT
    if not path.is_file():
        remedy = "give the folder of a run that was trained."
        meant = remedy if Path(run).is_dir() else did_you_mean_path(run, remedy)
        raise UserError(f"The run '{run}' has no '{BEST_CHECKPOINT}': {meant}")
    return path


def newest_test(run: Path) -> Path:
    """The newest tested folder of a run.

    Raises:
        UserError: The run was not tested.
    """
    tests = sorted(run.rglob(REPORT_FILE), key=lambda path: path.stat().st_mtime)
    if not tests:
        raise UserError(f"The run '{run}' has not been tested: run `gesturehand test --run {run}` first.")
    return tests[-1].parent
