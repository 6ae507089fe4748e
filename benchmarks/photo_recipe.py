"""The time that the recipe for photographs takes on one core, from its parts (docs/photos.md).

    python benchmarks/photo_recipe.py [PHOTOS] [--repeats 3] [--into docs/photos.md]

Measures the training step of experiments/photo/finetune.yaml, both keeping and returning the memory that it frees, the
changes that it makes to pictures on the device, and, if PHOTOS is given, the imports. Each part runs in a separate
process with one thread; the least processor time of the repeats counts. The time of the rendered set is taken from
docs/results/photo_set.json.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from training_step import regressor_step

from gesturehand.data.appearance import BatchAugmentation
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries, with_gestures
from gesturehand.synthetic.photo.plan import OPENPHOTO_V1
from gesturehand.text_file import read_json

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "experiments" / "photo"
MARKERS = ("<!-- photo_recipe:begin -->", "<!-- photo_recipe:end -->")
#: Set as by ``gesturehand.cli.training.process.keep_freed_memory``, for a process that is not a command.
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_MMAP_THRESHOLD_": str(2**31 - 1)}


def processor_s(run: Callable[[], Any], repeats: int) -> float:
    """The least processor time of the repeats, s."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def step_s(recipe: Any, repeats: int) -> float:
    of_the_data = ("image_size", "gesture_classes", "own_labels", "pretrained")
    named = {name: value for name, value in recipe.model.init_args.items_ex(resolve=False) if name not in of_the_data}
    settings: dict[str, Any] = {**named, "image_size": recipe.data.image_size}
    run = regressor_step("token_fusion", "cpu", settings, recipe.data.batch_size)
    run()
    return processor_s(run, repeats)


def augmentation_s(recipe: Any, repeats: int) -> float:
    images = torch.randint(0, 256, (recipe.data.batch_size, 3, *2 * [recipe.data.image_size]), dtype=torch.uint8)
    augmentation = BatchAugmentation(**recipe.data.device_augmentation)
    numbers = iter(range(repeats + 1))
    run = lambda: augmentation(images, (0, 0, next(numbers), 0))  # noqa: E731
    run()
    return processor_s(run, repeats)


def import_s(photos: Path) -> tuple[int, float]:
    """Number of photos and processor seconds of an import, which is not repeated."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        entries = with_gestures(read_entries(photos / "labels.json", folders_are_sets=True), RECIPE / "label_map.json")
        convert(entries, photos, Path(folder) / "set")
        return len({entry.image for entry in entries}), time.process_time() - start


def in_a_process(part: str, repeats: int, environment: Mapping[str, str]) -> float:
    """Seconds of a part, measured in a separate process with one thread."""
    command = [sys.executable, __file__, "--part", part, "--repeats", str(repeats)]
    given = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return float(subprocess.run(command, env=given, check=True, capture_output=True, text=True).stdout.split()[-1])


def text_of(recipe: Any, photos: Path | None, repeats: int) -> str:
    """The table, and the sum for the whole recipe."""
    rows = [["part", "processor time of one core"]]
    if photos is not None:
        for folder in (photos, photos / "more"):
            count, seconds = import_s(folder)
            rows.append([f"import of {count:,} photos", f"{seconds:.0f} s"])
    crops, px = recipe.data.batch_size, recipe.data.image_size
    kept = in_a_process("step", repeats, KEPT)
    rows.append([f"a training step of {crops} crops of {px} px", f"{kept:.1f} s"])
    given_back = in_a_process("step", repeats, {})
    rows.append(["… where freed memory goes back to the system", f"{given_back:.1f} s"])
    augmented = in_a_process("augmentation", repeats, KEPT)
    rows.append([f"`data.device_augmentation` of {crops} crops of {px} px", f"{augmented:.2f} s"])
    drawn = read_json(ROOT / "docs" / "results" / "photo_set.json", "The photo-like set's figures", "measure it")
    pictures = OPENPHOTO_V1.frames[0]
    ms = drawn["ms_per_frame_of_one_core"]
    rows.append(["a picture of the rendered set", f"{ms:.0f} ms"])
    second = sum(share for name, share in drawn["elements"].items() if name.startswith("second hand"))
    rendered = pictures * (1 + second) * recipe.trainer.max_epochs
    steps = rendered / (1 - sum(added.share for added in recipe.data.sets)) / crops
    training_h, set_h = steps * (kept + augmented) / 3600, sum(OPENPHOTO_V1.frames) * ms / 3.6e6
    return (
        f"{markdown_table(rows)}\n{recipe.trainer.max_epochs} epochs of {pictures:,} pictures are about {steps:,.0f} "
        f"steps: {training_h:.1f} hours of one core for the steps, and {set_h:.1f} for drawing the set.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=Path, help="folder of labels.json and more/labels.json")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--into", type=Path, help="also write the table into this document")
    parser.add_argument("--part", choices=PARTS, help="measure this one, in this process")
    options = parser.parse_args()
    recipe: Any = OmegaConf.load(RECIPE / "finetune.yaml")
    if options.part is not None:
        print(PARTS[options.part](recipe, options.repeats))
        return
    text = text_of(recipe, options.photos, options.repeats)
    print(text)
    if options.into is not None:
        source = "<!-- written by `python benchmarks/photo_recipe.py PHOTOS --into docs/photos.md` -->\n"
        write_between_markers(options.into, source + text, MARKERS)


PARTS = {"step": step_s, "augmentation": augmentation_s}

if __name__ == "__main__":
    main()
