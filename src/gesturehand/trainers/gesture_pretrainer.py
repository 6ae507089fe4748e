"""Stage 1: an encoder and a gesture embedding learned from coarse and fine gesture labels."""

from typing import Any

from torch import Tensor, nn

from gesturehand.batch import Batch, GesturePrediction
from gesturehand.losses import MaskedSum, counted_labels, gesture_objective, gesture_targets
from gesturehand.trainers.training_stage import Measured, TrainingStage, part_of


class GesturePretrainer(TrainingStage):
    """Image → gesture embedding → coarse and fine gesture (the paper's first stage).

    Samples without a label contribute nothing to the loss.

    Args:
        backbone: A timm model name.
        dropout: Dropout before the classifiers.
        weight_coarse: Weight of the coarse cross-entropy.
        weight_fine: Weight of the fine cross-entropy.
        weight_hierarchy: Weight of the agreement between the two levels.
        label_smoothing: Label smoothing of the fine cross-entropy.
        encoder_lr_factor: Factor on the encoder's learning rate, for an encoder that starts from pretrained weights.
        **shared: Arguments of :class:`~gesturehand.trainers.training_stage.TrainingStage`.
    """

    def __init__(
        self,
        backbone: str = "hrnet_w32",
        dropout: float = 0.1,
        weight_coarse: float = 0.5,
        weight_fine: float = 1.0,
        weight_hierarchy: float = 0.2,
        label_smoothing: float = 0.05,
        encoder_lr_factor: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(backbone=backbone, **shared)
        self.encoder = self.build_encoder()
        if self.encoder.merge is not None:
            # Gestures are predicted from the pooled feature alone; the second stage trains the merged map.
            self.encoder.merge.requires_grad_(False)
        self.gesture_head = self.build_gesture_head(self.encoder, dropout)
        self.label_smoothing = label_smoothing
        self.encoder_lr_factor = encoder_lr_factor

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the gesture losses."""
        levels = ("coarse", "fine", "hierarchy")
        return super().weights | {f"gesture_{term}": self.hparams[f"weight_{term}"] for term in levels}

    def forward(self, image: Tensor) -> GesturePrediction:
        """Predicts gestures from crops (B, 3, S, S) RGB, uint8 or float in 0 … 255."""
        return self.gesture_head(self.encoder(image).pooled)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The weighted gesture losses of a batch."""
        batch = self.augmented(batch, batch_idx)
        return self.training_objective(self._losses(self(batch["image"]), batch, self.label_smoothing))

    def validation_step(self, batch: Batch, batch_idx: int) -> GesturePrediction:
        """Losses and metrics of a validation batch; returns the predictions."""
        return self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses and metrics of a test batch."""
        self._evaluate(batch, "test")

    def own_rates(self) -> list[tuple[nn.Module, float]]:
        """The encoder's learning rate, if it differs."""
        # One group if the rates are equal, as in the checkpoints of trainings without such a factor.
        return [] if self.encoder_lr_factor == 1.0 else [(self.encoder, self.encoder_lr_factor)]

    def _evaluate(self, batch: Batch, stage: Measured) -> GesturePrediction:
        prediction = self(batch["image"])
        for name, rows in self.measured_parts(batch, stage):
            if rows is None or rows.any():
                predicted, shown = part_of(prediction, rows), part_of(batch, rows)
                self.objective_metrics[name].update(self._losses(predicted, shown, 0.0))
                labels = counted_labels(shown, "coarse"), counted_labels(shown, "fine")
                self.gesture_metrics[name].update(predicted, *labels)
                self.measure_own_labels(predicted, shown, name)
            for logged, metric in self.measured(name).items():
                self.log(logged, metric, prog_bar=logged == "val/gesture_fine_top1")
        return prediction

    def _losses(self, prediction: GesturePrediction, batch: Batch, label_smoothing: float) -> dict[str, MaskedSum]:
        targets = gesture_targets(counted_labels(batch, "coarse"), counted_labels(batch, "fine"))
        gestures = gesture_objective(prediction, targets, self.parents, label_smoothing=label_smoothing)
        return gestures | self.own_label_losses(prediction, batch)
