"""The report of an evaluation: one dictionary, as JSON, as Markdown and as charts."""

from pathlib import Path
from typing import Any, Final

from gesturehand.draw.error_charts import save_pck, save_per_gesture, save_per_joint
from gesturehand.evaluation.report_markdown import report_markdown
from gesturehand.evaluation.sample_errors import SAMPLE_ERROR, SampleErrors
from gesturehand.file_writing import write_text
from gesturehand.gestures import GestureClasses, class_names
from gesturehand.json_files import none_for_nan, write_json
from gesturehand.metrics.hand_metrics import DETAILED_METRICS, HAND_METRICS, TWO_HAND_METRICS, HandMetrics
from gesturehand.runs import REPORT_FILE

MARKDOWN_FILE: Final = "report.md"
#: Worst samples that are listed and drawn.
NUM_WORST: Final = 16


def measured(hand_metrics: HandMetrics, samples: SampleErrors, gesture_classes: GestureClasses) -> dict[str, Any]:
    """The numbers of a report; every process must call it.

    Args:
        hand_metrics: Detailed ones, that have seen everything.
        samples: That have seen everything.
        gesture_classes: Names of the labels.

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


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Writes ``report.json``, ``report.md``, ``per_joint.png``, ``per_gesture.png`` and ``pck.png``.

    A chart of which nothing was counted is left out.

    Args:
        folder: Where to.
        report: What :func:`measured` returned, and its origin.
    """
    write_json(folder / REPORT_FILE, report)
    write_text(folder / MARKDOWN_FILE, report_markdown(report))
    metrics, data = report["metrics"], f"{report['data']['split']}, {report['tested_samples']} samples"
    if metrics["mpjpe_mm"] is not None:
        save_per_joint(folder / "per_joint.png", report["per_joint_mm"]["root"], f"Error of each joint, root: {data}")
        areas = {"root": metrics["auc_root"], "procrustes": metrics["auc_procrustes"]}
        curves = {name: report["pck"][name] for name, area in areas.items() if area is not None}
        save_pck(folder / "pck.png", report["pck"]["thresholds_mm"], curves, areas, f"3D PCK: {data}")
    if report["per_gesture"]["classes"]:
        title = f"Mean error by fine gesture, root: {data}"
        save_per_gesture(folder / "per_gesture.png", report["per_gesture"]["classes"], title)
