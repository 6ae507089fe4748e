"""The record that a run's folder is: when and what was trained, with which results, and whether it has finished."""

import csv
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from gesturehand.errors import UserError
from gesturehand.runs import (
    CONFIG_FILE,
    FINISHED_FILE,
    finished_description,
    is_running,
    newest_run,
    run_config,
    stage_of_model,
)

METRICS_FILE: Final = "metrics.csv"
_STAMP: Final = re.compile(r"(\d{8}-\d{6})(?:-\d+)?")
#: Beginnings of the names of folders with a configuration that lie inside a run's folder.
_INSIDE: Final = ("test-", "validate-")

State = Literal["finished", "running", "interrupted"]
#: Steps of the optimiser and values, both in the order in which they were logged.
Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Best:
    """The value by which the best checkpoint was chosen.

    Attributes:
        metric: Its logged name.
        value: The best one so far.
        epoch: Epoch of the value, counted from 0; None if the run does not say.
    """

    metric: str
    value: float
    epoch: int | None


@dataclass(frozen=True)
class RunRecord:
    """A run according to its folder.

    Attributes:
        folder: Its folder.
        name: The folder's path below the folder of all runs, with slashes: ``demo/finetune/20260101-120000``.
    """

    folder: Path
    name: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration; empty if there is none that can be read."""
        try:
            return run_config(self.folder)
        except (OSError, UserError):
            return {}

    @cached_property
    def finish(self) -> dict[str, Any]:
        """The notes made when the training was completed; empty if it was not."""
        return finished_description(self.folder) or {}

    @cached_property
    def state(self) -> State:
        """Whether it has finished; the command that began an interrupted run continues it."""
        if self.finish:
            return "finished"
        return "running" if is_running(self.folder) else "interrupted"

    @property
    def started(self) -> datetime:
        """The local time of its start, from the folder's name, or else that at which its configuration was written."""
        stamp = _STAMP.fullmatch(self.folder.name)
        if stamp:
            try:
                return datetime.strptime(stamp[1], "%Y%m%d-%H%M%S")
            except ValueError:
                pass
        there = [path for name in (CONFIG_FILE, FINISHED_FILE) if (path := self.folder / name).exists()]
        return datetime.fromtimestamp(min(path.stat().st_mtime for path in there)).replace(microsecond=0)

    @property
    def finished(self) -> datetime | None:
        """The local time of its completion; None if it was not completed."""
        return datetime.fromtimestamp(self.finish["finished_at"]).replace(microsecond=0) if self.finish else None

    @property
    def model(self) -> str | None:
        """The class of the model, without its module."""
        name = self.finish.get("model") or setting(self.config, "model", "class_path")
        return str(name).rpartition(".")[2] if name else None

    @property
    def stage(self) -> int | None:
        """1 for the gesture pretraining, 2 for a network of hands; None for a model of neither kind."""
        return stage_of_model(self.model or "", self.finish.get("kinds"))

    @property
    def backbone(self) -> str | None:
        """The encoder's backbone."""
        name = setting(self.config, "model", "init_args", "backbone") or setting(self.finish, "settings", "backbone")
        return str(name).removeprefix("timm/") if name else None

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """The logged values, one row per time: numbers by name, including ``step`` and ``epoch``."""
        try:
            with (self.folder / METRICS_FILE).open(encoding="utf-8", newline="") as file:
                return [row for row in map(_numbers, csv.DictReader(file)) if "step" in row]
        except (OSError, ValueError, csv.Error):
            return []

    def curve(self, metric: str) -> Curve:
        """A metric over the steps; values that are not finite are left out."""
        return [(int(row["step"]), row[metric]) for row in self.rows if math.isfinite(row.get(metric, math.nan))]

    @property
    def logged(self) -> list[str]:
        """Names of everything that was logged, in order."""
        return sorted({name for row in self.rows for name in row} - {"step", "epoch"})

    @property
    def monitor(self) -> str | None:
        """The metric by which the best checkpoint is chosen."""
        name = self.finish.get("monitor") or setting(self.config, "checkpoint", "monitor")
        return str(name) if name else None

    @cached_property
    def best_row(self) -> dict[str, float] | None:
        """The row with the best value of :attr:`monitor`; None before the first validation."""
        name = self.monitor
        rows = [row for row in self.rows if name is not None and math.isfinite(row.get(name, math.nan))]
        if not rows:
            return None
        choose = max if setting(self.config, "checkpoint", "mode") == "max" else min
        return choose(rows, key=lambda row: row[str(name)])

    @property
    def best(self) -> Best | None:
        """The best value of :attr:`monitor`; None before the first validation."""
        if self.monitor is None:
            return None
        row = self.best_row
        epoch = None if row is None or "epoch" not in row else int(row["epoch"])
        score = self.finish.get("score")
        if isinstance(score, int | float):
            return Best(self.monitor, float(score), epoch)
        return None if row is None else Best(self.monitor, row[self.monitor], epoch)


def find_runs(runs: str | Path) -> list[RunRecord]:
    """All runs under a folder, finished or not, newest first.

    Args:
        runs: Folder of all runs; folders inside a run's own, such as those of tests, are not runs.
    """
    found = [RunRecord(folder, folder.relative_to(runs).as_posix()) for folder in _run_folders(Path(runs))]
    return sorted(found, key=lambda run: (run.started, run.name), reverse=True)


def find_run(name: str, runs: str | Path) -> RunRecord:
    """The run that an argument of a command stands for.

    Args:
        name: A run's folder, its path below the folder of all runs, the folder of several of which the newest is
            meant, or ``latest``.
        runs: Folder of all runs.

    Raises:
        UserError: There is no such run.
    """
    if name == "latest":
        folder = newest_run(runs)
        return RunRecord(folder, _below(folder, Path(runs)))
    for place in (Path(name), Path(runs) / name):
        if place.name.startswith(_INSIDE) and _is_run(place.parent):
            place = place.parent  # a test's folder stands for its run
        if _is_run(place):
            return RunRecord(place, _below(place, Path(runs)))
    for place in (Path(name), Path(runs) / name):
        inside = find_runs(place) if name and os.path.isdir(place) else []  # noqa: PTH112
        if inside:
            return RunRecord(inside[0].folder, _below(inside[0].folder, Path(runs)))
    raise UserError(f"'{name}' is not a run: give a folder or a name that `gesturehand run list --runs {runs}` shows.")


def _run_folders(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        if CONFIG_FILE in files or FINISHED_FILE in files:
            folders.clear()
            yield Path(place)


def _is_run(folder: Path) -> bool:
    # False, and no error, for text that cannot be a path.
    return any(os.path.isfile(folder / name) for name in (CONFIG_FILE, FINISHED_FILE))  # noqa: PTH113


def _below(folder: Path, runs: Path) -> str:
    """A run's name: its path below the folder of all runs, or its path as it is."""
    inside, outside = Path(os.path.abspath(folder)), Path(os.path.abspath(runs))  # noqa: PTH100 (a link keeps its name)
    return (inside.relative_to(outside) if inside.is_relative_to(outside) else folder).as_posix()


def setting(settings: Any, *keys: str) -> Any:
    """A value in nested settings; None if there is no such section or key, whatever the file holds instead."""
    for key in keys:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row; a run that is being written may end in half a row."""
    numbers = {}
    for name, text in row.items():
        try:
            numbers[str(name)] = float(text)
        except (TypeError, ValueError, OverflowError):
            continue
    return numbers
