"""Lightning's CSV logger, continuing the file of an interrupted run instead of deleting it."""

import csv
from pathlib import Path

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.utilities import rank_zero_only

from gesturehand.file_writing import durable_file


class MetricsCsv(CSVLogger):
    """Writes ``metrics.csv`` of a run.

    Args:
        folder: The run's.
        resumed_step: Keep the rows of a former process before this step of the optimiser; None for a new run.
    """

    def __init__(self, folder: Path, resumed_step: int | None = None) -> None:
        super().__init__(folder, name="", version="")
        self._resumed_step = resumed_step

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer; on processes other than the first Lightning's own, which does nothing."""
        first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
        if self._experiment is None and self._resumed_step is not None and first:
            self._experiment = _GoingOn(self.log_dir, self._resumed_step)
        return super().experiment


class _GoingOn(ExperimentWriter):
    def __init__(self, log_dir: str, step: int) -> None:
        super().__init__(log_dir)
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                self.metrics_keys = list(reader.fieldnames or [])
                rows = [row for row in reader if _whole(row) and int(row["step"]) < step]
            self._write(rows)

    def _check_log_dir_exists(self) -> None:
        """Lightning's would delete the file."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        with Path(self.metrics_file_path).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self._write(rows)

    def _write(self, rows: list[dict[str, str]]) -> None:
        lines = [",".join(self.metrics_keys), *(",".join(row.get(k) or "" for k in self.metrics_keys) for row in rows)]
        with durable_file(self.metrics_file_path) as file:
            file.write("".join(f"{line}\r\n" for line in lines).encode())


def _whole(row: dict[str, str]) -> bool:
    """Whether a killed process wrote a row to its end."""
    return None not in row.values() and str(row.get("step", "")).isdigit()
