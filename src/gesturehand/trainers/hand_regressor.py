"""What all second stages share: data, targets, losses, metrics, the hand-over from the first stage, the optimiser."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypedDict

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor, nn

from gesturehand.batch import Batch, GesturePrediction, HandPrediction, Targets
from gesturehand.data.selection import Layout
from gesturehand.errors import UserError
from gesturehand.gestures import GestureClasses, class_names, class_parents
from gesturehand.hand.layer import HandModel
from gesturehand.losses import counted_labels, gesture_objective, layered_objective, relative_translation_loss
from gesturehand.metrics.gesture_accuracy import GestureMetrics
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.targets import build_targets
from gesturehand.trainers.hand_over import hand_over
from gesturehand.trainers.objective import logged_objective
from gesturehand.trainers.optimisation import adamw_with_cosine


class Evaluated(TypedDict):
    """What a validation or test step returns, for callbacks that draw or save.

    Attributes:
        hand: Predicted hands.
        gesture: Predicted gestures; None of an architecture without a gesture head.
        targets: Of the same batch.
    """

    hand: HandPrediction
    gesture: GesturePrediction | None
    targets: Targets


class HandRegressor(pl.LightningModule, ABC):
    """One crop → MANO parameters, mesh and 21 joints of H hands, and their gesture.

    A subclass names its constructor arguments, keeps them with ``save_hyperparameters()`` (``gesture_classes``,
    ``image_size`` and a ``weight_…`` of every loss term among them) and builds ``network``, a module with the
    attributes ``encoder``, ``gesture_head`` (or None) and ``hand_model``, called with images (B, 3, S, S) and sides
    (B, H).

    Args:
        gesture_classes: ``shared`` by both hands, or ``per_hand``.
        has_gesture_head: The network predicts gestures.
        pretrained: A checkpoint of the first stage, or None.
        learning_rate: Peak.
        encoder_lr_factor: The encoder's and gesture head's share of the learning rate.
        weight_decay: AdamW's.
        warmup_share: Share of the steps that warm up.

    Attributes:
        layout: The data's: one hand a sample (H = 1), or right and left (H = 2).
        network: The network.
    """

    layout: ClassVar[Layout] = "per_hand"
    network: nn.Module
    parents: Tensor

    def __init__(
        self,
        *,
        gesture_classes: GestureClasses,
        has_gesture_head: bool,
        pretrained: str | None,
        learning_rate: float,
        encoder_lr_factor: float,
        weight_decay: float,
        warmup_share: float,
    ) -> None:
        super().__init__()
        self.pretrained = pretrained
        self.learning_rate = learning_rate
        self.encoder_lr_factor = encoder_lr_factor
        self.weight_decay = weight_decay
        self.warmup_share = warmup_share
        self.register_buffer("parents", torch.tensor(class_parents(gesture_classes)), persistent=False)
        two_hands = self.layout == "two_hand"
        self.hand_metrics = nn.ModuleDict(
            {"val": HandMetrics(two_hands=two_hands), "test": HandMetrics(detailed=True, two_hands=two_hands)}
        )
        coarse, fine = (len(class_names(level, gesture_classes)) for level in ("coarse", "fine"))
        self.gesture_metrics = nn.ModuleDict(
            {stage: GestureMetrics(coarse, fine) for stage in ("val", "test")} if has_gesture_head else {}
        )

    @property
    def weights(self) -> dict[str, float]:
        """Of every loss term: the ``weight_…`` arguments; that of the gesture losses is the same for all three."""
        names = [name for name in self.hparams if name.startswith("weight_") and name != "weight_decay"]
        weights = {name.removeprefix("weight_"): self.hparams[name] for name in names}
        gesture = weights.pop("gesture")
        return weights | {f"gesture_{term}": gesture for term in ("coarse", "fine", "hierarchy")}

    @property
    def hand_model(self) -> HandModel:
        """MANO's layer."""
        return self.network.hand_model  # type: ignore[return-value]

    @property
    def encoder(self) -> Encoder:
        """The image encoder, which the first stage shares."""
        return self.network.encoder  # type: ignore[return-value]

    @abstractmethod
    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predicts the hands of crops.

        Args:
            image: (B, 3, S, S) uint8 RGB.
            is_right: (B, H) bool, the sides as the crop shows them.
        """

    def setup(self, stage: str) -> None:
        """Checks the data's layout; loads the gesture pretraining before training (a test has its own checkpoint).

        Raises:
            UserError: The data has another number of hands a sample.
        """
        data = getattr(self.trainer, "datamodule", None)
        if data is not None and getattr(data, "layout", self.layout) != self.layout:
            raise UserError(
                f"{type(self).__name__} needs data.layout={self.layout} and the data has layout={data.layout}: set it."
            )
        if stage == "fit" and self.pretrained is not None:
            modules: dict[str, nn.Module] = {"encoder": self.encoder}
            if self.network.gesture_head is not None:
                modules["gesture_head"] = self.network.gesture_head  # type: ignore[assignment]
            note = "" if "gesture_head" in modules else f" {type(self).__name__} has no gesture head to load as set up."
            loaded = hand_over(self.pretrained, modules)
            self.encoder.origin = loaded.encoder_weights_origin
            rank_zero_info(f"{loaded}{note}")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The layered objective and the auxiliary gesture losses of a batch."""
        hand, gesture = self(batch["image"], batch["is_right"])
        return self._loss(hand, gesture, build_targets(batch, self.hand_model), batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Losses and metrics of a validation batch; returns predictions and targets."""
        return self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Losses and metrics of a test batch; returns predictions and targets."""
        return self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predictions of a batch."""
        return self(batch["image"], batch["is_right"])

    def on_validation_epoch_start(self) -> None:
        """Empties the confusion matrices."""
        self._reset_confusion("val")

    def on_test_epoch_start(self) -> None:
        """Empties everything that was counted; what is not logged is not emptied by itself."""
        self.hand_metrics["test"].reset()  # type: ignore[operator]
        self._reset_confusion("test")

    def configure_optimizers(self) -> Any:
        """AdamW, warm-up, cosine; encoder and gesture head at their share of the rate."""
        handed_over = [self.network.encoder, self.network.gesture_head]
        return adamw_with_cosine(
            [*((part, self.encoder_lr_factor) for part in handed_over if part is not None), (self, 1.0)],  # type: ignore[list-item]
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_share=self.warmup_share,
            total_steps=self.trainer.estimated_stepping_batches,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes the hand model (which itself is never saved) and where the encoder's first weights came from."""
        checkpoint["encoder_weights_origin"] = self.encoder.origin
        checkpoint["hand_model"] = {"name": self.hand_model.name, "fingerprint": self.hand_model.fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks that the hand model is the one the parameters belong to; takes over the origin of the weights.

        Raises:
            UserError: It is another one.
        """
        self.encoder.origin = checkpoint.get("encoder_weights_origin")
        saved = checkpoint.get("hand_model")
        if saved is not None and saved["fingerprint"] != self.hand_model.fingerprint:
            raise UserError(
                f"The checkpoint was trained with the hand model '{saved['name']}', not with "
                f"'{self.hand_model.name}': pass that one as model.mano."
            )

    def _reset_confusion(self, stage: str) -> None:
        if stage in self.gesture_metrics:
            self.gesture_metrics[stage].reset_confusion()  # type: ignore[operator]

    def _evaluate(self, batch: Batch, stage: str) -> Evaluated:
        hand, gesture = self(batch["image"], batch["is_right"])
        targets = build_targets(batch, self.hand_model)
        self._loss(hand, gesture, targets, batch, stage)
        hand_metrics = self.hand_metrics[stage]
        hand_metrics.update(hand, targets, batch, self.hand_model)  # type: ignore[operator]
        named = dict(hand_metrics.named(stage))  # type: ignore[operator]
        if gesture is not None:
            gesture_metrics = self.gesture_metrics[stage]
            gesture_metrics.update(gesture, counted_labels(batch, "coarse"), counted_labels(batch, "fine"))  # type: ignore[operator]
            named |= gesture_metrics.named(stage)  # type: ignore[operator]
        for name, metric in named.items():
            self.log(name, metric, prog_bar=name == "val/mpjpe_mm")
        return Evaluated(hand=hand, gesture=gesture, targets=targets)

    def _loss(
        self, hand: HandPrediction, gesture: GesturePrediction | None, targets: Targets, batch: Batch, stage: str
    ) -> Tensor:
        sums = layered_objective(hand, targets)
        if "relative_translation" in hand:
            sums["relative_translation"] = relative_translation_loss(hand, targets)
        if gesture is not None:
            sums |= gesture_objective(
                gesture, counted_labels(batch, "coarse"), counted_labels(batch, "fine"), self.parents
            )
        return logged_objective(self, stage, sums, self.weights)


def build_gesture_head(
    encoder: Encoder, gesture_classes: GestureClasses, embedding_dim: int, dropout: float
) -> GestureHead:
    """The gesture head over an encoder, as the first stage builds it.

    Args:
        encoder: Whose pooled feature it reads.
        gesture_classes: ``shared`` by both hands, or ``per_hand``.
        embedding_dim: Of the gesture embedding.
        dropout: Before the classifiers.
    """
    coarse, fine = (len(class_names(level, gesture_classes)) for level in ("coarse", "fine"))
    return GestureHead(encoder.pooled_channels, coarse, fine, embedding_dim=embedding_dim, dropout=dropout)
