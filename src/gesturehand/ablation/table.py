"""The comparison's tables as Markdown, from all or some of its results."""

import math
from typing import Final

from gesturehand.ablation.grid import SECTIONS, Arm, Grid
from gesturehand.ablation.results import Difference, Mean, Results, mean_of, paired_difference, values_of
from gesturehand.markdown import markdown_table

#: Columns of the main table: metric, heading, factor, decimals.
COLUMNS: Final = (
    ("mpjpe_mm", "MPJPE", 1.0, 1),
    ("mpvpe_mm", "MPVPE", 1.0, 1),
    ("pa_mpjpe_mm", "PA-MPJPE", 1.0, 2),
    ("pa_mpvpe_mm", "PA-MPVPE", 1.0, 2),
    ("mpjpe_true_rotation_mm", "MPJPE, true rotation", 1.0, 2),
    ("gesture_fine_top1", "fine top-1 %", 100.0, 1),
)
#: Metrics whose differences are shown.
DIFFERENCES: Final = (
    ("mpjpe_mm", "Δ MPJPE"),
    ("pa_mpjpe_mm", "Δ PA-MPJPE"),
    ("mpjpe_true_rotation_mm", "Δ MPJPE, true rotation"),
)
_MISSING: Final = "–"


def ablation_markdown(grid: Grid, results: Results) -> str:
    """All tables.

    Args:
        grid: The comparison.
        results: What :func:`~gesturehand.ablation.results.collect` returned, complete or not.
    """
    state = "" if results["done"] == results["jobs"] else " The rest is missing and marked –."
    parts = [f"{results['done']} of {results['jobs']} trainings are done. {_setting(grid, results)}{state}\n"]
    for section, title in SECTIONS.items():
        arms = [arm for arm in grid.arms if arm.section == section]
        parts += [f"### {title}\n", _arm_table(arms, results)]
    parts += ["### Differences, paired by seed\n", _difference_table(grid, results)]
    parts += ["### Two-hand test frames (EANet)\n", _two_hand_table(grid, results)]
    parts += ["### The pretrainings\n", _pretrain_table(grid, results)]
    return "\n".join(parts)


def _setting(grid: Grid, results: Results) -> str:
    size = grid.size
    devices = {run["device"] for seeds in results["runs"].values() for run in seeds.values()}
    return (
        f"Size `{size.name}`: {size.image_size} px, batches of {size.batch_size}, tokens of width {size.width}, "
        f"{size.seeds} seeds, {size.precision}; {', '.join(sorted(devices)) or 'nothing run yet'}."
    )


def _arm_table(arms: list[Arm], results: Results) -> str:
    rows = [["", "steps 1 + 2", "epochs 1 + 2", *(heading for _, heading, *_ in COLUMNS), "M params", "images/s", "n"]]
    for arm in arms:
        cells = [_mean(mean_of(values_of(results, arm.name, m)), f, d) for m, _, f, d in COLUMNS]
        runs = results["runs"].get(arm.name, {})
        parameters = mean_of({seed: run["parameters"] / 1e6 for seed, run in runs.items()})
        speed = mean_of({seed: run["images_per_s"] for seed, run in runs.items() if run["images_per_s"]})
        rows.append(
            [
                _row_name(arm),
                f"{arm.pretrain_steps} + {arm.steps}",
                _epochs(arm, results),
                *cells,
                _MISSING if parameters is None else f"{parameters.mean:.2f}",
                _MISSING if speed is None else f"{speed.mean:.0f}",
                str(len(runs)),
            ]
        )
    return markdown_table(rows)


def _row_name(arm: Arm) -> str:
    return f"{arm.architecture}, {arm.backbone}, {arm.label}" if arm.section == "main" else arm.label


def _epochs(arm: Arm, results: Results) -> str:
    second = mean_of({seed: run["epochs"] for seed, run in results["runs"].get(arm.name, {}).items()})
    if second is None:
        return _MISSING
    if arm.pretrain is None:
        return f"0 + {second.mean:.0f}"
    first = mean_of({seed: run["epochs"] for seed, run in results["runs"].get(arm.pretrain.name, {}).items()})
    return _MISSING if first is None else f"{first.mean:.0f} + {second.mean:.0f}"


def _difference_table(grid: Grid, results: Results) -> str:
    rows = [["", "at", *(heading for _, heading in DIFFERENCES), "n"]]
    for contrast in grid.contrasts:
        found = [
            paired_difference(values_of(results, contrast.arm, metric), values_of(results, contrast.reference, metric))
            for metric, _ in DIFFERENCES
        ]
        number = max((difference.number for difference in found if difference), default=0)
        rows.append([contrast.label, contrast.equal, *map(_difference, found), str(number)])
    return markdown_table(rows)


def _two_hand_table(grid: Grid, results: Results) -> str:
    metrics = (("mpjpe_mm", "MPJPE"), ("pa_mpjpe_mm", "PA-MPJPE"), ("mrrpe_mm", "MRRPE"))
    rows = [["", *(heading for _, heading in metrics), "n"]]
    for arm in grid.arms:
        if arm.architecture == "EANet":
            values = [values_of(results, arm.name, metric, "two_hands") for metric, _ in metrics]
            cells = [_mean(mean_of(found), 1.0, 1) for found in values]
            rows.append([f"{arm.backbone}, {arm.label}", *cells, str(len(values[0]))])
    return markdown_table(rows)


def _pretrain_table(grid: Grid, results: Results) -> str:
    rows = [["", "steps", "fine top-1 %, validation", "images/s", "n"]]
    for pretrain in grid.pretrains():
        runs = results["runs"].get(pretrain.name, {})
        score = mean_of(values_of(results, pretrain.name, "gesture_fine_top1"))
        speed = mean_of({seed: run["images_per_s"] for seed, run in runs.items() if run["images_per_s"]})
        labels = "shuffled labels" if pretrain.shuffled else "gestures"
        rows.append(
            [
                f"as {pretrain.architecture} sees hands, {pretrain.backbone}, {labels}",
                str(pretrain.steps),
                _mean(score, 100.0, 1),
                _MISSING if speed is None else f"{speed.mean:.0f}",
                str(len(runs)),
            ]
        )
    return markdown_table(rows)


def _mean(mean: Mean | None, factor: float, decimals: int) -> str:
    if mean is None:
        return _MISSING
    value = f"{mean.mean * factor:.{decimals}f}"
    return value if math.isnan(mean.deviation) else f"{value} ± {mean.deviation * factor:.{decimals}f}"


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return _MISSING
    value = f"{difference.mean:+.2f}"
    if math.isnan(difference.low):
        return value
    text = f"{value} [{difference.low:+.2f}, {difference.high:+.2f}]"
    return f"**{text}**" if difference.is_clear else text
