"""``torch.compile`` for any module of this library."""

import functools
import time
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import nn

from gesturehand.batch import Batch
from gesturehand.errors import UserError
from gesturehand.models.encoder import Encoder
from gesturehand.precision import full_matmul_precision
from gesturehand.trainers.hand_regressor import HandRegressor

#: The part of a training step that is compiled.
Part = Literal["encoder", "head", "all"]


class Compile(pl.Callback):
    """Compiles parts of a module in place when a fit starts, and prints how long the first steps take because of it.

    In place, so that no name in ``state_dict`` changes and a checkpoint opens with or without compilation. Validation
    and tests run everything but the encoder uncompiled.

    Args:
        what: ``encoder``, which has most of the arithmetic; ``head``, all of a second stage's step from the feature map
            to the losses, whose many small operations a GPU takes longer to start than to compute; or ``all`` of it as
            one. With a MANO file, whose two layers take a changing number of rows, only ``encoder``.
        mode: ``default``, ``reduce-overhead`` or ``max-autotune``; for the backend ``inductor`` only.
        dynamic: False compiles one graph for every batch size.
        backend: Backend of ``torch.compile``.

    Raises:
        UserError: ``what`` is unknown, or the module has no such part.
    """

    def __init__(
        self, what: Part = "encoder", mode: str = "default", dynamic: bool | None = False, backend: str = "inductor"
    ) -> None:
        if what not in get_args(Part):
            raise UserError(f"Compile's what is '{what}': give encoder, head or all.")
        self.what = what
        self.mode = mode
        self.dynamic = dynamic
        self.backend = backend
        self._start: float | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compiles before the first step."""
        if stage != "fit":
            return
        options: dict[str, Any] = {"dynamic": self.dynamic, "backend": self.backend}
        options |= {"mode": self.mode} if self.backend == "inductor" else {}
        if self.what == "encoder":
            for encoder in encoders_of(pl_module):
                encoder.compile(**options)
            return
        if not isinstance(pl_module, HandRegressor) or pl_module.hparams["mano"] is not None:
            raise UserError(
                f"Compile's what is '{self.what}', which needs a second stage on the open hand: give encoder."
            )
        if self.what == "head":
            for encoder in encoders_of(pl_module):
                encoder.forward = torch.compiler.disable(encoder.forward)  # type: ignore[method-assign]
        compiled = torch.compile(pl_module.training_losses, **options)

        @functools.wraps(compiled)
        def losses(*arguments: Any) -> Any:
            # The hand model chooses the precision of its products itself, but not inside compiled code.
            with full_matmul_precision():
                return compiled(*arguments)

        pl_module.training_losses = losses  # type: ignore[method-assign, assignment]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Starts the clock of the first step, in which compilation takes place."""
        self._start = time.perf_counter() if self._start is None else self._start

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Prints the time that the first step took."""
        if self._start is not None and self._start > 0:
            rank_zero_info(f"Compiled ({self.what}): the first step took {time.perf_counter() - self._start:.0f} s.")
            self._start = 0.0


def encoders_of(module: nn.Module) -> list[Encoder]:
    """The encoders inside a module, whatever the architecture."""
    return [part for part in module.modules() if isinstance(part, Encoder)]
