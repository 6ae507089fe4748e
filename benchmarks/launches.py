"""The number of operations that a training step of TokenFusion starts beyond those of the bare backbone's step.

    python benchmarks/launches.py [--backbone hrnet_w32] [--without-compiled] [--out launches.json]

A GPU needs a few microseconds to start an operation, however small its tensors are. Every operation counts that
computes or copies, as PyTorch hands it to a device (``TorchDispatchMode``), but no views, allocations or metadata. An
operation on a list of tensors (gradient clipping, the fused optimiser) counts once for each parameter group. A step is
Lightning's: forward, targets, losses, logged values, backward, clipping, and the optimiser, fused and on lists as on a
GPU. The backbone's step is the same with the mean of its feature map as its loss, and logs nothing. Neither the
loader's operations nor the copies of a batch to a GPU count.

Operations are counted on the CPU, where they have the same names as on a GPU, in float32 and under bfloat16's autocast.
The figures that the documents quote as *before* come from ``git worktree add ../before f16bd67`` with
``PYTHONPATH=../before/src`` and ``--without-compiled --out docs/results/launches_before.json``.
"""

import argparse
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from training_step import quiet_lightning

from gesturehand.batch import Batch
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.models.encoder import Encoder, EncoderFeatures
from gesturehand.synthetic.writer import write_synthetic_set
from gesturehand.trainers.optimisation import adamw_with_cosine
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

PRECISIONS = ("32-true", "bf16-mixed")
#: Operations that compute nothing, in addition to views.
_ALLOCATIONS = ("aten.empty", "aten.new_empty", "aten.detach", "aten._unsafe_view", "aten.lift", "aten.alias", "prof")


class Operations(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and not str(func).startswith(_ALLOCATIONS):
            self.count[str(func)] += 1
        return func(*args, **(kwargs or {}))


class CountedStep(pl.Callback):
    """Counts the operations of the third step, in which everything that is kept exists already; updates as on a GPU."""

    def __init__(self) -> None:
        self.operations = Operations()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for group in trainer.optimizers[0].param_groups:
            group["fused"] = True

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, i: int) -> None:
        if i == 2:
            self.operations.__enter__()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, out: Any, b: Any, i: int) -> None:
        if i == 2:
            self.operations.__exit__(None, None, None)


class ClippedAsOnAGpu(pl.LightningModule):
    """Clips all gradients as a list, as PyTorch does on a GPU."""

    def configure_gradient_clipping(self, optimizer: torch.optim.Optimizer, *_: Any, **__: Any) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)


class TokenFusionStep(ClippedAsOnAGpu, TokenFusionRegressor):
    """The whole training step."""


class BackboneStep(ClippedAsOnAGpu):
    """The step of the backbone alone."""

    def __init__(self, backbone: str, image_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(backbone, image_size=image_size)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.encoder(batch["image"]).feature_map.float().mean()

    def configure_optimizers(self) -> Any:
        return adamw_with_cosine([(self, 1.0)], learning_rate=1e-4, weight_decay=0.01, warmup_share=0.1, total_steps=10)


def operations_of(module: pl.LightningModule, data: InterHandDataModule, precision: Any) -> Counter[str]:
    """The operations of a training step, by name."""
    counted = CountedStep()
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, precision=precision, max_steps=3, gradient_clip_val=1.0, callbacks=[counted],
            logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            limit_val_batches=0,
        )  # fmt: skip
        trainer.fit(module, datamodule=data)
    return counted.operations.count


def head_operations(data: InterHandDataModule, image_size: int) -> dict[str, int]:
    """Operations of TokenFusion's head and losses, forward and backward in float32: as they are, and compiled.

    When compiled, they are Inductor's kernels and the library calls in the program that it writes for the CPU.
    """
    from torch._inductor.utils import run_fw_bw_and_get_code

    # An older commit, for which only whole steps are counted, has neither.
    from gesturehand.callbacks.compile import Compile
    from gesturehand.targets import training_targets

    torch.manual_seed(0)
    module = TokenFusionRegressor(backbone="test_resnet", image_size=image_size).train()
    batch = next(iter(data.train_dataloader()))
    targets = training_targets(batch, module.hand_model)
    features = EncoderFeatures(*(each.detach().requires_grad_() for each in module.encoder(batch["image"])))
    module.encoder.forward = torch.compiler.disable(lambda image: features)  # type: ignore[method-assign]
    one = torch.ones(())

    def totals() -> list[Tensor]:
        return [term.total for term in module.training_losses(batch, targets).values()]

    with Operations() as operations, torch.autograd.set_multithreading_enabled(False):
        losses = totals()
        torch.autograd.backward(losses, [one] * len(losses))
    Compile("head").setup(None, module, "fit")  # type: ignore[arg-type]
    _, programs = run_fw_bw_and_get_code(lambda: torch.stack(totals()).sum())
    calls = [program[program.index("def call(") :] for program in programs]
    compiled = sum(
        len(re.findall(r"cpp_fused\w*\(|extern_kernels\.\w+\(|torch\.ops\.[\w.]+\(", call)) for call in calls
    )
    return {"eager": operations.count.total(), "compiled": compiled}


def measure(
    backbone: str = "hrnet_w32", image_size: int = 64, count: int = 2, *, compiled: bool = True
) -> dict[str, Any]:
    """Operations of both steps and their difference, by precision; they depend on neither image nor batch size.

    Args:
        backbone: The backbone of both steps.
        image_size: Side of the images, px.
        count: Batch size.
        compiled: Also count the head as ``Compile(what="head")`` makes it, which takes minutes.
    """
    result: dict[str, Any] = {"backbone": backbone}
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic_set(
            Path(folder) / "set", subjects=(1, 0, 0), frames=(6 * count, 0, 0), two_hand_share=0.0, processes=1,
            progress=False,
        )  # fmt: skip
        data = InterHandDataModule(str(Path(folder) / "set"), image_size=image_size, batch_size=count, num_workers=0)
        for precision in PRECISIONS:
            whole, bare = (
                operations_of(module, data, precision).total()
                for module in (
                    TokenFusionStep(backbone=backbone, image_size=image_size), BackboneStep(backbone, image_size),
                )
            )  # fmt: skip
            result[precision] = {"token_fusion": whole, "backbone": bare, "beyond": whole - bare}
        if compiled:
            head = result["head"] = head_operations(data, image_size)
            result["compiled"] = {"beyond": result["32-true"]["beyond"] - head["eager"] + head["compiled"]}
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", default="hrnet_w32")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--without-compiled", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments.backbone, compiled=not arguments.without_compiled)
    print(json.dumps(result, indent=2))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
