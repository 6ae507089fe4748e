"""Stage 1: an encoder and a gesture embedding learned from coarse and fine gesture labels."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from gesturehand.batch import Batch, GesturePrediction
from gesturehand.gestures import GestureClasses, class_names, class_parents
from gesturehand.losses import counted_labels, gesture_objective
from gesturehand.metrics.gesture_accuracy import GestureMetrics
from gesturehand.models.encoder import Encoder, Freeze
from gesturehand.models.gesture_head import GestureHead
from gesturehand.trainers.model_settings import check_model_settings
from gesturehand.trainers.objective import logged_objective
from gesturehand.trainers.optimisation import adamw_with_cosine


class GesturePretrainer(pl.LightningModule):
    """Image → gesture embedding → coarse and fine gesture (the paper's first stage).

    Samples without a label add nothing to the loss.

    Args:
        backbone: A timm model name.
        imagenet_weights: Start from timm's pretrained weights.
        encoder_weights: Weights on this machine that the backbone starts from: a file (.safetensors or .pth; a
            checkpoint's encoder too), ``mediapipe_hand``, ``openphoto``, or ``efficientnet-lite0`` to ``-lite2``.
        freeze_encoder: ``none``, ``all``, or the stride up to which the backbone keeps its weights.
        feature_stride: Of the feature map that the second stage will use.
        image_size: Side of the crops, px.
        gesture_classes: ``shared`` by both hands, or ``per_hand``.
        embedding_dim: Of the gesture embedding.
        dropout: Before the classifiers.
        weight_coarse: Of the coarse cross-entropy.
        weight_fine: Of the fine cross-entropy.
        weight_hierarchy: Of the agreement between the two levels.
        label_smoothing: Of the fine cross-entropy.
        learning_rate: Peak.
        weight_decay: AdamW's.
        warmup_share: Share of the steps that warm up.
    """

    parents: Tensor

    def __init__(
        self,
        backbone: str = "hrnet_w32",
        imagenet_weights: bool = False,
        encoder_weights: str | None = None,
        freeze_encoder: Freeze = "none",
        feature_stride: int = 32,
        image_size: int = 256,
        gesture_classes: GestureClasses = "shared",
        embedding_dim: int = 512,
        dropout: float = 0.1,
        weight_coarse: float = 0.5,
        weight_fine: float = 1.0,
        weight_hierarchy: float = 0.2,
        label_smoothing: float = 0.05,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.02,
        warmup_share: float = 0.1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        check_model_settings(self.hparams)
        self.encoder = Encoder(
            backbone,
            imagenet_weights=imagenet_weights,
            feature_stride=feature_stride,
            image_size=image_size,
            weights=encoder_weights,
            freeze=freeze_encoder,
        )
        if self.encoder.merge is not None:
            # Gestures are read from the pooled feature alone; the merged map is the second stage's to train.
            self.encoder.merge.requires_grad_(False)
        names = {level: class_names(level, gesture_classes) for level in ("coarse", "fine")}
        self.gesture_head = GestureHead(
            self.encoder.pooled_channels,
            len(names["coarse"]),
            len(names["fine"]),
            embedding_dim=embedding_dim,
            dropout=dropout,
        )
        self.register_buffer("parents", torch.tensor(class_parents(gesture_classes)), persistent=False)
        self.weights = {
            "gesture_coarse": weight_coarse,
            "gesture_fine": weight_fine,
            "gesture_hierarchy": weight_hierarchy,
        }
        self.label_smoothing = label_smoothing
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup_share = warmup_share
        self.gesture_metrics = nn.ModuleDict(
            {stage: GestureMetrics(len(names["coarse"]), len(names["fine"])) for stage in ("val", "test")}
        )

    def forward(self, image: Tensor) -> GesturePrediction:
        """Predicts gestures from crops (B, 3, S, S) uint8 RGB."""
        return self.gesture_head(self.encoder(image).pooled)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The weighted gesture losses of a batch."""
        return self._loss(self(batch["image"]), batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> GesturePrediction:
        """Losses and metrics of a validation batch; returns the predictions."""
        return self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses and metrics of a test batch."""
        self._evaluate(batch, "test")

    def on_validation_epoch_start(self) -> None:
        """Empties the confusion matrices."""
        self.gesture_metrics["val"].reset_confusion()  # type: ignore[operator]

    def configure_optimizers(self) -> Any:
        """AdamW, warm-up, cosine."""
        return adamw_with_cosine(
            [(self, 1.0)],
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_share=self.warmup_share,
            total_steps=self.trainer.estimated_stepping_batches,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes where the encoder's first weights came from, and their licence."""
        checkpoint["encoder_weights_origin"] = self.encoder.origin

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes over where the encoder's first weights came from."""
        self.encoder.origin = checkpoint.get("encoder_weights_origin")

    def _evaluate(self, batch: Batch, stage: str) -> GesturePrediction:
        prediction = self(batch["image"])
        self._loss(prediction, batch, stage)
        metrics = self.gesture_metrics[stage]
        metrics.update(prediction, counted_labels(batch, "coarse"), counted_labels(batch, "fine"))  # type: ignore[operator]
        for name, score in metrics.named(stage).items():  # type: ignore[operator]
            self.log(name, score, prog_bar=name == "val/gesture_fine_top1")
        return prediction

    def _loss(self, prediction: GesturePrediction, batch: Batch, stage: str) -> Tensor:
        sums = gesture_objective(
            prediction,
            counted_labels(batch, "coarse"),
            counted_labels(batch, "fine"),
            self.parents,
            label_smoothing=self.label_smoothing if stage == "train" else 0.0,
        )
        return logged_objective(self, stage, sums, self.weights)
