"""A training step of each second stage against the bare backbone's forward and backward on as many images.

    python benchmarks/training_step.py [--backbone hrnet_w32] [--image-size 256] [--batch-size 8] [--repeats 3]

A step consists of forward, losses, backward and the optimiser; the backbone's only of forward and backward. They are
measured alternately, and the best of each counts. It runs on a GPU (bf16) if there is one, otherwise on the CPU
(float32).
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities import move_data_to_device
from torch.utils.flop_counter import FlopCounterMode

from gesturehand.batch import Batch
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.models.encoder import Encoder
from gesturehand.synthetic.writer import write_synthetic_set
from gesturehand.targets import with_training_targets
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.hand_regressor import HandRegressor
from gesturehand.trainers.optimisation import adamw_with_cosine
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

REGRESSORS: dict[str, Any] = {"token_fusion": TokenFusionRegressor, "eanet": EANetRegressor}


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


def step_of(
    module: torch.nn.Module, loss: Callable[[], torch.Tensor], device: str, *, optimise: bool
) -> Callable[[], None]:
    """Forward, backward and, unless told not to, the optimiser's step."""
    settings = {"learning_rate": 1e-4, "weight_decay": 0.01, "warmup_share": 0.1, "total_steps": 1000}
    optimizer = adamw_with_cosine([(module, 1.0)], **settings)["optimizer"]

    def run() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            value = loss()
        value.backward()
        if optimise:
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def regressor_step(name: str, device: str, settings: dict[str, Any], count: int) -> Callable[[], None]:
    module: HandRegressor = REGRESSORS[name](**settings).train()
    batch = synthetic_batch(settings["image_size"], count, "two_hand" if name == "eanet" else "per_hand")
    # As the loader's workers give it.
    return module_step(module, with_training_targets(batch, module.hand_model), device)


def module_step(module: pl.LightningModule, batch: Batch, device: str) -> Callable[[], None]:
    """A training step of either stage's module."""
    module.to(device)
    batch = move_data_to_device(batch, torch.device(device))
    # The step without a Trainer's loop: nothing to log to, one process.
    module.log = lambda *arguments, **named: None  # type: ignore[method-assign]
    module._trainer = pl.Trainer(accelerator="cpu" if device == "cpu" else "gpu", devices=1, logger=False,
                                 enable_checkpointing=False, enable_progress_bar=False,
                                 enable_model_summary=False)  # fmt: skip
    return step_of(module, lambda: module.training_step(batch, 0), device, optimise=True)


def shares_of(run: Callable[[], None], device: str, count: int = 6) -> dict[str, float]:
    """Shares of the time taken by the longest operations, by PyTorch's profiler."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    activities += [torch.profiler.ProfilerActivity.CUDA] if device == "cuda" else []
    with torch.profiler.profile(activities=activities) as profile:
        run()
    key = f"self_{device}_time_total" if device == "cpu" else "self_device_time_total"
    times = {event.key: getattr(event, key) for event in profile.key_averages()}
    total = sum(times.values())
    return {name: times[name] / total for name in sorted(times, key=times.__getitem__)[: -count - 1 : -1]}


def operations_of(run: Callable[[], None]) -> int:
    """Floating-point operations of convolutions and matrix products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def matrix_rate(device: str) -> float:
    """Operations per second of a large matrix product, bf16 on a GPU: the peak that the machine reaches in practice."""
    side, dtype = (8192, torch.bfloat16) if device == "cuda" else (2048, torch.float32)
    matrix = torch.randn(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Holds back Lightning's messages about devices within this context."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def measure(backbone: str = "hrnet_w32", image_size: int = 256, count: int = 8, repeats: int = 3) -> dict[str, Any]:
    """Seconds of each step, and ratios to the backbone's."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    encoder = Encoder(backbone, image_size=image_size).to(device).train()
    images = synthetic_batch(image_size, count, "per_hand")["image"].to(device)
    runs = {"backbone": step_of(encoder, lambda: encoder(images).feature_map.float().mean(), device, optimise=False)}
    with quiet_lightning():
        for name in REGRESSORS:
            runs[name] = regressor_step(name, device, {"backbone": backbone, "image_size": image_size}, count)
    best = dict.fromkeys(runs, float("inf"))
    for number in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                best[name] = min(best[name], time.perf_counter() - start)
    result: dict[str, Any] = {"device": machine, "backbone": backbone, "image_size": image_size, "batch_size": count}
    result |= {
        "seconds": best,
        "of_backbone": {name: best[name] / best["backbone"] for name in best if name != "backbone"},
    }
    result["images_per_s"] = {name: count / seconds for name, seconds in best.items()}
    rate = matrix_rate(device)
    result["matrix_product_tflops"] = rate / 1e12
    result["of_matrix_product_rate"] = {name: operations_of(runs[name]) / best[name] / rate for name in runs}
    result["profile"] = {name: shares_of(runs[name], device) for name in ("backbone", "token_fusion")}
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", default="hrnet_w32")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    settings = (arguments.backbone, arguments.image_size, arguments.batch_size, arguments.repeats)
    print(json.dumps(measure(*settings), indent=2))


if __name__ == "__main__":
    main()
