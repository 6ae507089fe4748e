"""Runs a sweep on this machine, trial after trial."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import optuna
from optuna.trial import TrialState
from tqdm import tqdm

from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, try_lock
from gesturehand.sweeps.study import completed, distributions, finished, open_study
from gesturehand.sweeps.sweep_file import Sweep, arguments, grid_points, render_command
from gesturehand.sweeps.trial_process import (
    LOG_FILE,
    check_metric,
    environment_of,
    last_words,
    resolved_config,
    run_trial,
)

DEFAULT_TRIALS: Final = 20
#: After this many failures in a row, the fault must lie in all trials.
_MOST_FAILURES: Final = 3
#: User attributes of a trial.
VALUES, SECONDS = "values", "seconds"


def run_locally(sweep: Sweep, folder: Path, *, trials: int | None = None, seed: int = 0) -> optuna.Study:
    """Runs a sweep's remaining trials; an interrupted sweep continues where it stopped.

    Args:
        sweep: The sweep to run.
        folder: Folder of the study and of its trials, ``trials/000`` and so on; made if it is missing.
        trials: Total number of trials; by default the file's ``run_cap``, every point of a grid, or 20.
        seed: Seed of the choice of values.

    Returns:
        The study.

    Raises:
        UserError: The command or the metric is unusable, three trials in a row failed, or the sweep is already running.
    """
    with begun(sweep, folder, trials, seed) as (study, total, ends):
        while len(finished(study)) < total and not reached(sweep, study):
            if nothing_waits(sweep, study):
                break
            trial = study.ask(distributions(sweep))
            command = command_of(sweep, values_of(sweep, trial))
            ends.tell(trial, run_one(sweep, command, trial_folder(folder, trial.number), reporter(sweep, trial)))
    return study


@contextmanager
def begun(
    sweep: Sweep, folder: Path, trials: int | None, seed: int, *, shared: bool = False
) -> Iterator[tuple[optuna.Study, int, "Ends"]]:
    """The study of a sweep that no other process runs, new or continued.

    Args:
        sweep: The sweep.
        folder: Folder of the study and its trials; made if it is missing.
        trials: As for :func:`run_locally`.
        seed: Seed of the choice of values.
        shared: Several machines write to the study.

    Yields:
        The study, the total number of trials, and the object that records the end of each.

    Raises:
        UserError: As for :func:`run_locally`.
    """
    make_folder(folder)
    with _alone(folder):
        study = open_study(sweep, folder, seed, shared=shared)
        total = _total(sweep, trials)
        done = len(finished(study))
        if done < total:
            config = resolved_config(command_of(sweep, example_values(sweep)), environment_of())
            check_metric(sweep.metric, config)
        bar = tqdm(
            desc=sweep.name,
            total=total,
            initial=done,
            unit="trial",
            disable=done >= total,
            mininterval=0.2 if sys.stderr.isatty() else 10.0,
        )
        with bar:
            yield study, total, Ends(sweep, study, folder, bar)


class Ran(NamedTuple):
    """The end of a trial.

    Attributes:
        state: Complete, pruned or failed.
        value: The metric's value; None for a trial that failed.
        seconds: Its duration.
        last_words: The last line that it printed.
    """

    state: TrialState
    value: float | None
    seconds: float
    last_words: str


class Ends:
    """Records how trials ended, and prints it.

    Args:
        sweep: The sweep.
        study: Its study.
        folder: Its folder.
        bar: Its progress.
    """

    def __init__(self, sweep: Sweep, study: optuna.Study, folder: Path, bar: Any) -> None:
        self._sweep = sweep
        self._study = study
        self._folder = folder
        self._bar = bar
        self._failures = 0

    def tell(self, trial: optuna.Trial, ran: Ran) -> None:
        """Records the end of a trial.

        Raises:
            UserError: It is the last of several failures in a row.
        """
        trial.set_user_attr(SECONDS, round(ran.seconds, 1))
        # Optuna takes a pruned trial's value from its reports.
        self._study.tell(trial, ran.value if ran.state == TrialState.COMPLETE else None, state=ran.state)
        failed = ran.state == TrialState.FAIL
        self._failures = self._failures + 1 if failed else 0
        shown = f"failed: {ran.last_words}" if failed else f"{self._sweep.metric} {ran.value:.5g}"
        values = trial.user_attrs[VALUES]
        settings = " ".join(f"{name.rpartition('.')[2]}={_short(entry)}" for name, entry in values.items())
        ending = " (ended early)" if ran.state == TrialState.PRUNED else ""
        self._bar.write(f"trial {trial.number}: {shown}{ending}  {settings}", file=sys.stderr)
        if not failed:
            self._bar.update(1)
        if ranked := completed(self._study):
            self._bar.set_postfix_str(f"best {ranked[0].value:.5g}")
        if self._failures == _MOST_FAILURES:
            log = trial_folder(self._folder, trial.number) / LOG_FILE
            raise UserError(
                f"Trials failed {self._failures} times in a row, the last with: {ran.last_words} (all of it: '{log}'); "
                "correct that and start the sweep again."
            )


def values_of(sweep: Sweep, trial: optuna.Trial) -> dict[str, Any]:
    """The values that a trial tries, which are also stored with it."""
    values = arguments(sweep.parameters, trial.params)
    trial.set_user_attr(VALUES, values)
    return values


def run_one(
    sweep: Sweep,
    command: Sequence[str],
    place: Path,
    on_report: Callable[[dict[str, Any]], bool],
    workplace: Path | None = None,
    check: Callable[[], object] = lambda: None,
) -> Ran:
    """Runs a trial to its end.

    Args:
        sweep: The sweep.
        command: The trial's command.
        place: Its folder; created if it is missing.
        on_report: As for :func:`~gesturehand.sweeps.trial_process.run_trial`.
        workplace: Likewise.
        check: Likewise.
    """
    make_folder(place)
    began = time.monotonic()
    code, reports, ended = run_trial(command, place, on_report, workplace, check)
    state, value = outcome(sweep, code, reports, ended)
    return Ran(state, value, time.monotonic() - began, last_words(place))


def trial_folder(folder: Path, number: int) -> Path:
    """The folder of a trial, which is a run folder like any other."""
    return folder / "trials" / f"{number:03d}"


def command_of(sweep: Sweep, values: dict[str, Any]) -> list[str]:
    """The command of a trial with these values."""
    return render_command(sweep.command, sweep.program, values)


def random_draws(sweep: Sweep, seed: int) -> Iterator[dict[str, Any]]:
    """The values that Optuna draws at random for trial 0, 1, and so on, by the parameters' names."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    while True:
        yield study.ask(distributions(sweep)).params


def example_values(sweep: Sweep) -> dict[str, Any]:
    """Values as a trial could draw them."""
    return arguments(sweep.parameters, next(random_draws(sweep, 0)))


def nothing_waits(sweep: Sweep, study: optuna.Study) -> bool:
    """Whether every point of a grid has been tried."""
    return sweep.method == "grid" and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,))


def _total(sweep: Sweep, trials: int | None) -> int:
    if trials is not None and trials < 1:
        raise UserError(f"--trials must be at least 1 and is {trials}.")
    total = trials or sweep.run_cap or (sys.maxsize if sweep.method == "grid" else DEFAULT_TRIALS)
    return min(total, len(grid_points(sweep.parameters))) if sweep.method == "grid" else total


def reporter(sweep: Sweep, trial: optuna.Trial) -> Callable[[dict[str, Any]], bool]:
    """A function that passes a trial's values to the pruner and returns False when the trial should end."""
    count = 0

    def report(line: dict[str, Any]) -> bool:
        nonlocal count
        count += 1
        value = line.get(sweep.metric)
        if sweep.early_terminate is None or value is None:
            return True
        trial.report(value, count)
        return not trial.should_prune()

    return report


def outcome(
    sweep: Sweep, code: int, reports: list[dict[str, Any]], ended_early: bool
) -> tuple[TrialState, float | None]:
    """A trial's state and value; as in W&B, the last logged value counts."""
    value = reports[-1].get(sweep.metric) if reports else None
    if value is None or (code != 0 and not ended_early):
        return TrialState.FAIL, None
    # A trial that finished just before it would have been ended has finished.
    return (TrialState.COMPLETE if code == 0 else TrialState.PRUNED), float(value)


def reached(sweep: Sweep, study: optuna.Study) -> bool:
    """Whether a trial is so good that no further one begins."""
    ranked = completed(study)
    if sweep.target is None or not ranked or ranked[0].value is None:
        return False
    return ranked[0].value >= sweep.target if sweep.maximise else ranked[0].value <= sweep.target


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Allows one process per sweep, by a lock that ends with the process that holds it."""
    lock = try_lock(folder / "lock")
    if lock is None:
        raise UserError(f"The sweep in '{folder}' is running already: wait for it, or give another --name.")
    with lock:
        yield
