"""Runs a sweep on this machine, trial after trial."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.trial import TrialState
from tqdm import tqdm

from gesturehand.errors import UserError
from gesturehand.file_lock import try_lock
from gesturehand.file_writing import make_folder
from gesturehand.sweeps.parameters import arguments, grid_points
from gesturehand.sweeps.preflight import check_metric, resolved_config
from gesturehand.sweeps.study import completed, finished, open_study
from gesturehand.sweeps.sweep_file import Sweep, render_command
from gesturehand.sweeps.trial_process import environment_of, last_words, run_trial

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
        seed: Seeds the choice of values.

    Returns:
        The study.

    Raises:
        UserError: The command or the metric is unusable, three trials in a row failed, or the sweep is already running.
    """
    make_folder(folder)
    with _alone(folder):
        study = open_study(sweep, folder, seed)
        total = _total(sweep, trials)
        done = len(finished(study))
        if done >= total:
            return study
        example = example_values(sweep)
        config = resolved_config(_command(sweep, example), environment_of())
        check_metric(sweep.metric, config)
        bar = tqdm(
            desc=sweep.name,
            total=total,
            initial=done,
            unit="trial",
            mininterval=0.2 if sys.stderr.isatty() else 10.0,
        )
        with bar:
            _run(sweep, study, folder, total, bar)
    return study


def _run(sweep: Sweep, study: optuna.Study, folder: Path, total: int, bar: Any) -> None:
    failures = 0
    while len(finished(study)) < total and not _reached(sweep, study):
        if sweep.method == "grid" and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return
        trial = study.ask({p.name: p.distribution for p in sweep.parameters if p.distribution is not None})
        values = arguments(sweep.parameters, trial.params)
        trial.set_user_attr(VALUES, values)
        place = trial_folder(folder, trial.number)
        make_folder(place)
        began = time.monotonic()
        code, reports, ended = run_trial(_command(sweep, values), place, reporter(sweep, trial))
        trial.set_user_attr(SECONDS, round(time.monotonic() - began, 1))
        state, value = outcome(sweep, code, reports, ended)
        # Optuna takes a pruned trial's value from what was reported.
        study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)
        failures = failures + 1 if state == TrialState.FAIL else 0
        shown = f"failed: {last_words(place)}" if value is None else f"{sweep.metric} {value:.5g}"
        settings = " ".join(f"{name.rpartition('.')[2]}={_short(entry)}" for name, entry in values.items())
        ending = " (ended early)" if state == TrialState.PRUNED else ""
        bar.write(f"trial {trial.number}: {shown}{ending}  {settings}", file=sys.stderr)
        if state != TrialState.FAIL:
            bar.update(1)
        if ranked := completed(study):
            bar.set_postfix_str(f"best {ranked[0].value:.5g}")
        if failures == _MOST_FAILURES:
            raise UserError(
                f"Trials failed {failures} times in a row, the last with: {last_words(place)} (all of it: "
                f"'{place / 'log.txt'}'); correct that and start the sweep again."
            )


def trial_folder(folder: Path, number: int) -> Path:
    """The folder of a trial, which is a run folder like any other."""
    return folder / "trials" / f"{number:03d}"


def _command(sweep: Sweep, values: dict[str, Any]) -> list[str]:
    return render_command(sweep.command, sweep.program, values)


def example_values(sweep: Sweep) -> dict[str, Any]:
    """Values as a trial could draw them."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask({p.name: p.distribution for p in sweep.parameters if p.distribution is not None})
    return arguments(sweep.parameters, trial.params)


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


def _reached(sweep: Sweep, study: optuna.Study) -> bool:
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
