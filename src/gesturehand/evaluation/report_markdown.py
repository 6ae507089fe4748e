"""An evaluation's report as Markdown."""

from typing import Any

from gesturehand.markdown import markdown_table


def report_markdown(report: dict[str, Any]) -> str:
    """The report's tables.

    Args:
        report: As in ``report.json``.
    """
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
    parts = ["# Evaluation\n", markdown_table(_metric_rows(report)), "## What was evaluated\n", origins]
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
