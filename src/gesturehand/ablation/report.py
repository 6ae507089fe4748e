"""The comparison's tables as Markdown, its pictures, and its files: in its own folder and among the documents."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from matplotlib.axes import Axes

from gesturehand.ablation.grid import SECTIONS, Arm, Grid
from gesturehand.ablation.results import DIFFERENCES, Difference, Mean, Results, mean_of, paired_difference, values_of
from gesturehand.draw.style import BLUE, GREEN, GREY, VERMILION, chart
from gesturehand.file_writing import write_bytes, write_text
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.text_file import write_json

#: Columns of the main table: metric, heading, factor, decimals.
COLUMNS: Final = (
    ("mpjpe_mm", "MPJPE", 1.0, 1),
    ("mpvpe_mm", "MPVPE", 1.0, 1),
    ("pa_mpjpe_mm", "PA-MPJPE", 1.0, 2),
    ("pa_mpvpe_mm", "PA-MPVPE", 1.0, 2),
    ("mpjpe_true_rotation_mm", "MPJPE, true rotation", 1.0, 2),
    ("gesture_fine_top1", "fine top-1 %", 100.0, 1),
)
_MISSING: Final = "–"


def save_differences(path: Path, grid: Grid, results: Results) -> None:
    """Draws every contrast's paired difference with its 95 % interval; left of zero, the first arm is better."""
    shown = [contrast for contrast in grid.contrasts if values_of(results, contrast.arm, "pa_mpjpe_mm")]
    draw_differences(
        path,
        [(f"{contrast.label}  ({contrast.equal})", contrast.arm, contrast.reference) for contrast in shown],
        [(metric, f"{heading}, mm") for metric, heading in DIFFERENCES],
        results,
        f"Paired differences over {grid.size.seeds} seeds with 95 % intervals: left of zero, the first is better "
        "(hollow and grey: the interval holds zero)",
    )


def draw_differences(
    path: Path,
    contrasts: Sequence[tuple[str, str, str]],
    columns: Sequence[tuple[str, str]],
    results: Results,
    title: str,
) -> None:
    """Draws paired differences with their 95 % intervals, a row for each contrast and a panel for each metric.

    Args:
        path: Picture to write.
        contrasts: A label, the name of an arm, and that of the arm which is subtracted.
        columns: A metric's name and its heading.
        results: The comparison's results as collected.
        title: Title of the picture.
    """
    height = 1.6 + 0.3 * max(1, len(contrasts))
    with chart(path, 1, len(columns), figsize=(12.5, height), sharey=True) as (figure, axes):
        for axis, (metric, heading) in zip(axes, columns, strict=True):
            axis.axvline(0, color=GREY, linewidth=1)
            for row, (_, *names) in enumerate(contrasts):
                found = paired_difference(*(values_of(results, name, metric) for name in names))
                if found is None:
                    continue
                colour = GREY if not found.is_clear else BLUE if found.mean < 0 else VERMILION
                if not math.isnan(found.low):
                    axis.plot([found.low, found.high], [row, row], color=colour, solid_capstyle="butt")
                # Hollow if the interval contains zero, so that they can be told apart without colours too.
                axis.plot(found.mean, row, "o", color=colour, markersize=6, mfc=None if found.is_clear else "white")
            axis.set_title(heading)
            axis.grid(axis="x")
            axis.spines["left"].set_visible(False)
            axis.tick_params(axis="y", length=0)
        axes[0].set_yticks(range(len(contrasts)), [label for label, *_ in contrasts])
        axes[0].set_ylim(max(len(contrasts), 1) - 0.5, -0.5)
        figure.suptitle(title)


def save_curves(path: Path, grid: Grid, results: Results) -> None:
    """Draws validation PA-MPJPE over all steps, including stage 1's, with every fit and with few."""
    base = next(arm for arm in grid.arms if arm.pretrain is not None)
    shares = (1.0, *(share for share, _ in grid.size.few_fits))
    styles = {
        "from scratch": (GREY, "--"),
        "pretrained": (BLUE, "-"),
        "equal total": (VERMILION, ":"),
        "shuffled labels": (GREEN, "-."),
    }
    with chart(path, 1, len(shares), figsize=(12.5, 4.6)) as (figure, axes):
        for axis, share in zip(axes, shares, strict=True):
            arms = [
                arm
                for arm in grid.arms
                if (arm.architecture, arm.backbone, arm.fit_share) == (base.architecture, base.backbone, share)
                and arm.section in ("main", "fits", "controls")
            ]
            for arm in arms:
                colour, line = styles[next(name for name in reversed(styles) if arm.label.endswith(name))]
                name = arm.label.split("fits, ")[-1]
                _curve(axis, arm, results, colour, line, f"{name}, {arm.pretrain_steps} + {arm.steps} steps")
            axis.set_title(f"{100 * share:g} % of the frames with MANO fits")
            axis.set_xlabel("steps, stage 1 included")
            axis.grid()
            if arms:
                axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))
        axes[0].set_ylabel("validation PA-MPJPE, mm")
        figure.suptitle(
            f"{base.architecture}, {base.backbone}: mean over seeds, band from the smallest to the largest",
        )


def _curve(axis: Axes, arm: Arm, results: Results, colour: str, line: str, label: str) -> None:
    runs = list(results["runs"].get(arm.name, {}).values())
    if not runs:
        axis.plot([], [], line, color=colour, label=f"{label} (missing)")
        return
    steps = np.array([point["step"] for point in runs[0]["curve"]]) + arm.pretrain_steps
    values = np.array([[point["pa_mpjpe_mm"] for point in run["curve"]] for run in runs])
    axis.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.2, linewidth=0)
    axis.plot(steps, values.mean(0), line, color=colour, marker="o", markersize=3, label=label)


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
        cells = [mean_text(mean_of(values_of(results, arm.name, m)), f, d) for m, _, f, d in COLUMNS]
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
        rows.append([contrast.label, contrast.equal, *map(difference_text, found), str(number)])
    return markdown_table(rows)


def _two_hand_table(grid: Grid, results: Results) -> str:
    metrics = (("mpjpe_mm", "MPJPE"), ("pa_mpjpe_mm", "PA-MPJPE"), ("mrrpe_mm", "MRRPE"))
    rows = [["", *(heading for _, heading in metrics), "n"]]
    for arm in grid.arms:
        if arm.architecture == "EANet":
            values = [values_of(results, arm.name, metric, "two_hands") for metric, _ in metrics]
            cells = [mean_text(mean_of(found), 1.0, 1) for found in values]
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
                mean_text(score, 100.0, 1),
                _MISSING if speed is None else f"{speed.mean:.0f}",
                str(len(runs)),
            ]
        )
    return markdown_table(rows)


def mean_text(mean: Mean | None, factor: float, decimals: int) -> str:
    """A mean over seeds and its standard deviation, as a table shows them."""
    if mean is None:
        return _MISSING
    value = f"{mean.mean * factor:.{decimals}f}"
    return value if math.isnan(mean.deviation) else f"{value} ± {mean.deviation * factor:.{decimals}f}"


def difference_text(difference: Difference | None) -> str:
    """A difference and its interval, in bold if the interval excludes zero."""
    if difference is None:
        return _MISSING
    value = f"{difference.mean:+.2f}"
    if math.isnan(difference.low):
        return value
    text = f"{value} [{difference.low:+.2f}, {difference.high:+.2f}]"
    return f"**{text}**" if difference.is_clear else text


#: The lines of docs/ablation.md between which the tables are kept.
MARKERS: Final = ("<!-- ablation:begin -->", "<!-- ablation:end -->")
DOCUMENT: Final = "ablation.md"
#: Pictures by name, with the text that stands for them.
_PICTURES: Final = {
    "differences": "Paired differences with their intervals",
    "curves": "Validation PA-MPJPE while training",
}
_JPEG_QUALITY: Final = 90


def write_results(folder: Path, results: Results) -> Path:
    """Writes ``results.json``."""
    path = folder / "results.json"
    write_json(path, results)
    return path


def write_report(folder: Path, grid: Grid, results: Results) -> list[Path]:
    """Writes ``results.json``, ``ablation.md``, ``ablation_differences.png`` and ``ablation_curves.png``."""
    paths = [write_results(folder, results), folder / DOCUMENT]
    paths += [folder / f"ablation_{name}.png" for name in _PICTURES]
    write_text(paths[1], ablation_markdown(grid, results))
    save_differences(paths[2], grid, results)
    save_curves(paths[3], grid, results)
    return paths


def write_documents(docs: Path, folder: Path, grid: Grid, results: Results) -> list[Path]:
    """Writes the tables into ``docs/ablation.md``, the pictures into ``images/`` and the JSON into ``results/``.

    Args:
        docs: Folder of the documents.
        folder: The comparison's folder, into which :func:`write_report` has written.
        grid: The comparison.
        results: Its results.

    Raises:
        UserError: The document lacks the markers.
    """
    document = docs / DOCUMENT
    source = "<!-- written by `gesturehand ablation` and `python scripts/document_tables.py` -->\n"
    pictures = "".join(f"![{text}](images/ablation_{name}.jpg)\n\n" for name, text in _PICTURES.items())
    write_between_markers(document, source + pictures + ablation_markdown(grid, results), MARKERS)
    paths = [document, docs / "results" / f"ablation_{grid.size.name}.json"]
    write_json(paths[1], results)
    for name in _PICTURES:
        paths.append(docs / "images" / f"ablation_{name}.jpg")
        picture = cv2.imread(str(folder / f"ablation_{name}.png"))
        assert picture is not None, "write_report comes first"
        write_bytes(paths[-1], cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes())
    return paths
