"""The final table: a tested run beside two baselines that ignore the image, mean joints and the mean MANO pose."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import roma
import torch
from rich.table import Table
from torch import Tensor

from gesturehand.batch import Batch, HandPrediction
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import without_image
from gesturehand.hand.layer import HandModel, mirror_x
from gesturehand.markdown import markdown_table
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.runs import CONFIG_FILE, REPORT_FILE, run_config
from gesturehand.skeleton import WRIST
from gesturehand.targets import as_defined, build_targets
from gesturehand.text_file import none_for_nan, read_json

#: The :data:`~gesturehand.metrics.hand_metrics.HAND_METRICS` that are defined for joints without a mesh.
JOINT_METRICS: Final = ("mpjpe_mm", "pa_mpjpe_mm")
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


@dataclass(frozen=True)
class MeanHand:
    """Means over a training set, in the crop's frame, canonical right hand.

    Attributes:
        joints: (21, 3) m, mean wrist-relative joints.
        rotations: (16, 3, 3), the rotations nearest to the mean matrices, including the global rotation.
        betas: (10,).
    """

    joints: Tensor
    rotations: Tensor
    betas: Tensor


def mean_hand(batches: Iterable[Batch], hand_model: HandModel) -> MeanHand:
    """Means over all valid hands of some batches; left hands are mirrored.

    The two means differ widely: averaging joints over all views shrinks the hand, averaging rotations does not.
    """
    joints = torch.zeros(21, 3, dtype=torch.float64)
    rotations = torch.zeros(16, 3, 3, dtype=torch.float64)
    betas = torch.zeros(10, dtype=torch.float64)
    joint_count, hand_count = torch.zeros(21, 1, dtype=torch.float64), 0
    for batch in batches:
        targets = build_targets(batch, hand_model)
        valid = targets["joint_valid_3d"][..., None].double()
        wrist_relative = targets["joints"] - targets["joints"][..., WRIST : WRIST + 1, :]
        # A wrist that is not valid may be anywhere.
        relative = torch.where(targets["joint_valid_3d"][..., None], wrist_relative, 0.0)
        canonical, relative = _mirror_left(targets["rotations"], relative, batch["is_right"])
        relative = relative.double()
        joints += (relative * valid).sum((0, 1))
        joint_count += valid.sum((0, 1))
        fitted = targets["mano_valid"]
        rotations += canonical[fitted].double().sum(0)
        betas += targets["betas"][fitted].double().sum(0)
        hand_count += int(fitted.sum())
    return MeanHand(
        joints=(joints / joint_count.clamp_min(1)).float(),
        rotations=roma.special_procrustes(rotations / max(hand_count, 1)).float(),
        betas=(betas / max(hand_count, 1)).float(),
    )


def baseline_metrics(
    mean: MeanHand, batches: Iterable[Batch], hand_model: HandModel
) -> dict[str, dict[str, float | None]]:
    """The metrics of both baselines on some batches.

    Returns:
        ``mean_joints`` and ``mean_pose``, each with every metric's value in mm; None if a baseline has no mesh or no
        global rotation.
    """
    metrics = {"mean_joints": HandMetrics(), "mean_pose": HandMetrics()}
    for batch in batches:
        targets = build_targets(batch, hand_model)
        pose = as_defined(_prediction(mean, batch["is_right"], hand_model), batch, hand_model)
        metrics["mean_pose"].update(pose, targets, batch, hand_model)
        joints = mean.joints.expand(*batch["is_right"].shape, 21, 3)
        bare = HandPrediction(**{**pose, "joints": _mirror_left(pose["rotations"], joints, batch["is_right"])[1]})
        metrics["mean_joints"].update(bare, targets, batch, hand_model)
    known = none_for_nan(
        {row: {name: float(value) for name, value in m.compute().items()} for row, m in metrics.items()}
    )
    bare_values = {name: value if name in JOINT_METRICS else None for name, value in known["mean_joints"].items()}
    return {"mean_joints": bare_values, "mean_pose": dict(known["mean_pose"])}


def _mirror_left(rotations: Tensor, joints: Tensor, is_right: Tensor) -> tuple[Tensor, Tensor]:
    """Left hands as right ones, and back: rotations (B, H, 16, 3, 3) and wrist-relative joints (B, H, 21, 3)."""
    mirrored_rotations, mirrored_joints = mirror_x(rotations, joints)
    return (
        torch.where(is_right[..., None, None, None], rotations, mirrored_rotations),
        torch.where(is_right[..., None, None], joints, mirrored_joints),
    )


def _prediction(mean: MeanHand, is_right: Tensor, hand_model: HandModel) -> HandPrediction:
    shape = is_right.shape
    rotations, _ = _mirror_left(mean.rotations.expand(*shape, 16, 3, 3), mean.joints.expand(*shape, 21, 3), is_right)
    betas = mean.betas.expand(*shape, 10)
    vertices, joints = hand_model.about_wrist(rotations, betas, is_right)
    return without_image(joints, vertices, rotations, betas)


def summarise(test_folder: Path) -> Summary:
    """The tested model's numbers and those of the baselines on the same data.

    The baselines' means come from the data that the run was trained on, which may differ from what it was tested on.

    Args:
        test_folder: Folder of a test inside its run's, each with its config.

    Returns:
        ``model``, ``mean_joints`` and ``mean_pose``; None if a row has no such number.
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
