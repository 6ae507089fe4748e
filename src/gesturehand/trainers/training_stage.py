"""The base of both stages: settings of encoder and optimiser, sums of losses, notes in checkpoints."""

import inspect
from abc import ABC
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import Metric

from gesturehand.batch import Batch, GesturePrediction
from gesturehand.errors import UserError
from gesturehand.gestures import GestureClasses, OwnLabels, class_names, class_parents
from gesturehand.losses import MaskedSum, counted_labels, label_cross_entropy
from gesturehand.metrics.gesture_accuracy import GestureMetrics, LabelAccuracy
from gesturehand.metrics.objective import ObjectiveMetrics, StepValue
from gesturehand.metrics.sum_metric import MetricDict
from gesturehand.models.encoder import Encoder, Freeze
from gesturehand.models.gesture_head import GestureHead, OwnLabelHead
from gesturehand.settings import check_model_settings
from gesturehand.trainers.optimisation import adamw_with_cosine, weighted_loss

#: The loops that measure; training logs each step by itself.
Measured = Literal["val", "test"]


class TrainingStage(pl.LightningModule, ABC):
    """A LightningModule around an encoder.

    A subclass declares only its own arguments, or those with another default, and passes on all others as ``**shared``;
    the command line, ``hparams`` and checkpoints know all of them.

    Args:
        backbone: A timm model name; the same in both stages.
        imagenet_weights: Start from timm's pretrained weights, which a gesture pretraining replaces.
        encoder_weights: Weights on this machine from which the backbone starts: a file (.safetensors or .pth, or a
            checkpoint, whose encoder is taken), ``mediapipe_hand``, ``openphoto``, or ``efficientnet-lite0`` to
            ``-lite2``.
        freeze_encoder: ``none``, ``all``, or the stride up to which the backbone keeps its weights.
        feature_stride: Stride of the feature map, in px of the crop.
        image_size: Side of the crops, px.
        gesture_classes: ``shared`` by both hands, or ``per_hand``; the same in both stages.
        embedding_dim: Size of the gesture embedding; the same in both stages.
        own_labels: Further labels to learn, outside the gesture vocabulary, as pairs of a label set and a label;
            ``auto`` takes those of the data (``data.own_labels``) on the command line.
        weight_own_label: Weight of their cross-entropy.
        learning_rate: Peak learning rate.
        weight_decay: AdamW's weight decay.
        warmup_share: Share of the steps that warm up.

    Attributes:
        gesture_metrics: Metrics of validation and test; empty without a gesture head.
        objective_metrics: The losses of validation and test.
        step_values: The losses of the training step.
        validated_sets: The prefix of each validated set's metrics, by its number in a batch.
        own_label_head: The classifier of ``own_labels``, if there are any.
        own_label_top1: Its accuracy in validation and test.
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
        own_labels: OwnLabels | Literal["auto"] | None = None,
        weight_own_label: float = 0.2,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.02,
        warmup_share: float = 0.1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()  # also the subclasses' arguments, whose constructors call this one
        check_model_settings(self.hparams)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup_share = warmup_share
        self.register_buffer("parents", torch.tensor(class_parents(gesture_classes)), persistent=False)
        classes = self.num_classes
        self.gesture_metrics: MetricDict[GestureMetrics] = MetricDict(
            {stage: GestureMetrics(*classes) for stage in ("val", "test")} if self.has_gesture_head else {}
        )
        self.validated_sets: dict[int, str] = {0: "val"}
        labels = self.own_labels
        self.own_label_head = OwnLabelHead(embedding_dim, labels) if labels else None
        self.own_label_top1: MetricDict[LabelAccuracy] = MetricDict(
            {stage: LabelAccuracy(len(labels)) for stage in ("val", "test") if len(labels) > 1}
        )
        self.step_values: MetricDict[StepValue] = MetricDict(
            {name: StepValue() for name in ("loss", *(f"loss_{term}" for term in self.weights))}
        )
        self.objective_metrics: MetricDict[ObjectiveMetrics] = MetricDict(
            {stage: ObjectiveMetrics(self.weights) for stage in ("val", "test")}
        )

    @classmethod
    def settings(cls) -> set[str]:
        """Names of all arguments, including those that are passed on."""
        return {parameter.name for parameter in cls._arguments()}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Defaults of all arguments that have one, by name; a subclass's come before those of what it passes on to."""
        return {p.name: p.default for p in reversed(cls._arguments()) if p.default is not p.empty}

    @classmethod
    def setting_types(cls) -> dict[str, Any]:
        """Types of all arguments, by name."""
        return {p.name: p.annotation for p in reversed(cls._arguments())}

    @classmethod
    def _arguments(cls) -> list[inspect.Parameter]:
        kinds = [kind for kind in cls.__mro__ if issubclass(kind, TrainingStage)]
        found = [parameter for kind in kinds for parameter in inspect.signature(kind).parameters.values()]
        return [parameter for parameter in found if parameter.kind != parameter.VAR_KEYWORD]

    @property
    def num_classes(self) -> tuple[int, int]:
        """Numbers of coarse and of fine classes."""
        coarse, fine = (len(class_names(level, self.hparams["gesture_classes"])) for level in ("coarse", "fine"))
        return coarse, fine

    @property
    def has_gesture_head(self) -> bool:
        """Whether the network predicts gestures."""
        return True

    @property
    def own_labels(self) -> OwnLabels:
        """The labels outside the gesture vocabulary that are learned; empty for none.

        Raises:
            UserError: They are still ``auto``, or there is no gesture embedding that they could be read from.
        """
        labels = self.hparams["own_labels"]
        if labels == "auto":
            raise UserError(
                "model.own_labels is auto, which only the command line replaces with the data's labels: give "
                "label_vocabulary() of the data module."
            )
        if labels and not self.has_gesture_head:
            raise UserError("model.own_labels needs a gesture embedding, and this network has none: leave them out.")
        return [(name, label) for name, label in labels or ()]

    @property
    def weights(self) -> dict[str, float]:
        """Weights by loss term."""
        return {"own_label": self.hparams["weight_own_label"]} if self.own_labels else {}

    def build_encoder(self) -> Encoder:
        """The image encoder according to the settings."""
        settings = self.hparams
        return Encoder(
            settings["backbone"],
            imagenet_weights=settings["imagenet_weights"],
            feature_stride=settings["feature_stride"],
            image_size=settings["image_size"],
            weights=settings["encoder_weights"],
            freeze=settings["freeze_encoder"],
        )

    def build_gesture_head(self, encoder: Encoder, dropout: float) -> GestureHead:
        """The gesture head over an encoder's pooled feature, the same in both stages."""
        embedding_dim = self.hparams["embedding_dim"]
        return GestureHead(encoder.pooled_channels, *self.num_classes, embedding_dim=embedding_dim, dropout=dropout)

    def setup(self, stage: str) -> None:
        """Checks that the labels of the data are those of the model; adds metrics of further sets to validate on.

        Raises:
            UserError: The labels differ.
        """
        vocabulary = getattr(getattr(self.trainer, "datamodule", None), "label_vocabulary", None)
        if self.own_labels and vocabulary is not None and list(vocabulary()) != self.own_labels:
            raise UserError(
                "The model's own_labels are not those of the data: set data.own_labels and model.own_labels to the "
                "same list, or both to auto for a new training."
            )
        sets = getattr(getattr(self.trainer, "datamodule", None), "validated_sets", None)
        self.validated_sets = {0: "val"} if sets is None else sets()
        for name in self.validated_sets.values():
            if name != "val":
                self.add_metrics(name)

    def own_label_losses(self, gesture: GesturePrediction, batch: Batch) -> dict[str, MaskedSum]:
        """The cross-entropy of the labels outside the gesture vocabulary, if any are learned."""
        if self.own_label_head is None:
            return {}
        labels = counted_labels(batch, "own")
        logits = self.own_label_head(gesture["gesture_embedding"], labels)
        return {"own_label": label_cross_entropy(logits, labels)}

    def measure_own_labels(self, gesture: GesturePrediction, batch: Batch, name: str) -> None:
        """Updates the accuracy of the labels outside the gesture vocabulary, if there is one of this name."""
        if self.own_label_head is not None and name in self.own_label_top1:
            labels = counted_labels(batch, "own")
            self.own_label_top1[name].update(self.own_label_head(gesture["gesture_embedding"], labels), labels)

    def measured(self, name: str) -> dict[str, Metric]:
        """The metrics of a loop, or of a set that it measures by itself, by the names under which it logs them."""
        named = self.objective_metrics[name].named(name)
        if name in self.gesture_metrics:
            named |= self.gesture_metrics[name].named(name)
        if name in self.own_label_top1:
            named[f"{name}/own_label_top1"] = self.own_label_top1[name]
        return named

    def logged_names(self) -> set[str]:
        """The names of everything that a training logs of this module, which callbacks can monitor."""
        validated = [name for name in self.objective_metrics if name != "test"]
        return {
            "train/loss",
            *(f"train/loss_{name}" for name in self.weights),
            *(logged for name in validated for logged in self.measured(name)),
        }

    def augmented(self, batch: Batch, batch_idx: int) -> Batch:
        """A training batch as the data module augments it on the device; unchanged without such a module."""
        change = getattr(getattr(self._trainer, "datamodule", None), "augmented", None)
        return batch if change is None else change(batch, self.current_epoch, batch_idx, self.global_rank)

    def training_objective(self, sums: Mapping[str, MaskedSum]) -> Tensor:
        """The loss to minimise; logs ``train/loss`` and ``train/loss_{term}`` of all processes together.

        Every process must call it in every step, even with nothing valid: sums are averaged over the processes.
        """
        loss, logged, means = weighted_loss(sums, self.weights, self.trainer.strategy.reduce)
        for name, value in {"loss": logged, **{f"loss_{name}": mean for name, mean in means.items()}}.items():
            self.step_values[name].update(value)
            self.log(f"train/{name}", self.step_values[name], on_step=True, on_epoch=False, prog_bar=name == "loss")
        return loss

    def own_rates(self) -> list[tuple[nn.Module, float]]:
        """The parts with a different learning rate, and its factor."""
        return []

    def configure_optimizers(self) -> Any:
        """AdamW, warm-up, cosine."""
        return adamw_with_cosine(
            [*self.own_rates(), (self, 1.0)],
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_share=self.warmup_share,
            total_steps=self.trainer.estimated_stepping_batches,
        )

    def add_metrics(self, name: str) -> None:
        """Adds the metrics of a further set under a name with which their logged names begin."""
        self.objective_metrics[name] = ObjectiveMetrics(self.weights).to(self.device)
        labels = len(self.own_labels)
        if labels > 1:
            self.own_label_top1[name] = LabelAccuracy(labels).to(self.device)
        if self.has_gesture_head:
            self.gesture_metrics[name] = GestureMetrics(*self.num_classes).to(self.device)

    def measured_parts(self, batch: Batch, stage: Measured) -> Iterator[tuple[str, Tensor | None]]:
        """The names of the metrics of a batch's sets, and (B,) bool, the samples that belong to each set; None for all.

        Every process must log all of them in every step, even those without a sample in the batch.
        """
        if stage != "val" or len(self.validated_sets) == 1:
            yield stage, None
            return
        for number, name in self.validated_sets.items():
            yield name, batch["set_number"] == number

    def on_validation_epoch_start(self) -> None:
        """Resets the confusion matrices; Lightning resets only metrics that are logged."""
        for name in self.validated_sets.values():
            self._reset_confusion(name)

    def on_test_epoch_start(self) -> None:
        """Resets the confusion matrices."""
        self._reset_confusion("test")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes the class, and the origin of the encoder's first weights with their licence."""
        checkpoint["model_class"] = type(self).__name__
        encoder: Any = self.encoder  # a module of the first stage, a part of the second's network
        checkpoint["encoder_weights_origin"] = encoder.origin

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the origin of the encoder's first weights."""
        encoder: Any = self.encoder
        encoder.origin = checkpoint.get("encoder_weights_origin")

    def _reset_confusion(self, name: str) -> None:
        if self.has_gesture_head:
            self.gesture_metrics[name].reset_confusion()


Part = TypeVar("Part")


def part_of(tensors: Part, rows: Tensor | None) -> Part:
    """Some samples of a batch, of its targets or of a prediction.

    Args:
        tensors: By name, each with the samples along its first axis.
        rows: (B,) bool; None for all of them.
    """
    if rows is None:
        return tensors
    named: Any = tensors
    return {name: tensor[rows] for name, tensor in named.items()}  # type: ignore[return-value]
