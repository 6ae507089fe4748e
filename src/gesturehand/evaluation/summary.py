"""The final table: a tested run beside its baselines."""

from pathlib import Path
from typing import Any, Final

from rich.table import Table

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.evaluation.baselines import baseline_metrics, mean_hand
from gesturehand.evaluation.report import REPORT_FILE
from gesturehand.hand.layer import HandModel
from gesturehand.json_files import read_json
from gesturehand.markdown import markdown_table
from gesturehand.runs import CONFIG_FILE, run_config

#: Columns of the table: key, heading, factor.
COLUMNS: Final = (
    ("mpjpe_mm", "MPJPE", 1.0),
    ("mpvpe_mm", "MPVPE", 1.0),
    ("pa_mpjpe_mm", "PA-MPJPE", 1.0),
    ("pa_mpvpe_mm", "PA-MPVPE", 1.0),
    ("mpjpe_true_rotation_mm", "MPJPE, true rotation", 1.0),
    ("mpjpe_eanet_mm", "MPJPE (eanet)", 1.0),
    ("mpvpe_eanet_mm", "MPVPE (eanet)", 1.0),
    ("gesture_fine_top1", "gesture, fine top-1 %", 100.0),
)
_ROW_NAMES: Final = {"model": "model", "mean_joints": "mean joints", "mean_pose": "mean MANO pose"}

Summary = dict[str, dict[str, float | None]]


def newest_test(run: Path) -> Path:
    """The newest tested folder of a run.

    Raises:
        UserError: The run was not tested.
    """
    tests = sorted(run.rglob(REPORT_FILE), key=lambda path: path.stat().st_mtime)
    if not tests:
        raise UserError(f"The run '{run}' has not been tested: run `gesturehand test --run {run}` first.")
    return tests[-1].parent


def summarise(test_folder: Path) -> Summary:
    """The tested model's numbers and those of the baselines on the same data.

    The baselines' means come from the data that the run was trained on, which may differ from what it was tested on.

    Args:
        test_folder: Folder of a test inside its run's, each with its config.

    Returns:
        ``model``, ``mean_joints`` and ``mean_pose``; None where a row has no such number.
    """
    tested = _config(test_folder)
    metrics = read_json(test_folder / REPORT_FILE, "The report", "test the run again")["metrics"]
    model_settings = tested["model"]["init_args"]
    hand_model = HandModel(model_settings["mano"], model_settings["tips"])
    mean = mean_hand(_annotations(_config(test_folder.parent)).evaluation_dataloader("train"), hand_model)
    baselines = baseline_metrics(mean, _annotations(tested).evaluation_dataloader("test"), hand_model)
    rows: Summary = {"model": metrics, **baselines}
    return {name: {key: row.get(key) for key, _, _ in COLUMNS} for name, row in rows.items()}


def _config(folder: Path) -> dict[str, Any]:
    try:
        return run_config(folder)
    except FileNotFoundError:
        raise UserError(f"'{folder}' has no {CONFIG_FILE}: test the run with `gesturehand test --run`.") from None


def _annotations(config: dict[str, Any]) -> InterHandDataModule:
    """The data of a configuration, without images."""
    return InterHandDataModule(**{**config["data"], "augment": False, "read_images": False, "num_workers": 0})


def summary_table(summary: Summary, title: str) -> Table:
    """The summary as a table for the terminal, errors in millimetres."""
    table = Table(title=title, caption="errors in mm; wrist-relative unless the column names another protocol")
    table.add_column("")
    for _, heading, _ in COLUMNS:
        table.add_column(heading, justify="right")
    for name, row in summary.items():
        table.add_row(_ROW_NAMES[name], *_cells(row))
    return table


def _cells(row: dict[str, float | None]) -> list[str]:
    return ["–" if (value := row[key]) is None else f"{value * factor:.1f}" for key, _, factor in COLUMNS]


def summary_markdown(summary: Summary) -> str:
    """The summary as a Markdown table with aligned columns."""
    lines = [["", *(heading for _, heading, _ in COLUMNS)]]
    lines += [[_ROW_NAMES[name], *_cells(row)] for name, row in summary.items()]
    return markdown_table(lines)
