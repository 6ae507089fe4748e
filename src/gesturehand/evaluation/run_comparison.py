"""Runs side by side: the settings in which they differ, and their metrics."""

from collections.abc import Sequence
from typing import Any, Final

from gesturehand.errors import UserError
from gesturehand.evaluation.run_record import Curve, RunRecord
from gesturehand.json_files import read_json
from gesturehand.runs import REPORT_FILE, newest_test

#: Drawn beside the metrics by which the best checkpoints are chosen, where they are logged; no more than four in all.
_DRAWN: Final = ("train/loss", "val/loss")
_ALSO_DRAWN: Final = ("val/pa_mpjpe_mm", "val/gesture_fine_top1", "val/mpjpe_mm")
_MOST_DRAWN: Final = 4
#: Where a run is kept and what it was started from are not what it is.
_NOT_COMPARED: Final = ("config", "name", "runs", "resume")

#: By key a value for every run, in their order; None where one has none.
Side = dict[str, list[Any]]


def settings_that_differ(runs: Sequence[RunRecord]) -> Side:
    """Settings that are not the same in all runs, by the key's path (``model.init_args.fusion``), sorted by it."""
    flat = [_flat({key: value for key, value in run.config.items() if key not in _NOT_COMPARED}) for run in runs]
    keys = sorted({key for settings in flat for key in settings})
    rows = {key: [settings.get(key) for settings in flat] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values[1:])}


def validation_metrics(runs: Sequence[RunRecord]) -> Side:
    """What was validated along with each run's best checkpoint: ``val/…`` by name, and the epoch."""
    rows = [run.best_row or {} for run in runs]
    names = sorted({name for row in rows for name in row if name.startswith("val/")})
    return {name: [row.get(name) for row in rows] for name in (*names, "epoch") if any(name in row for row in rows)}


def tested_metrics(runs: Sequence[RunRecord]) -> Side:
    """The metrics of each run's newest test; empty if none was tested."""
    reports = [newest_report(run).get("metrics", {}) for run in runs]
    names = list(dict.fromkeys(name for report in reports for name, value in report.items() if value is not None))
    return {name: [report.get(name) for report in reports] for name in names}


def compared_curves(runs: Sequence[RunRecord]) -> dict[str, list[Curve]]:
    """The curves that are worth a look, by metric one for every run: losses, what was monitored, and more if few."""
    monitors = [run.monitor for run in runs if run.monitor]
    curves: dict[str, list[Curve]] = {}
    for metric in dict.fromkeys([*_DRAWN, *monitors, *_ALSO_DRAWN]):
        of_runs = [run.curve(metric) for run in runs]
        if any(of_runs) and len(curves) < _MOST_DRAWN:
            curves[metric] = of_runs
    return curves


def newest_report(run: RunRecord) -> dict[str, Any]:
    """The report of a run's newest test; empty if it was not tested."""
    try:
        folder = newest_test(run.folder)
    except UserError:
        return {}
    return read_json(folder / REPORT_FILE, "The report", "test the run again")


def _flat(settings: Any, path: str = "") -> dict[str, Any]:
    """Values by their key's path; an empty section and a list are values."""
    if not isinstance(settings, dict) or not settings:
        return {path: settings}
    return {
        key: value
        for name, part in settings.items()
        for key, value in _flat(part, f"{path}.{name}".lstrip(".")).items()
    }
