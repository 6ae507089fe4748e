"""Runs as tables for the terminal, and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from gesturehand.evaluation.run_comparison import Side, newest_report
from gesturehand.evaluation.run_record import RunRecord, setting

_NOTHING = "–"


def runs_table(runs: Sequence[RunRecord], letters: Sequence[str] = ()) -> Table:
    """A row for every run.

    Args:
        runs: The runs.
        letters: By which other tables name them; a column in front.
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
    """What a run's folder tells of it, a line each; what is not known is left out.

    Args:
        name: Of the run.
        facts: As :func:`run_facts` gives them.
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
        title: Of the table.
        heading: Of the keys' column.
        values: By key one for every run.
        names: Of the runs, as columns.
    """
    table = Table(title=title)
    table.add_column(heading, overflow="fold")
    for name in names:
        table.add_column(name, overflow="fold", justify="right")
    for key, row in values.items():
        table.add_row(key, *map(_text, row))
    return table


def run_row(run: RunRecord) -> dict[str, Any]:
    """What :func:`runs_table` shows of a run, ready for JSON: times are local ones in ISO 8601, without a zone."""
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
    """What a run's folder tells of it, ready for JSON: :func:`run_row` and more, metrics as they were logged."""
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
