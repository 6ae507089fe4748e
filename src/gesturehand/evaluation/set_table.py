"""A data set's statistics as Markdown."""

from pathlib import Path
from typing import Any

from gesturehand.errors import UserError
from gesturehand.json_files import read_json
from gesturehand.markdown import markdown_table
from gesturehand.runs import CONFIG_FILE, REPORT_FILE, newest_test, run_config


def model_row(run: str | Path) -> dict[str, Any]:
    """The errors of a tested run and how it was trained.

    Args:
        run: folder of a run of the second stage.

    Raises:
        UserError: the run was not tested.
    """
    tested = newest_test(Path(run))
    metrics = read_json(tested / REPORT_FILE, "The report", "test the run again")["metrics"]
    try:
        config = run_config(Path(run))
    except FileNotFoundError:
        raise UserError(f"'{run}' has no {CONFIG_FILE}: give the folder of a run.") from None
    settings = config["model"]["init_args"]
    return {
        "name": config["name"],
        "data": config["data"]["root"],
        "backbone": settings["backbone"],
        "image_size": config["data"]["image_size"],
        "pretrained": bool(settings["pretrained"]),
        "max_epochs": config["trainer"]["max_epochs"],
        "max_time": config["trainer"].get("max_time"),
        "canonical_mm": metrics["mpjpe_true_rotation_mm"],
        "procrustes_mm": metrics["pa_mpjpe_mm"],
        "mpjpe_mm": metrics["mpjpe_mm"],
        "gesture_fine_top1": metrics.get("gesture_fine_top1"),
    }


def statistics_markdown(statistics: dict[str, Any]) -> str:
    """Two tables: errors of guesses and models, and labelled frames by gesture and split.

    Args:
        statistics: as written to JSON: ``splits``, ``poses`` and ``models``.
    """
    splits, poses = statistics["splits"], statistics["poses"]
    text = ""
    if poses is not None:
        rows = [["error in mm", "canonical frame", "after procrustes"]]
        for name, label in (("mean_pose", "mean pose"), ("gesture_oracle", "oracle that knows the gesture")):
            rows.append([label, *(f"{poses[name][key]:.1f}" for key in ("canonical_mm", "procrustes_mm"))])
        for model in statistics["models"]:
            epochs = f"{model['max_epochs']} epochs"
            label = f"model: {model['backbone']}, {model['image_size']} px, {epochs} ({model['name']}, {model['data']})"
            rows.append([label, *(f"{model[key]:.1f}" for key in ("canonical_mm", "procrustes_mm"))])
        text += markdown_table(rows) + "\n"
    gestures = sorted({name for counts in splits.values() for name in counts["frames_by_gesture"]})
    rows = [["captured frames", *splits]]
    rows += [
        [name, *(str(counts["frames_by_gesture"].get(name, 0)) for counts in splits.values())] for name in gestures
    ]
    for key, label in (("captured_frames", "**all**"), ("images", "images"), ("frames_with_fit", "with a MANO fit")):
        rows.append([label, *(str(counts[key]) for counts in splits.values())])
    return text + markdown_table(rows)
