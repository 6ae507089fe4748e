"""Stops a training before a loss that is not finite spoils the weights, and names the sample that caused it."""

from typing import Any, Final

import pytorch_lightning as pl
import torch
from torch import Tensor

from gesturehand.batch import Batch
from gesturehand.errors import UserError

#: The name under which left-out samples are logged.
UNREADABLE_IMAGES: Final = "train/unreadable_images"
#: Number of samples that a sentence names.
_NAMED = 5


class TrainingGuard(pl.Callback):
    """Checks every step's loss before the backward pass, and counts samples whose image cannot be read.

    The check waits for the device once per step; ``every_n_batches`` makes it rarer.

    Args:
        unreadable_limit: How many different samples of a process may be unreadable (and are left out, if the data
            module's ``unreadable`` is ``skip``) before the run ends.
        every_n_batches: Batches between checks of the loss.

    Raises:
        UserError: During training: the loss is not finite, or too many images are unreadable.
    """

    def __init__(self, unreadable_limit: int = 100, every_n_batches: int = 1) -> None:
        self.unreadable_limit = unreadable_limit
        self.every_n_batches = every_n_batches
        self.unreadable: set[int] = set()
        self._batch: Batch | None = None
        self._checked = True

    def state_dict(self) -> dict[str, Any]:
        """The samples that were unreadable."""
        return {"unreadable": sorted(self.unreadable)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the count."""
        self.unreadable = set(state_dict["unreadable"])

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Keeps the batch for a message, and counts its unreadable samples."""
        self._batch = batch
        self._checked = batch_idx % self.every_n_batches == 0
        data = getattr(trainer, "datamodule", None)
        if getattr(data, "unreadable", "error") != "skip":
            return
        # This is the only reason for which a training sample is not counted.
        self.unreadable.update(batch["annotation_id"][~batch["counted"]].tolist())
        pl_module.log(UNREADABLE_IMAGES, float(len(self.unreadable)), on_step=True)
        if len(self.unreadable) > self.unreadable_limit:
            raise UserError(
                f"{len(self.unreadable)} training images cannot be read, more than data.unreadable_limit allows: list "
                "them with `gesturehand data check`, and complete the set or raise the limit."
            )

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        """Refuses a loss that is not finite, while the weights are still good."""
        if not self._checked or bool(torch.isfinite(loss.detach()).all()):
            return
        batch, step = self._batch, trainer.global_step
        assert batch is not None
        bad = [
            f"{name} of {self._names(trainer, batch, wrong)}"
            for name, value in batch.items()
            if isinstance(value, Tensor) and value.is_floating_point()
            and (wrong := ~torch.isfinite(value).flatten(1).all(1)).any()
        ]  # fmt: skip
        if bad:
            raise UserError(
                f"The loss of step {step} is not finite because the data is not: {'; '.join(bad)}. List such entries "
                "with `gesturehand data check` and leave them out with a subset list."
            )
        metrics = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("train/loss_")}
        terms = [name.removeprefix("train/loss_") for name, value in metrics.items() if not torch.isfinite(value)]
        everything = torch.ones(len(batch["annotation_id"]), dtype=torch.bool)
        part = f" (its terms {', '.join(terms)})" if terms else ""
        raise UserError(
            f"The loss of step {step} is not finite{part} although its data is "
            f"({self._names(trainer, batch, everything)}): lower model.learning_rate, set "
            "trainer.gradient_clip_val, or train in another trainer.precision; the weights are still good."
        )

    def _names(self, trainer: pl.Trainer, batch: Batch, which: Tensor) -> str:
        """Annotation ids with their images."""
        ids = batch["annotation_id"][which.to(batch["annotation_id"].device)].tolist()
        data = getattr(trainer, "datamodule", None)
        dataset = getattr(data, "datasets", {}).get("train")
        names = []
        for number in ids[:_NAMED]:
            name = f"annotation {number}"
            if dataset is not None:
                row = int((dataset.index.annotation_id == number).argmax())
                name += f" ('{dataset.index.file_name[row].decode()}')"
            names.append(name)
        return ", ".join(names) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
