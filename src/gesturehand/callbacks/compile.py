"""``torch.compile`` for any module of this library."""

import pytorch_lightning as pl
from torch import nn

from gesturehand.models.encoder import Encoder


class Compile(pl.Callback):
    """Compiles every encoder of a module, which is where the time goes, in place when a fit starts.

    In place (``nn.Module.compile``), so that no name in ``state_dict`` changes and a checkpoint opens with or without
    compilation. The hand model is left out, as its two layers take a changing number of rows.

    Args:
        mode: ``default``, ``reduce-overhead`` or ``max-autotune``; for the backend ``inductor`` only.
        dynamic: False compiles one graph for every batch size.
        backend: Backend of ``torch.compile``.
    """

    def __init__(self, mode: str = "default", dynamic: bool | None = False, backend: str = "inductor") -> None:
        self.mode = mode
        self.dynamic = dynamic
        self.backend = backend

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Compiles before the first step."""
        if stage != "fit":
            return
        options = {"mode": self.mode} if self.backend == "inductor" else {}
        for encoder in encoders_of(pl_module):
            encoder.compile(dynamic=self.dynamic, backend=self.backend, **options)


def encoders_of(module: nn.Module) -> list[Encoder]:
    """The encoders inside a module, whatever the architecture."""
    return [part for part in module.modules() if isinstance(part, Encoder)]
