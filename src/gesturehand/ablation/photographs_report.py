"""Tables and the picture of the comparison on photographs, from the results that exist."""

from collections import Counter
from pathlib import Path
from typing import Final

from gesturehand.ablation.photographs import LABELS, Encoder, Labels, photo_contrasts
from gesturehand.ablation.report import difference_text, draw_differences, mean_text
from gesturehand.ablation.results import Results, mean_of, paired_difference, values_of
from gesturehand.markdown import markdown_table

_LABELS: Final[dict[Labels, str]] = {
    "none": "no stage 1",
    "longer": "no stage 1, equal total steps",
    "rendered": "gestures of rendered hands",
    "unlabelled": "… and the photos without labels",
    "shuffled": "… and shuffled labels of photos",
    "photos": "… and labels of photos",
}
_ENCODERS: Final[dict[Encoder, str]] = {
    "mediapipe": "MediaPipe's trunk",
    "imagenet": "EfficientNet-Lite0, ImageNet",
    "scratch": "EfficientNet-Lite0, from scratch",
}
#: Columns about the rendered test people: metric, heading, decimals.
_RENDERED: Final = (("pa_mpjpe_mm", "PA-MPJPE", 2), ("mpjpe_mm", "MPJPE", 1), ("joints_2d_percent", "2D %", 2))
_2D: Final = "joints_2d_percent"


def photo_markdown(results: Results) -> str:
    """The tables of all encoders for which a training has finished; missing entries are marked."""
    size = results["size"]
    devices = sorted({run["device"] for seeds in results["runs"].values() for run in seeds.values()})
    state = "" if results["done"] == results["jobs"] else " Missing results are marked – or left out."
    parts = [
        f"{results['done']} of {results['jobs']} trainings are done.{state} Size `{size['name']}`: "
        f"crops of {_crop_sizes(size['crop_px'])}, batches of {size['batch_size']}, "
        f"{size['pretrain_steps']} steps of stage 1 and {size['finetune_steps']} of stage 2, "
        f"{size['seeds']} seeds; {', '.join(devices) or 'nothing run yet'}.\n"
    ]
    for encoder, title in _begun(results).items():
        for joints_2d in (True, False):
            seen = "2D joints of photos" if joints_2d else "no joints of photos"
            parts += [f"### {title}; stage 2 with {seen}\n", _arms(results, encoder, joints_2d)]
    parts += ["### Differences, paired by seed, with 95 % intervals\n", _differences(results)]
    parts += ["### The trainings of stage 1\n", _first_stages(results)]
    return "\n".join(parts)


def _begun(results: Results) -> dict[Encoder, str]:
    """The encoders for which a training has finished, with their titles."""
    begun = {arm.split("-")[0] for arm in results["runs"]}
    return {encoder: title for encoder, title in _ENCODERS.items() if encoder in begun}


def _crop_sizes(crop_px: dict[Encoder, int]) -> str:
    """The sizes of the crops, as in "96 px (MediaPipe's trunk: 160 px)"."""
    usual = Counter(crop_px.values()).most_common(1)[0][0]
    others = [f"{_ENCODERS[name]}: {side} px" for name, side in crop_px.items() if side != usual]
    return f"{usual} px" + (f" ({', '.join(others)})" if others else "")


def save_photo_differences(path: Path, results: Results) -> None:
    """Draws how labels of photos compare with the same photos without labels, and with shuffled ones, by test set."""
    shown = [
        (f"{_ENCODERS[encoder]}, {'2D' if joints_2d else 'no 2D'}: {label}", arm, reference)
        for encoder in _begun(results)
        for joints_2d in (True, False)
        for label, arm, reference in photo_contrasts(encoder, joints_2d)
        if label.startswith("photos")
    ]
    columns = [("rendered/pa_mpjpe_mm", "rendered: Δ PA-MPJPE, mm")]
    columns += [(f"{name}/{_2D}", f"{name}: Δ 2D, % of the box") for name in results["photos"]]
    title = "Paired differences with 95 % intervals: left of zero, labels of photos are better"
    draw_differences(path, shown, columns, results, f"{title} (hollow and grey: the interval holds zero)")


def _arms(results: Results, encoder: Encoder, joints_2d: bool) -> str:
    columns = [(f"rendered/{metric}", f"rendered: {heading}", decimals) for metric, heading, decimals in _RENDERED]
    columns += [(f"{name}/{_2D}", f"{name}: 2D %", 2) for name in results["photos"]]
    rows = [["stage 1", *(heading for _, heading, _ in columns), "n"]]
    for labels in LABELS:
        arm = f"{encoder}-{labels}-{'with' if joints_2d else 'without'}2d"
        cells = [mean_text(mean_of(values_of(results, arm, metric)), 1.0, decimals) for metric, _, decimals in columns]
        rows.append([_LABELS[labels], *cells, str(len(results["runs"].get(arm, {})))])
    return markdown_table(rows)


def _differences(results: Results) -> str:
    columns = [("rendered/pa_mpjpe_mm", "rendered: Δ PA-MPJPE, mm")]
    columns += [(f"{name}/{_2D}", f"{name}: Δ 2D %") for name in results["photos"]]
    rows = [["encoder", "2D joints of photos", "stage 1", *(heading for _, heading in columns)]]
    for encoder, title in _begun(results).items():
        for joints_2d in (True, False):
            for label, arm, reference in photo_contrasts(encoder, joints_2d):
                cells = [
                    difference_text(
                        paired_difference(values_of(results, arm, metric), values_of(results, reference, metric))
                    )
                    for metric, _ in columns
                ]
                rows.append([title, "yes" if joints_2d else "no", label, *cells])
    return markdown_table(rows)


def _first_stages(results: Results) -> str:
    columns = [("rendered/gesture_fine_top1", "rendered: fine top-1 %")]
    columns += [(f"{name}/own_label_top1", f"{name}: own labels top-1 %") for name in results["photos"]]
    rows = [["encoder", "stage 1", *(heading for _, heading in columns), "n"]]
    for encoder, title in _begun(results).items():
        for labels in LABELS[2:]:
            arm = f"{encoder}-{labels}-stage1"
            cells = [mean_text(mean_of(values_of(results, arm, metric)), 100.0, 1) for metric, _ in columns]
            rows.append([title, _LABELS[labels], *cells, str(len(results["runs"].get(arm, {})))])
    return markdown_table(rows)
