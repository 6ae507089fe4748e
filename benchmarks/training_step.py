"""A training step of each second stage against the bare backbone's forward and backward on the same images.

    python benchmarks/training_step.py [--backbone hrnet_w32] [--image-size 256] [--batch-size 8] [--repeats 3]

In turns; the best of each counts. On a GPU where there is one (bf16), else on the CPU (float32).
"""

import argparse
import importlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from gesturehand.batch import Batch
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.models.encoder import Encoder
from gesturehand.synthetic.writer import write_synthetic_set
from gesturehand.trainers.optimisation import adamw_with_cosine

REGRESSORS = {"token_fusion": "TokenFusionRegressor", "eanet": "EANetRegressor"}


def synthetic_batch(size: int, count: int, layout: str) -> Batch:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        share = 1.0 if layout == "two_hand" else 0.0
        write_synthetic_set(
            root, subjects=(1, 0, 0), frames=(2 * count, 0, 0), two_hand_share=share, processes=1, progress=False
        )
        data = InterHandDataModule(
            str(root), image_size=size, batch_size=count, num_workers=0, hands="all", layout=layout,
            mirror_left=layout == "per_hand",
        )  # fmt: skip
        return next(iter(data.train_dataloader()))


def step_of(module: torch.nn.Module, loss: Callable[[], torch.Tensor], device: str) -> Callable[[], None]:
    """Forward, backward and the optimiser's step."""
    settings = {"learning_rate": 1e-4, "weight_decay": 0.01, "warmup_share": 0.1, "total_steps": 1000}
    optimizer = adamw_with_cosine([(module, 1.0)], **settings)["optimizer"]

    def run() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            value = loss()
        value.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def regressor_step(
    name: str, device: str, settings: dict[str, Any], count: int
) -> tuple[Callable[[], None], Any] | None:
    try:
        module_class = getattr(importlib.import_module(f"gesturehand.trainers.{name}_regressor"), REGRESSORS[name])
    except ImportError:
        return None
    module: pl.LightningModule = module_class(**settings).to(device).train()
    batch = synthetic_batch(settings["image_size"], count, "two_hand" if name == "eanet" else "per_hand")
    batch = {key: value.to(device) for key, value in batch.items()}  # type: ignore[assignment]
    # The step without a Trainer: nothing to log to, one process.
    module.log = lambda *arguments, **named: None  # type: ignore[method-assign]
    trainer = pl.Trainer(accelerator="cpu" if device == "cpu" else "gpu", devices=1, logger=False, barebones=False,
                         enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    module._trainer = trainer
    return step_of(module, lambda: module.training_step(batch, 0), device), module


def profile_of(run: Callable[[], None], device: str) -> str:
    activities = [torch.profiler.ProfilerActivity.CPU]
    activities += [torch.profiler.ProfilerActivity.CUDA] if device == "cuda" else []
    with torch.profiler.profile(activities=activities) as profile:
        run()
    return profile.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=15, max_name_column_width=50)


def measure(
    backbone: str = "hrnet_w32", image_size: int = 256, count: int = 8, repeats: int = 3, profile: bool = False
) -> dict[str, Any]:
    """Seconds of a step each, and ratios to the backbone's."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = Encoder(backbone, image_size=image_size).to(device).train()
    images = synthetic_batch(image_size, count, "per_hand")["image"].to(device)
    runs = {"backbone": step_of(encoder, lambda: encoder(images).feature_map.float().mean(), device)}
    for name in REGRESSORS:
        made = regressor_step(name, device, {"backbone": backbone, "image_size": image_size}, count)
        if made is not None:
            runs[name] = made[0]
    best = dict.fromkeys(runs, float("inf"))
    for number in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                best[name] = min(best[name], time.perf_counter() - start)
    result: dict[str, Any] = {"device": device, "backbone": backbone, "image_size": image_size, "batch_size": count}
    result |= {
        "seconds": best,
        "of_backbone": {name: best[name] / best["backbone"] for name in best if name != "backbone"},
    }
    result["images_per_s"] = {name: count / seconds for name, seconds in best.items()}
    if profile:
        print(profile_of(runs["token_fusion"], device))
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", default="hrnet_w32")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    settings = (arguments.backbone, arguments.image_size, arguments.batch_size, arguments.repeats, arguments.profile)
    print(json.dumps(measure(*settings), indent=2))


if __name__ == "__main__":
    main()
