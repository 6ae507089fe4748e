"""From a step's masked losses to the one number to minimise, each term logged by its own name."""

from collections.abc import Mapping

import pytorch_lightning as pl
from torch import Tensor

from gesturehand.losses import MaskedSum
from gesturehand.trainers.optimisation import weighted_loss


def logged_objective(
    module: pl.LightningModule, stage: str, sums: Mapping[str, MaskedSum], weights: Mapping[str, float]
) -> Tensor:
    """The weighted objective over all processes; logs ``{stage}/loss`` and ``{stage}/loss_{term}``.

    Every process must call it in every step, also with nothing valid: the terms' counts are averaged over processes.

    Args:
        module: That trains or evaluates.
        stage: ``train`` (logged by step), ``val`` or ``test`` (by epoch).
        sums: The terms.
        weights: A weight for every term.

    Returns:
        () float32.
    """
    loss, means = weighted_loss(sums, weights, module.trainer.strategy.reduce)
    logged = {f"{stage}/loss": loss, **{f"{stage}/loss_{name}": mean for name, mean in means.items()}}
    training = stage == "train"
    for name, value in logged.items():
        shown = name == "train/loss"
        module.log(name, value, prog_bar=shown, on_step=training, on_epoch=not training, sync_dist=not training)
    return loss
