"""Runs side by side: the settings in which they differ, and their metrics, as tables for the terminal and as JSON."""

from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table

from gesturehand.errors import UserError
from gesturehand.evaluation.run_record import Curve, RunRecord, setting
from gesturehand.runs import REPORT_FILE, newest_test
from gesturehand.text_file import read_json

#: Drawn in addition to the metrics by which the best checkpoints are chosen, if they are logged; at most four in all.
_DRAWN: Final = ("train/loss", "val/loss")
_ALSO_DRAWN: Final = ("val/pa_mpjpe_mm", "val/gesture_fine_top1", "val/mpjpe_mm")
_MOST_DRAWN: Final = 4
#: The place of a run and its starting point are not part of its settings.
_NOT_COMPARED: Final = ("config", "name", "runs", "resume")

#: For each key a value for every run, in the runs' order; None for a run without one.
Side = dict[str, list[Any]]
_NOTHING = "–"


def settings_that_differ(runs: Sequence[RunRecord]) -> Side:
    """Settings that are not the same in all runs, by the key's path (``model.init_args.fusion``), sorted by it."""
    flat = [_flat({key: value for key, value in run.config.items() if key not in _NOT_COMPARED}) for run in runs]
    keys = sorted({key for settings in flat for key in settings})
    rows = {key: [settings.get(key) for settings in flat] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values[1:])}


def validation_metrics(runs: Sequence[RunRecord]) -> Side:
    """The validation metrics of each run's best checkpoint: ``val/…`` by name, and the epoch."""
    rows = [run.best_row or {} for run in runs]
    names = sorted({name for row in rows for name in row if name.startswith("val/")})
    return {name: [row.get(name) for row in rows] for name in (*names, "epoch") if any(name in row for row in rows)}


def tested_metrics(runs: Sequence[RunRecord]) -> Side:
    """The metrics of each run's newest test; empty if none was tested."""
    reports = [newest_report(run).get("metrics", {}) for run in runs]
    names = list(dict.fromkeys(name for report in reports for name, value in report.items() if value is not None))
    return {name: [report.get(name) for report in reports] for name in names}


def compared_curves(runs: Sequence[RunRecord]) -> dict[str, list[Curve]]:
    """The curves worth a look, for each metric one per run: losses, monitored metrics, and more if these are few."""
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
    """Values by their keys' paths; empty sections and lists are values."""
    if not isinstance(settings, dict) or not settings:
        return {path: settings}
    return {
        key: value
        for name, part in settings.items()
        for key, value in _flat(part, f"{path}.{name}".lstrip(".")).items()
    }


def runs_table(runs: Sequence[RunRecord], letters: Sequence[str] = ()) -> Table:
    """A row for every run.

    Args:
        runs: The runs.
        letters: Letters by which other tables name them; shown in the first column.
    """
    table = Table()
    if letters:
        table.add_column("", no_wrap=True)
    for heading in ("run", "started", "stage", "model", "backbone", "best"):
        table.add_column(heading, overflow="fold")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for number, run in enumerate(runs):
        best = run.best
        table.add_row(
            *letters[number : number + 1],
            run.name,
            f"{run.started:%Y-%m-%d %H:%M}",
            _text(run.stage),
            _text(run.model),
            _text(run.backbone),
            best.metric if best else _NOTHING,
            _text(best.value) if best else "",
            run.state,
        )
    return table


def run_table(name: str, facts: dict[str, Any]) -> Table:
    """The facts in a run's folder, one per line; unknown ones are left out.

    Args:
        name: Name of the run.
        facts: The result of :func:`run_facts`.
    """
    table = Table(show_header=False, title=name)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        if value is not None and not isinstance(value, dict):
            table.add_row(key.replace("_", " "), _text(value))
    return table


def side_table(title: str, heading: str, values: Side, names: Sequence[str]) -> Table:
    """Values of runs side by side.

    Args:
        title: Title of the table.
        heading: Heading of the column of keys.
        values: For each key, a value for every run.
        names: Names of the runs, which are the columns.
    """
    table = Table(title=title)
    table.add_column(heading, overflow="fold")
    for name in names:
        table.add_column(name, overflow="fold", justify="right")
    for key, row in values.items():
        table.add_row(key, *map(_text, row))
    return table


def run_row(run: RunRecord) -> dict[str, Any]:
    """A run's row in :func:`runs_table`, ready for JSON: times are local ones in ISO 8601, without a zone."""
    best, finished = run.best, run.finished
    return {
        "run": run.name,
        "folder": str(run.folder),
        "state": run.state,
        "started": run.started.isoformat(),
        "finished": finished.isoformat() if finished else None,
        "stage": run.stage,
        "model": run.model,
        "backbone": run.backbone,
        "monitor": run.monitor,
        "best": best.value if best else None,
        "best_epoch": best.epoch if best else None,
    }


def run_facts(run: RunRecord) -> dict[str, Any]:
    """The facts in a run's folder, ready for JSON: :func:`run_row` and more, with metrics as they were logged."""
    report = newest_report(run)
    return {
        **run_row(run),
        "pretrained": setting(run.config, "model", "init_args", "pretrained"),
        "data": setting(run.config, "data", "root"),
        "steps": int(run.rows[-1]["step"]) if run.rows else None,
        "epochs": run.finish.get("epochs"),
        "checkpoint": run.finish.get("checkpoint"),
        "version": setting(run.finish, "code", "version"),
        "commit": setting(run.finish, "code", "commit"),
        "tested_on": " ".join(str(report["data"][key]) for key in ("root", "split")) if "data" in report else None,
        "validation": {name: value for name, value in (run.best_row or {}).items() if name.startswith("val/")},
        "test": report.get("metrics", {}),
    }


def _text(value: Any) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value)
