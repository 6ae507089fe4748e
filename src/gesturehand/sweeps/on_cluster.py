"""Runs a sweep's trials on a cluster's workers, several at a time; this process chooses their values and keeps them."""

import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.trial import TrialState

from gesturehand.cluster import Cluster, Failure, Task
from gesturehand.cluster.task import check_wanted
from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, remove_parts, try_lock
from gesturehand.runs import RUNNING_FILE
from gesturehand.sweeps.local import (
    Ran,
    begun,
    command_of,
    nothing_waits,
    random_draws,
    reached,
    reporter,
    run_one,
    trial_folder,
    values_of,
)
from gesturehand.sweeps.study import distributions, finished, running, shared_trial, take_up
from gesturehand.sweeps.sweep_file import Sweep

#: Seconds within which the process of an earlier attempt at a trial notices, at its next batch, that nobody waits for
#: it.
_PATIENCE_S: Final = 600.0
_PAUSE_S: Final = 1.0


def run_on_cluster(
    sweep: Sweep, folder: Path, cluster: Cluster, *, trials: int | None = None, seed: int = 0
) -> optuna.Study:
    """Runs a sweep's remaining trials on workers; an interrupted sweep continues where it stopped.

    With the methods grid and random, a trial has the same values as the trial of the same number in
    :func:`~gesturehand.sweeps.local.run_locally` with the same seed, whichever worker runs it and when. A trial whose
    worker died keeps its number and continues from its newest checkpoint, and so does one that was running when this
    process ended.

    Args:
        sweep: The sweep to run.
        folder: As for ``run_locally``; the workers must see it.
        cluster: The cluster whose workers run the trials.
        trials: As for ``run_locally``.
        seed: Seeds the choice of values.

    Returns:
        The study.

    Raises:
        UserError: As for ``run_locally`` and :meth:`~gesturehand.cluster.client.Cluster.draw`.
    """
    folder = folder.resolve()
    with begun(sweep, folder, trials, seed, shared=True) as (study, total, ends):
        interrupted = [trial.number for trial in running(study)]
        underway: dict[str, optuna.Trial] = {}

        def next_task() -> Task | None:
            if len(finished(study)) + len(underway) >= total or reached(sweep, study):
                return None
            if interrupted:
                trial = take_up(sweep, study, interrupted.pop(0))
            elif nothing_waits(sweep, study):
                return None
            else:
                trial = next_trial(sweep, study, seed)
            command = command_of(sweep, values_of(sweep, trial))
            name = f"trial {trial.number}"
            underway[name] = trial
            return Task(name, _run_trial, (sweep, folder, trial.number, command, Path.cwd()))

        for task, ran in cluster.draw(next_task):
            ended = Ran(TrialState.FAIL, None, 0.0, ran.reason) if isinstance(ran, Failure) else ran
            ends.tell(underway.pop(task.name), ended)
        remove_parts(folder)
    return study


def next_trial(sweep: Sweep, study: optuna.Study, seed: int) -> optuna.Trial:
    """A new trial; with method random, its number determines its values."""
    waits = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if sweep.method == "random" and not waits:
        number = len(study.get_trials(deepcopy=False))
        study.enqueue_trial(next(islice(random_draws(sweep, seed), number, None)))
    return study.ask(distributions(sweep))


def _run_trial(sweep: Sweep, folder: Path, number: int, command: Sequence[str], workplace: Path) -> Ran:
    """Runs a trial on a worker."""
    place = trial_folder(folder, number)
    make_folder(place)
    _await_earlier(place)
    on_report = _go_on if sweep.early_terminate is None else reporter(sweep, shared_trial(sweep, folder, number))
    return run_one(sweep, command, place, on_report, workplace, check_wanted)


def _go_on(_report: dict[str, Any]) -> bool:
    return True


def _await_earlier(place: Path) -> None:
    """Waits until no process is training any more in the folder of a trial whose worker died."""
    began = time.monotonic()
    while (lock := try_lock(place / RUNNING_FILE)) is None:
        check_wanted()
        if time.monotonic() - began > _PATIENCE_S:
            raise UserError(f"'{place}' is still being trained by another process: end that one first")
        time.sleep(_PAUSE_S)
    lock.release()
