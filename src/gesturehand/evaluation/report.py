"""The report of an evaluation: one dictionary, as JSON, as Markdown and as charts."""

from pathlib import Path
from typing import Any, Final

from gesturehand.draw.charts import save_pck, save_per_gesture, save_per_joint
from gesturehand.evaluation.sample_errors import SAMPLE_ERROR, SampleErrors
from gesturehand.file_writing import write_text
from gesturehand.gestures import GestureClasses, class_names
from gesturehand.json_files import none_for_nan, write_json
from gesturehand.markdown import markdown_table
from gesturehand.metrics.hand_metrics import DETAILED_METRICS, HAND_METRICS, TWO_HAND_METRICS, HandMetrics
from gesturehand.runs import REPORT_FILE

MARKDOWN_FILE: Final = "report.md"
#: Worst samples that are listed and drawn.
NUM_WORST: Final = 16


def measured(hand_metrics: HandMetrics, samples: SampleErrors, gesture_classes: GestureClasses) -> dict[str, Any]:
    """The numbers of a report; every process must call it.

    Args:
        hand_metrics: Detailed metrics of the whole evaluation.
        samples: Errors of the whole evaluation.
        gesture_classes: The vocabulary of the labels.

    Returns:
        ``metrics``, ``protocols``, ``averaging``, ``per_joint_mm``, ``pck``, ``tested_samples``, ``per_gesture`` and
        ``worst``, ready for JSON: None for what was not counted.
    """
    metrics = hand_metrics.compute()
    samples.compute()
    names = HAND_METRICS | DETAILED_METRICS | TWO_HAND_METRICS
    content = {
        "metrics": metrics,
        "protocols": {name: names[name] for name in metrics},
        "averaging": hand_metrics.averages(),
        "per_joint_mm": hand_metrics.per_joint(),
        "pck": hand_metrics.pck(),
        "tested_samples": len(samples.annotation_id),
        "per_gesture": {"error": SAMPLE_ERROR, "classes": samples.by_gesture(class_names("fine", gesture_classes))},
        "worst": samples.worst(NUM_WORST),
    }
    return none_for_nan(content)


def gestures_only(tested_samples: int) -> dict[str, Any]:
    """What :func:`measured` gives where no hands were predicted: the gesture metrics are the logged ones.

    Args:
        tested_samples: Number of samples that were tested.
    """
    nothing: dict[str, Any] = {"metrics": {}, "protocols": {}, "averaging": {}}
    return nothing | {"tested_samples": tested_samples, "per_gesture": {"error": SAMPLE_ERROR, "classes": {}}}


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Writes ``report.json``, ``report.md``, ``per_joint.png``, ``per_gesture.png`` and ``pck.png``.

    A chart for which nothing was counted is left out.

    Args:
        folder: The folder of the files.
        report: What :func:`measured` returned, and the origin of its numbers.
    """
    write_json(folder / REPORT_FILE, report)
    write_text(folder / MARKDOWN_FILE, report_markdown(report))
    metrics, data = report["metrics"], f"{report['data']['split']}, {report['tested_samples']} samples"
    if metrics.get("mpjpe_mm") is not None:
        save_per_joint(folder / "per_joint.png", report["per_joint_mm"]["root"], f"Error of each joint, root: {data}")
        areas = {"root": metrics["auc_root"], "procrustes": metrics["auc_procrustes"]}
        curves = {name: report["pck"][name] for name, area in areas.items() if area is not None}
        save_pck(folder / "pck.png", report["pck"]["thresholds_mm"], curves, areas, f"3D PCK: {data}")
    if report["per_gesture"]["classes"]:
        title = f"Mean error by fine gesture, root: {data}"
        save_per_gesture(folder / "per_gesture.png", report["per_gesture"]["classes"], title)


def report_markdown(report: dict[str, Any]) -> str:
    """The report's tables."""
    data = report["data"]
    filters = ", ".join(f"{name} {value}" for name, value in data["filters"].items() if value is not None)
    types = ", ".join(f"{count} {name}" for name, count in data["samples_by_hand_type"].items() if count)
    sides = ", ".join(f"{count} {name}" for name, count in data["hands_by_side"].items())
    origin = report.get("checkpoint") or report.get("predictions") or {"path": "none", "sha256": "none"}
    hand_model = report["hand_model"]
    counts = [
        ["data", f"{data['root']}, split {data['split']}"],
        ["filters", filters],
        ["samples", f"{report['tested_samples']} of {data['samples']} ({types})"],
        ["hands", f"{sides}"],
        ["hands with a fit", f"{data['hands_with_fit']}"],
        ["hands without a fit", f"{data['hands_without_fit']}"],
        ["SHA-256 of the ids", data["ids_sha256"]],
        ["evaluated file", f"{origin['path']}"],
        ["its SHA-256", f"{origin['sha256']}"],
    ]
    if hand_model is not None:
        counts += [
            ["hand model", f"{hand_model['name']}, {hand_model['fingerprint'][:12]}"],
            ["joints of meshes", f"{hand_model['joints']}; tips {hand_model['tips']}"],
        ]
    counts += [["command", f"`{report['command']}`"]]
    counts += [["versions", ", ".join(f"{name} {value}" for name, value in report["versions"].items())]]
    origins = "".join(f"- {name}: {value}\n" for name, value in counts)
    remark = [f"**{report['remark']}**\n"] if "remark" in report else []
    parts = ["# Evaluation\n", *remark, markdown_table(_metric_rows(report)), "## What was evaluated\n", origins]
    classes = report["per_gesture"]["classes"]
    if classes:
        rows = [["fine gesture", "samples", "MPJPE, mm"]]
        rows += [[name, str(row["samples"]), f"{row['mpjpe_mm']:.2f}"] for name, row in classes.items()]
        parts += ["## By gesture\n", f"{report['per_gesture']['error'].capitalize()}.\n", markdown_table(rows)]
    return "\n".join(parts)


def _metric_rows(report: dict[str, Any]) -> list[list[str]]:
    rows = [["number and protocol", "averaged", "value"]]
    for name, text in report["protocols"].items():
        value = report["metrics"][name]
        number = "–" if value is None else f"{value:.2f} mm" if name.endswith("_mm") else f"{value:.3f}"
        rows.append([text, report["averaging"].get(name, ""), number])
    for name, value in report["metrics"].items():
        if name not in report["protocols"] and "loss" not in name:
            rows.append([name, "", "–" if value is None else f"{value:.3f}"])
    return rows
