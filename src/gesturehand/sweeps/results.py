"""The results of a sweep: a table, the best trial's configuration, a picture."""

import shutil
import warnings
from pathlib import Path
from typing import Any, Final

import optuna
from rich.table import Table

from gesturehand.draw.charts import save_parallel_coordinates
from gesturehand.runs import CONFIG_FILE
from gesturehand.sweeps.local import SECONDS, VALUES, trial_folder
from gesturehand.sweeps.study import completed, finished
from gesturehand.sweeps.sweep_file import Sweep
from gesturehand.text_file import write_json

BEST_CONFIG: Final = "best.yaml"
PICTURE: Final = "sweep.png"
RESULTS: Final = "trials.json"
#: With fewer trials an importance means nothing.
_TRIALS_FOR_IMPORTANCE: Final = 5


def sweep_table(sweep: Sweep, study: optuna.Study) -> Table:
    """Finished trials, the best first."""
    names = sorted({name for trial in finished(study) for name in trial.user_attrs[VALUES]}, key=_order(sweep))
    table = Table(title=f"{sweep.name}: {sweep.metric}, {'more' if sweep.maximise else 'less'} is better")
    table.add_column("trial", justify="right")
    table.add_column(sweep.metric, justify="right")
    for name in names:
        table.add_column(name.rpartition(".")[2], justify="right", overflow="fold")
    table.add_column("seconds", justify="right")
    early = [trial for trial in finished(study) if trial.state == optuna.trial.TrialState.PRUNED]
    if early:
        table.add_column("")
    for trial in [*completed(study), *early]:
        values = trial.user_attrs[VALUES]
        table.add_row(
            str(trial.number),
            _text(trial.value),
            *(_text(values.get(name)) for name in names),
            f"{trial.user_attrs[SECONDS]:.0f}",
            *(["ended early" if trial in early else ""] if early else []),
        )
    return table


def write_results(sweep: Sweep, study: optuna.Study, folder: Path) -> list[Path]:
    """Writes ``trials.json``, the best trial's configuration as ``best.yaml`` and ``sweep.png``.

    Returns:
        The files written; only ``trials.json`` if no trial was completed.
    """
    ranked = completed(study)
    written = [folder / RESULTS]
    content = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            sweep.metric: trial.value,
            "values": trial.user_attrs[VALUES],
            "seconds": trial.user_attrs[SECONDS],
        }
        for trial in finished(study)
    ]
    write_json(folder / RESULTS, content)
    if not ranked:
        return written
    config = trial_folder(folder, ranked[0].number) / CONFIG_FILE
    if config.is_file():
        shutil.copyfile(config, folder / BEST_CONFIG)
        written.append(folder / BEST_CONFIG)
    varied = {p.name for p in sweep.parameters if p.distribution is not None}
    settings = [{n: v for n, v in trial.user_attrs[VALUES].items() if n in varied} for trial in ranked]
    save_parallel_coordinates(
        folder / PICTURE,
        settings,
        [float(trial.value or 0.0) for trial in ranked],
        metric=sweep.metric,
        maximise=sweep.maximise,
        importances=_importances(study),
        title=f"{sweep.name}: {len(ranked)} trials",
    )
    return [*written, folder / PICTURE]


def _importances(study: optuna.Study) -> dict[str, float]:
    if len(completed(study)) < _TRIALS_FOR_IMPORTANCE:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    # Equal results make every share NaN.
    return {name: share for name, share in found.items() if share == share}


def _order(sweep: Sweep) -> Any:
    names = [parameter.name for parameter in sweep.parameters]
    return names.index


def _text(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
