"""A sweep as an Optuna study in a SQLite file: new, or interrupted, with its unfinished trials queued again."""

import hashlib
import json
from pathlib import Path
from typing import Final

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from gesturehand.errors import UserError
from gesturehand.sweeps.parameters import grid_points
from gesturehand.sweeps.sweep_file import Sweep

STUDY_FILE: Final = "study.db"
_SPACE: Final = "search_space"
#: Trials drawn at random before method bayes has enough results to model.
_STARTUP_TRIALS: Final = 5


def open_study(sweep: Sweep, folder: Path, seed: int) -> optuna.Study:
    """Begins the study or continues it.

    A trial that was running when the process died is marked as failed, and its values are tried again.

    Raises:
        UserError: The folder holds the study of another search space or metric, or the file cannot be written.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / STUDY_FILE
    existed = path.exists()
    try:
        study = optuna.create_study(
            study_name=sweep.name,
            storage=f"sqlite:///{path}",
            sampler=None,
            pruner=_pruner(sweep),
            direction="maximize" if sweep.maximise else "minimize",
            load_if_exists=True,
        )
    except (StorageInternalError, SQLAlchemyError) as error:
        if not existed:
            path.unlink(missing_ok=True)
        reason = str(error).splitlines()[0]
        raise UserError(f"'{path}' could not be written ({reason}): make room or choose another folder.") from error
    space = _fingerprint(sweep)
    known = study.user_attrs.get(_SPACE)
    if known is None:
        if sweep.method == "grid":
            for point in grid_points(sweep.parameters):
                study.enqueue_trial(point, skip_if_exists=True)
        study.set_user_attr(_SPACE, space)
    elif known != space:
        raise UserError(
            f"'{folder}' holds a sweep with other parameters, method, metric or command: give another --name, or "
            "remove that folder."
        )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
        study.tell(trial.number, state=TrialState.FAIL)
    # A seed alone would draw the same values again after an interruption.
    study.sampler = _sampler(sweep, seed + len(study.get_trials(deepcopy=False)))
    return study


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that ended with a value, or that the pruner ended early."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def completed(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that ended with a value, the best first."""
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: sign * (trial.value or 0.0))


def _fingerprint(sweep: Sweep) -> str:
    keys = ("parameters", "method", "metric", "program", "command", "early_terminate")
    space = {key: sweep.content.get(key) for key in keys}
    if any(parameter.kind.startswith("q_") for parameter in sweep.parameters):
        # Studies of earlier versions hold quantiles of these parameters.
        space["rounded"] = "values"
    text = json.dumps(space, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _sampler(sweep: Sweep, seed: int) -> optuna.samplers.BaseSampler:
    if sweep.method == "bayes":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP_TRIALS)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    if sweep.early_terminate is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=sweep.early_terminate.min_iter, reduction_factor=sweep.early_terminate.eta
    )
