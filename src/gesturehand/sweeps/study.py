"""A sweep as an Optuna study in a file: new, or interrupted, with its unfinished trials queued again.

The file is an SQLite database or, if several machines write to it, a journal: a text file to which each appends under a
lock file, which works on network drives, where SQLite's locks often do not.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from gesturehand.errors import UserError
from gesturehand.file_writing import new_file
from gesturehand.sweeps.sweep_file import Sweep, grid_points

STUDY_FILE: Final = "study.db"
JOURNAL_FILE: Final = "study.journal"
_SPACE: Final = "search_space"
#: Trials drawn at random before method bayes has enough results to model.
_STARTUP_TRIALS: Final = 5


def open_study(sweep: Sweep, folder: Path, seed: int, *, shared: bool = False) -> optuna.Study:
    """Begins the study or continues it.

    A trial that was running when the process died is marked as failed, and its values are tried again; in a shared
    study it is left as it is (:func:`running`).

    Args:
        sweep: The sweep.
        folder: Folder of the study's file. One that was begun on one machine is copied when it is first shared, and
            shared from then on.
        seed: Seed of the choice of values.
        shared: Several machines write to the study.

    Raises:
        UserError: The folder holds the study of another search space or metric, or the file cannot be written.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal, database = folder / JOURNAL_FILE, folder / STUDY_FILE
    if shared and database.exists() and not journal.exists():
        _copy(sweep, database, journal)
    in_journal = shared or journal.exists()
    study = _create(sweep, _journal(journal)) if in_journal else _create_in_database(sweep, database)
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
    if not shared:
        for trial in running(study):
            study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
            study.tell(trial.number, state=TrialState.FAIL)
    # A seed alone would draw the same values again after an interruption.
    study.sampler = _sampler(sweep, seed + len(study.get_trials(deepcopy=False)), shared=shared)
    return study


def shared_trial(sweep: Sweep, folder: Path, number: int) -> optuna.Trial:
    """A running trial of a shared study, in any process.

    Args:
        sweep: The sweep.
        folder: Folder of the study's file.
        number: Number of the trial.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _running_trial(_create(sweep, _journal(folder / JOURNAL_FILE)), number)


def take_up(sweep: Sweep, study: optuna.Study, number: int) -> optuna.Trial:
    """A trial that another process has begun, with its values; those that had not been drawn yet are drawn now."""
    trial = _running_trial(study, number)
    for name, distribution in distributions(sweep).items():
        trial._suggest(name, distribution)
    return trial


def _running_trial(study: optuna.Study, number: int) -> optuna.Trial:
    return optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def distributions(sweep: Sweep) -> dict[str, BaseDistribution]:
    """The distributions that Optuna draws from, by the parameters' names."""
    return {p.name: p.distribution for p in sweep.parameters if p.distribution is not None}


def running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that have begun but not ended."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that ended with a value, or that the pruner ended early."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def completed(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that ended with a value, the best first."""
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: sign * (trial.value or 0.0))


def _create(sweep: Sweep, storage: BaseStorage | str) -> optuna.Study:
    return optuna.create_study(
        study_name=sweep.name,
        storage=storage,
        pruner=_pruner(sweep),
        direction="maximize" if sweep.maximise else "minimize",
        load_if_exists=True,
    )


def _create_in_database(sweep: Sweep, path: Path) -> optuna.Study:
    existed = path.exists()
    try:
        return _create(sweep, f"sqlite:///{path}")
    except (StorageInternalError, SQLAlchemyError) as error:
        if not existed:
            path.unlink(missing_ok=True)
        reason = str(error).splitlines()[0]
        raise UserError(f"'{path}' could not be written ({reason}): make room or choose another folder.") from error


def _journal(path: Path) -> JournalStorage:
    # The other lock, a link, is a privilege on Windows and needs an absolute path.
    return JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))


def _copy(sweep: Sweep, database: Path, journal: Path) -> None:
    with new_file(journal) as part:
        optuna.copy_study(from_study_name=sweep.name, from_storage=f"sqlite:///{database}", to_storage=_journal(part))


def _fingerprint(sweep: Sweep) -> str:
    keys = ("parameters", "method", "metric", "program", "command", "early_terminate")
    space = {key: sweep.content.get(key) for key in keys}
    if any(parameter.kind.startswith("q_") for parameter in sweep.parameters):
        # Studies of earlier versions hold quantiles of these parameters.
        space["rounded"] = "values"
    text = json.dumps(space, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _sampler(sweep: Sweep, seed: int, *, shared: bool = False) -> optuna.samplers.BaseSampler:
    if sweep.method == "bayes":
        # Trials that are still running count as bad ones, so that trials running at the same time try different values.
        liar: dict[str, Any] = {"constant_liar": True} if shared else {}
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP_TRIALS, **liar)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    if sweep.early_terminate is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=sweep.early_terminate.min_iter, reduction_factor=sweep.early_terminate.eta
    )
