"""The best checkpoint as a W&B artifact."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_warn


class CheckpointArtifact(pl.Callback):
    """Gives W&B the best checkpoint once training has finished, even offline (``wandb sync`` uploads it later)."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs the artifact, if there are a checkpoint and W&B."""
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if not best or not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                import wandb

                checkpoint = trainer.checkpoint_callback
                score = getattr(checkpoint, "best_model_score", None)
                artifact = wandb.Artifact(
                    f"{type(pl_module).__name__}-{logger.experiment.id}",
                    type="model",
                    metadata={
                        "monitor": getattr(checkpoint, "monitor", None),
                        "score": None if score is None else float(score),
                        "epochs": trainer.current_epoch,
                    },
                )
                artifact.add_file(best, name=Path(best).name)
                try:
                    logger.experiment.log_artifact(artifact, aliases=["best"])
                except Exception as error:  # W&B raises many kinds of errors, and passes on those of its libraries
                    rank_zero_warn(f"W&B did not take the checkpoint ({type(error).__name__}); it is kept as '{best}'.")
