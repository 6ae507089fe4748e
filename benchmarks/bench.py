"""Every figure of docs/performance.md in one run: `make bench`. Takes about five minutes and 10 GB of memory.

    python benchmarks/bench.py [--only index,samples,packed,step,launches,prediction,help] [--without-plain]

Writes docs/results/bench.json and the table between the markers of docs/performance.md. With ``--only`` the other
figures stay as they were measured.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import help_speed
import index_scale
import launches
import packed_images
import prediction_speed
import sample_path
import torch
import training_step

from gesturehand.cli.commands import TRAINING
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.text_file import write_json

DOCS = Path(__file__).parent.parent / "docs"
MARKERS = ("<!-- bench:begin -->", "<!-- bench:end -->")


def rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of the table: what was measured, the figure, and its target."""
    table = []
    if "index" in result:
        n = result["index"]
        size = f"{n['images']:,} images, {n['frames']:,} frames"
        table += [
            (
                f"building the index of {size}: peak memory, time",
                f"{n['build_peak_mb']:,.0f} MB, {n['build_s']:.0f} s",
                "< 4 GB",
            ),
            ("… size on disk", f"{n['disk_mb']:.0f} MB", "< 150 MB"),
            ("… time to open", f"{1e3 * n['open_s']:.1f} ms", "< 0.2 s"),
            (
                "… memory of each further worker, spawned / forked",
                f"{n['worker_spawn_mb']:.0f} / {max(n['worker_fork_mb'], 0):.0f} MB",
                "< 50 MB",
            ),
        ]
        if "plain_s" in n:
            plain = f"(plain: {n['plain_mb']:,.0f} MB, {n['plain_s']:.0f} s)"
            table += [
                (f"… faster to open than the plain way {plain}", f"{n['faster_to_open']:,.0f} ×", "> 100 ×"),
                ("… less memory than the plain way, once opened", f"{n['less_memory']:,.0f} ×", "> 20 ×"),
                (
                    "… less memory than the plain way, in use by a spawned worker",
                    f"{n['less_memory_in_use']:,.0f} ×",
                    "> 20 ×",
                ),
            ]
    for kind, words in (("augmented", "augmentation on"), ("plain", "augmentation off")):
        if "samples" in result:
            n = result["samples"][kind]
            table += [
                (
                    f"one worker, 256 px, {words}: speed relative to decoding alone",
                    f"{100 * n['of_decode_only']:.0f} %",
                    "≥ 50 %",
                ),
                ("… relative to decoding and one warp", f"{100 * n['of_decode_and_warp']:.0f} %", "≥ 80 %"),
                ("… relative to the usual loader", f"{n['times_the_usual']:.1f} ×", "≥ 3 ×"),
            ]
    if "packed" in result:
        table += packed_rows(result["packed"])
    if "step" in result:
        n = result["step"]
        title = f"{n['backbone']}, {n['image_size']} px, batch {n['batch_size']}, {n['device']}"
        table.append(
            (
                f"TokenFusion's step against the bare backbone's ({title})",
                f"{n['of_backbone']['token_fusion']:.2f} ×",
                "≤ 1.3 ×",
            )
        )
        eanet = n["of_backbone"]["eanet"]
        table.append(("… EANet's step (both hands' heads)", f"{eanet:.2f} ×", "for comparison"))
        on_gpu = not n["device"].startswith("CPU")
        rate_of = f"images/s, share of a {'bf16' if on_gpu else 'float32'} matrix product's rate"
        for name, words in (("token_fusion", "TokenFusion"), ("eanet", "EANet")):
            share = 100 * n["of_matrix_product_rate"][name]
            table.append((f"… {words}: {rate_of}", f"{n['images_per_s'][name]:.1f}, {share:.0f} %", "–"))
        if not on_gpu:
            table.append(("… the same on a GPU", "not measured: no GPU", "–"))
    if "launches" in result:
        table += launch_rows(result["launches"], result.get("launches_before"))
    if "prediction" in result:
        table += prediction_rows(result["prediction"])
    if "help" in result:
        table += help_rows(result["help"], result.get("help_before"))
    return table


def packed_rows(n: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of images in shards."""
    read, pack = n["reading"], n["packing"]

    def against(name: str) -> str:
        rates = read[name]
        return f"{rates['ratio']:.2f} × ({rates['packed']:,.0f} / {rates['loose']:,.0f} per s)"

    amount = " / ".join(f"{read['ways'][way]['bytes_read_of_wanted']:.1f}" for way in ("pread", "mmap"))
    title = f"`data pack`, {read['images']:,} images: one worker, 256 px, from shards against files"
    return [
        (f"{title}, warm", against("samples_warm"), "≥ 1 ×"),
        ("… cold: files and shards dropped from the page cache", against("samples_cold"), "> 1 ×"),
        ("… their bytes alone, cold", against("bytes_cold"), "> 1 ×"),
        ("… shards and table against the sum of the files' sizes", f"+{100 * read['larger_by']:.2f} %", "< 1 %"),
        ("… bytes read per requested byte, cold, in random order: `pread` / memory map", amount, "for comparison"),
        (
            f"`data pack`, {pack['images']:,} made-up entries: time, processor time",
            f"{pack['seconds'] / 60:.1f} min, {pack['cpu_seconds'] / 60:.1f} min",
            "–",
        ),
        (
            "… peak memory, and memory before (imports and the mapped index)",
            f"{pack['peak_mb']:,.0f} MB, {pack['before_mb']:,.0f} MB before",
            "< 2 GB",
        ),
    ]


def prediction_rows(n: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The rows of prediction."""
    missing = f"not measured: {n.get('without_landmark_model')}"

    def ratio(name: str) -> str:
        return f"{n[name]:.2f} ×" if name in n else missing

    batch = f"{n['batch']} hands at a time"
    call = ", ".join(f"{n['ms']['call'][kind]:.1f} ms" for kind in ("median", "min"))
    searched = f"{n['searched_of_networks']:.2f} ×" if "searched_of_networks" in n else "not measured yet"
    return [
        ("predicting one hand, box and turn given, CPU, 1 thread: median, minimum time", call, "–"),
        ("… against MediaPipe's landmark network in LiteRT", ratio("call_of_landmark_model"), "≤ 1.0 ×"),
        ("… against MediaPipe's crop and landmark network", ratio("call_of_landmark_call"), "≤ 1.0 ×"),
        ("… against the same in PyTorch", ratio("call_of_pytorch"), "< 1 ×"),
        (f"{batch}: hands/s", f"{n['images_per_s']:.0f}", "–"),
        ("… one of them against MediaPipe's landmark network", ratio("batch_of_landmark_model"), "≤ 1.0 ×"),
        ("… against the same batch in PyTorch", ratio("batch_of_pytorch"), "< 1 ×"),
        ("`predict` of a folder (decode, detect, network, write) against its networks alone", searched, "≤ 1.3 ×"),
        ("… boxes and turns given: against the hands' network alone", ratio("folder_of_network"), "for comparison"),
    ]


def launch_rows(n: dict[str, Any], before: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """The rows of the operations that a step launches, with an older commit's if they were counted."""
    table = []
    words = ("operations launched by TokenFusion's step beyond the backbone's: float32", "… under bfloat16 autocast")
    for precision, what in zip(launches.PRECISIONS, words, strict=True):
        counted = f"{n[precision]['beyond']:,}"
        if before is None:
            table.append((what, counted, "–"))
        else:
            old = before[precision]["beyond"]
            table.append((what, f"{counted} (before: {old:,})", f"≤ {old // 3}"))
    if "compiled" in n:
        wanted = "–" if before is None else f"≤ {before['32-true']['beyond'] // 3}"
        table.append(("… float32, head and losses compiled", f"{n['compiled']['beyond']:,}", wanted))
    return table


def help_rows(n: dict[str, Any], before: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """The rows of help, with an older commit's time if it was measured."""

    def ratio(name: str) -> str:
        taken = f"{_help_seconds(n, name) / n['import_torch_s']:.2f} ×"
        old = None if before is None else _help_seconds(before, name)
        return taken if old is None else f"{taken} (before: {old / before['import_torch_s']:.2f} ×)"

    slowest = max((seconds, name) for name, seconds in n["help_s"].items() if name not in TRAINING)[1]
    return [
        ("`fit --help` against `import torch`, processor time", ratio("fit"), "< 1 ×"),
        *((f"… `{name} --help`", ratio(name), "< 0.4 ×") for name in help_speed.COMMANDS if name not in TRAINING),
        (f"… the slowest command apart from training (of {len(n['help_s'])}): `{slowest}`", ratio(slowest), "< 0.4 ×"),
        ("… refusing a misspelt key of `fit`", ratio("slip"), "< 1 ×"),
    ]


def _help_seconds(n: dict[str, Any], name: str) -> Any:
    return n["slip_s"] if name == "slip" else n["help_s"].get(name)


def profile_sentence(step: dict[str, Any]) -> str:
    """A sentence on where a step's time goes."""
    shares = step["profile"]["token_fusion"].items()
    listed = ", ".join(f"`{name}` {100 * share:.0f} %" for name, share in shares)
    return f"Time of TokenFusion's step by operation, from PyTorch's profiler: {listed}."


def write(result: dict[str, Any]) -> None:
    """Writes the JSON, and the table between the document's markers."""
    write_json(DOCS / "results" / "bench.json", result)
    text = markdown_table([("what", "measured", "target"), *rows(result)])
    if "step" in result:
        text += f"\n{profile_sentence(result['step'])}\n"
    print(text)
    write_between_markers(DOCS / "performance.md", text, MARKERS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="index,samples,packed,step,launches,prediction,help")
    parser.add_argument("--without-plain", action="store_true")
    arguments = parser.parse_args()
    path = DOCS / "results" / "bench.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    result["help_before"] = json.loads((DOCS / "results" / "help_before.json").read_text(encoding="utf-8"))
    result["launches_before"] = json.loads((DOCS / "results" / "launches_before.json").read_text(encoding="utf-8"))
    result["machine"] = {
        "cpu": platform.processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "measured": time.strftime("%Y-%m-%d"),
    }
    parts = {
        "index": lambda: index_scale.measure(
            index_scale.IMAGES, index_scale.FRAMES, with_plain=not arguments.without_plain
        ),
        "samples": sample_path.measure,
        "packed": packed_images.measure,
        "step": training_step.measure,
        "launches": launches.measure,
        "prediction": prediction_speed.measure,
        "help": help_speed.measure,
    }
    for name in arguments.only.split(","):
        result[name] = parts[name]()
        write(result)


if __name__ == "__main__":
    main()
