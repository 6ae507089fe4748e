"""The report of an evaluation: one dictionary, with the origin of its numbers, as JSON, Markdown and charts."""

import hashlib
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.index import HAND_TYPES
from gesturehand.draw.charts import save_pck, save_per_gesture, save_per_joint
from gesturehand.evaluation.sample_errors import SAMPLE_ERROR, SampleErrors
from gesturehand.file_writing import write_text
from gesturehand.gestures import GestureClasses, class_names
from gesturehand.hand.conventions import JOINT_DEFINITIONS, definition_number
from gesturehand.hand.layer import HandModel
from gesturehand.markdown import markdown_table
from gesturehand.metrics.hand_metrics import DETAILED_METRICS, HAND_METRICS, TWO_HAND_METRICS, HandMetrics
from gesturehand.runs import REPORT_FILE
from gesturehand.skeleton import SIDES, TIP_VERTICES
from gesturehand.text_file import none_for_nan, write_json

MARKDOWN_FILE: Final = "report.md"
#: Number of worst samples to list and draw.
NUM_WORST: Final = 16
_LIBRARIES: Final = ("gesturehand", "torch", "pytorch-lightning", "torchmetrics", "timm", "smplx")


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
    """The result of :func:`measured` if no hands were predicted; the gesture metrics are the logged ones.

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
        report: The result of :func:`measured`, and the origin of its numbers.
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


def data_fingerprint(data: InterHandDataModule) -> dict[str, Any]:
    """The samples of the test set: folder, split, filters, counts, and a hash of the ids."""
    dataset = data.dataset("test")
    index, row, hand = dataset.index, dataset.selection.row, dataset.selection.hand
    ids = index.annotation_id[row]
    hand_type = index.hand_type[row]
    present = (hand_type[:, None] & np.array([1, 2])[hand]) > 0
    fitted = index.mano_valid[index.frame[row, None], hand] & present
    return {
        "root": index.address,
        "split": index.split,
        "format": index.set_format.title,
        "joints": _joints(index.set_format.joints),
        "filters": {
            "hands": data.hands,
            "layout": data.layout,
            "labelled_only": False,
            "subset": data.subsets["test"],
            "boxes": data.test_boxes or data.boxes,
            "mano_fits": data.mano_fits,
        },
        "samples": len(dataset),
        "annotations": len(np.unique(ids)),
        "samples_by_hand_type": {name: int((hand_type == code).sum()) for name, code in HAND_TYPES.items()},
        "hands_by_side": {side: int((present & (hand == slot)).sum()) for slot, side in enumerate(SIDES)},
        "hands_with_fit": int(fitted.sum()),
        "hands_without_fit": int((present & ~fitted).sum()),
        "ids_sha256": hashlib.sha256(np.ascontiguousarray(ids, np.int64).tobytes()).hexdigest(),
    }


def _joints(definition: str | None) -> str:
    """The meaning of the set's joints on the mesh, and its source."""
    number = definition_number(definition)
    if not number:
        return "as annotated; a mesh's are the posed skeleton's and the hand model's fingertips"
    known = JOINT_DEFINITIONS[number - 1]
    tips = " and ".join(f"{side} {', '.join(map(str, known.tips[side]))}" for side in SIDES)
    return f"{known.name}: MANO's posed skeleton, fingertip vertices {tips} ({known.source})"


def file_origin(path: str | Path | None) -> dict[str, str] | None:
    """Path and SHA-256 of a file, or None if there is no file."""
    if path is None:
        return None
    with Path(path).open("rb") as file:
        return {"path": str(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def hand_model_origin(hand_model: HandModel) -> dict[str, Any]:
    """The hand model that regressed the joints of meshes, and the vertices that are its fingertips."""
    return {
        "name": hand_model.name,
        "fingerprint": hand_model.fingerprint,
        "joints": "the model's joint regressor applied to the posed mesh (16), and fingertip vertices (5)",
        "tips": hand_model.tips,
        "tip_vertices": list(TIP_VERTICES[hand_model.tips]),
    }


def code_version() -> dict[str, Any]:
    """This package's version and, in a git checkout, the commit and whether files differ from it.

    Returns:
        ``version``, ``commit`` and ``dirty``; the last two are None if the package is not in a checkout.
    """
    commit = _git("rev-parse", "HEAD") if _git("ls-files", Path(__file__).name) else None
    dirty = None if commit is None else bool(_git("status", "--porcelain", "--untracked-files=no"))
    return {"version": version("gesturehand"), "commit": commit, "dirty": dirty}


def software_origin() -> dict[str, Any]:
    """Versions, commit and the command line."""
    return {
        "code": code_version(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        "command": shlex.join(["gesturehand", *sys.argv[1:]]),
    }


def _git(*words: str) -> str | None:
    """The output of a git command in this file's folder; None without git or outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
