"""The base of all second stages: targets, losses, metrics, the hand-over from the first stage, the optimiser."""

import copy
from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar, Protocol, TypedDict

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn
from torchmetrics import Metric

from gesturehand.batch import Batch, GesturePrediction, GestureTargets, HandPrediction, Targets, TrainingTargets
from gesturehand.data.selection import Layout
from gesturehand.errors import UserError
from gesturehand.hand.conventions import JOINT_DEFINITIONS, DefinitionName, definition_number
from gesturehand.hand.layer import HandModel
from gesturehand.losses import (
    MaskedSum,
    counted_labels,
    gesture_objective,
    gesture_targets,
    layered_objective,
    relative_translation_loss,
)
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.metrics.joints_2d import Joints2DError
from gesturehand.metrics.sum_metric import MetricDict
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.settings import ExistingPath
from gesturehand.skeleton import Tips
from gesturehand.targets import as_defined, build_targets, training_targets, with_training_targets
from gesturehand.trainers.hand_over import hand_over, start_from
from gesturehand.trainers.training_stage import Measured, TrainingStage, part_of


class HandNetwork(Protocol):
    """The interface of a second stage's network, in addition to that of ``nn.Module``."""

    @property
    def encoder(self) -> Encoder:
        """The encoder, which the first stage may have trained."""

    @property
    def gesture_head(self) -> GestureHead | None:
        """The gesture head, which the first stage may have trained; None for an architecture without one."""

    @property
    def hand_model(self) -> HandModel:
        """The hand model whose parameters are predicted."""

    def __call__(self, image: Tensor, is_right: Tensor, /) -> tuple[HandPrediction, GesturePrediction | None]:
        """Images (B, 3, S, S) uint8 and sides (B, H) bool → hands and their gesture."""


class Evaluated(TypedDict):
    """The output of a validation or test step, for callbacks that draw or save.

    Attributes:
        hand: Predicted hands.
        gesture: Predicted gestures; None for an architecture without a gesture head.
        targets: Targets of the same batch.
    """

    hand: HandPrediction
    gesture: GesturePrediction | None
    targets: Targets


class HandRegressor(TrainingStage):
    """One crop → MANO parameters, mesh and 21 joints of H hands, and their gesture.

    A subclass builds ``network``, a :class:`HandNetwork`, and names the arguments that only it has, including a
    ``weight_…`` for each further loss term.

    Args:
        gesture_dropout: Dropout before the gesture classifiers.
        pretrained: A first-stage checkpoint from whose encoder (and gesture head, if there is one) training starts, or
            None. The command line also takes ``auto``, the newest finished one with the same encoder, and ``none``.
        start_from: A trained network of the same class and layers, from which training starts as a whole: ``openphoto``
            (the weights of the package), a checkpoint, or a ``.safetensors`` of ``make photo``; the command line also
            takes the folder of a run, and ``latest``. Not together with ``pretrained``.
        mano: MANO's file or folder, or None for the open hand.
        tips: Fingertip vertices: ``eanet``, ``smplx`` or ``interhand``.
        width: Width of a token.
        depth: Attention blocks.
        heads: Attention heads.
        mlp_ratio: Width of an attention block's MLP, as a multiple of ``width``.
        volume_depth: Cells of the 2.5D volume along depth.
        weight_pose: Weight of the joint rotations (matrix entries).
        weight_shape: Weight of β.
        weight_joint_25d: Weight of the volume's joints (normalised coordinates; 4 is EANet's 1 per cell of 8).
        weight_joint_3d: Weight of the mesh's joints against the annotated ones (metres).
        weight_joint_mano: Weight of the mesh's joints against the fit's (metres).
        weight_joint_2d: Weight of the projected joints (normalised coordinates).
        weight_bone_length: Weight of the bone lengths (metres).
        weight_bone_direction: Weight of the unit bone vectors.
        weight_gesture: Weight of the auxiliary gesture losses if there is a gesture head; 0 switches them off.
        encoder_lr_factor: Factor on the learning rate of the encoder and the gesture head.
        **shared: Arguments of :class:`~gesturehand.trainers.training_stage.TrainingStage`.

    Attributes:
        layout: The data's layout: one hand per sample (H = 1), or right and left (H = 2).
        network: The network.
        hand_metrics: Metrics of validation and test.
        joints_2d_percent: Error of the projected joints in validation and test, which needs only 2D joints.
    """

    layout: ClassVar[Layout] = "per_hand"
    network: HandNetwork

    def __init__(
        self,
        gesture_dropout: float = 0.1,
        pretrained: str | None = None,
        start_from: str | None = None,
        mano: ExistingPath | None = None,
        tips: Tips = "eanet",
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        volume_depth: int = 8,
        weight_pose: float = 1.0,
        weight_shape: float = 0.1,
        weight_joint_25d: float = 4.0,
        weight_joint_3d: float = 10.0,
        weight_joint_mano: float = 10.0,
        weight_joint_2d: float = 1.0,
        weight_bone_length: float = 10.0,
        weight_bone_direction: float = 1.0,
        weight_gesture: float = 0.1,
        encoder_lr_factor: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.pretrained = pretrained
        self.start_from = start_from
        self.encoder_lr_factor = encoder_lr_factor
        #: Sizes that every network takes as arguments of these names.
        self.sizes: dict[str, Any] = {
            "width": width, "depth": depth, "heads": heads, "mlp_ratio": mlp_ratio, "volume_depth": volume_depth
        }  # fmt: skip
        two_hands = self.layout == "two_hand"
        self.hand_metrics: MetricDict[HandMetrics] = MetricDict(
            {"val": HandMetrics(two_hands=two_hands), "test": HandMetrics(detailed=True, two_hands=two_hands)}
        )

        self.joints_2d_percent: MetricDict[Joints2DError] = MetricDict(
            {stage: Joints2DError() for stage in ("val", "test")}
        )

    @property
    def weights(self) -> dict[str, float]:
        """Weights by loss term, from the ``weight_…`` arguments; the three gesture losses share one."""
        other = ("weight_decay", "weight_own_label")
        names = [name for name in self.hparams if name.startswith("weight_") and name not in other]
        weights = super().weights | {name.removeprefix("weight_"): self.hparams[name] for name in names}
        gesture = weights.pop("gesture")
        if not self.has_gesture_head:
            return weights
        return weights | {f"gesture_{term}": gesture for term in ("coarse", "fine", "hierarchy")}

    @property
    def hand_model(self) -> HandModel:
        """The hand model that the network poses."""
        return self.network.hand_model

    def build_hand_model(self) -> HandModel:
        """Builds the hand model that the settings name."""
        return HandModel(self.hparams["mano"], self.hparams["tips"])

    @property
    def encoder(self) -> Encoder:
        """The image encoder, which the first stage shares."""
        return self.network.encoder

    @abstractmethod
    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predicts the hands of crops.

        Args:
            image: (B, 3, S, S) RGB, uint8 or float in 0 … 255.
            is_right: (B, H) bool, the sides as the crop shows them.
        """

    def setup(self, stage: str) -> None:
        """Checks the data's layout; loads what training starts from (a test has its own checkpoint).

        Warns if sets define joints in a way that the hand model does not know.

        Raises:
            UserError: The data has a different number of hands per sample, or the weights that training starts from do
                not fit.
        """
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        if data is not None and getattr(data, "layout", self.layout) != self.layout:
            raise UserError(
                f"{type(self).__name__} needs data.layout={self.layout}, but the data has layout={data.layout}: set it."
            )
        self._warn_of_unknown_offsets(getattr(data, "named_definitions", lambda _: {})(stage))
        if stage == "fit" and self.pretrained is not None:
            modules: dict[str, nn.Module] = {"encoder": self.encoder}
            if self.network.gesture_head is not None:
                modules["gesture_head"] = self.network.gesture_head
            note = "" if "gesture_head" in modules else f" {type(self).__name__} has no gesture head to load as set up."
            loaded = hand_over(self.pretrained, modules)
            self.encoder.origin = loaded.encoder_weights_origin
            rank_zero_info(f"{loaded}{note}")
        if stage == "fit" and self.start_from is not None:
            self._start_from(self.start_from, data)
        if stage == "fit" and data is not None and hasattr(data, "finish_batch") and not _changes_batches(self, data):
            hand_model = copy.deepcopy(self.hand_model).cpu()
            data.finish_batch = partial(with_training_targets, hand_model=hand_model)

    def _warn_of_unknown_offsets(self, named: dict[str, DefinitionName]) -> None:
        definitions = {key: JOINT_DEFINITIONS[definition_number(name) - 1] for key, name in named.items()}
        lost = [
            f"{key}={definition.name}"
            for key, definition in definitions.items()
            if definition.lacks_offsets_on(self.hand_model.num_vertices)
        ]
        if lost:
            rank_zero_warn(
                f"{' and '.join(lost)} cannot move the joints of MANO's model, because the offsets are known for the "
                "open hand only: losses and metrics compare MANO's own joints with joints that lie millimetres beside "
                "them. Use the open hand (model.mano=null), or leave the joints of that set out (joints: false)."
            )

    def _start_from(self, weights: str, data: Any) -> None:
        # Crops of both hands are neither mirrored nor turned, whatever the settings are.
        keys = ("mirror_left", "upright") if self.layout == "per_hand" else ()
        shown = {key: getattr(data, key) for key in keys if hasattr(data, key)}
        network: Any = self.network
        content = start_from(weights, network, type(self).__name__, self.hparams, self.defaults(), shown)
        self.encoder.origin = content.get("encoder_weights_origin")
        theirs = content.get("hand_model") or {}
        other = theirs.get("fingerprint") not in (None, self.hand_model.fingerprint)
        note = f" They posed '{theirs['name']}', and now pose '{self.hand_model.name}'." if other else ""
        rank_zero_info(f"Training starts from the weights '{weights}'.{note}")

    def teardown(self, stage: str) -> None:
        """Releases the data, whose next user may be another module."""
        data = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and data is not None and hasattr(data, "finish_batch"):
            data.finish_batch = None

    def add_metrics(self, name: str) -> None:
        """Also adds the metrics of hands."""
        super().add_metrics(name)
        self.hand_metrics[name] = HandMetrics(two_hands=self.layout == "two_hand").to(self.device)
        self.joints_2d_percent[name] = Joints2DError().to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The layered objective and the auxiliary gesture losses of a batch."""
        batch = self.augmented(batch, batch_idx)
        targets = batch.get("training_targets") or training_targets(batch, self.hand_model)
        return self.training_objective(self.training_losses(batch, targets))

    def training_losses(self, batch: Batch, targets: TrainingTargets) -> dict[str, MaskedSum]:
        """All loss terms of a batch, before they are added up over the processes; this can be compiled as a whole."""
        hand, gesture = self(batch["image"], batch["is_right"])
        if targets["defined_joints"]:
            hand = as_defined(hand, batch, self.hand_model)
        return self._losses(hand, gesture, targets, batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Losses and metrics of a validation batch; returns predictions and targets."""
        return self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Losses and metrics of a test batch; returns predictions and targets."""
        return self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predictions of a batch."""
        return self(batch["image"], batch["is_right"])

    def on_test_epoch_start(self) -> None:
        """Resets all metrics; Lightning resets only those that are logged."""
        super().on_test_epoch_start()
        self.hand_metrics["test"].reset()

    def measured(self, name: str) -> dict[str, Metric]:
        """Also returns the metrics of hands and of their joints in the image."""
        named = super().measured(name) | self.hand_metrics[name].named(name)
        return named | {f"{name}/joints_2d_percent": self.joints_2d_percent[name]}

    def own_rates(self) -> list[tuple[nn.Module, float]]:
        """The learning rates of encoder and gesture head."""
        handed_over: list[nn.Module | None] = [self.network.encoder, self.network.gesture_head]
        return [(part, self.encoder_lr_factor) for part in handed_over if part is not None]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Also notes the hand model to which the parameters belong; it is never saved itself."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["hand_model"] = {"name": self.hand_model.name, "fingerprint": self.hand_model.fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks that the parameters belong to this hand model; restores the origin of the weights.

        Raises:
            UserError: The checkpoint belongs to a different hand model.
        """
        super().on_load_checkpoint(checkpoint)
        saved = checkpoint.get("hand_model")
        if saved is not None and saved["fingerprint"] != self.hand_model.fingerprint:
            raise UserError(
                f"The checkpoint was trained with the hand model '{saved['name']}', not with "
                f"'{self.hand_model.name}': give that one as --mano, or as model.mano in training."
            )

    def _evaluate(self, batch: Batch, stage: Measured) -> Evaluated:
        hand, gesture = self(batch["image"], batch["is_right"])
        hand = as_defined(hand, batch, self.hand_model)
        targets = build_targets(batch, self.hand_model)
        for name, rows in self.measured_parts(batch, stage):
            if rows is None or rows.any():
                parts = part_of(hand, rows), None if gesture is None else part_of(gesture, rows)
                self._measure(name, *parts, part_of(targets, rows), part_of(batch, rows))
            for logged, metric in self.measured(name).items():
                self.log(logged, metric, prog_bar=logged == "val/mpjpe_mm")
        return Evaluated(hand=hand, gesture=gesture, targets=targets)

    def _measure(
        self, name: str, hand: HandPrediction, gesture: GesturePrediction | None, targets: Targets, batch: Batch
    ) -> None:
        self.objective_metrics[name].update(self._losses(hand, gesture, targets, batch))
        self.hand_metrics[name].update(hand, targets, batch, self.hand_model)
        shown = targets["joint_valid_2d"] & batch["joint_valid_image"]
        self.joints_2d_percent[name].update(hand["joints_2d"], targets["joints_2d"], shown)
        if gesture is not None:
            labels = counted_labels(batch, "coarse"), counted_labels(batch, "fine")
            self.gesture_metrics[name].update(gesture, *labels)
            self.measure_own_labels(gesture, batch, name)

    def _losses(
        self,
        hand: HandPrediction,
        gesture: GesturePrediction | None,
        targets: Targets | TrainingTargets,
        batch: Batch,
    ) -> dict[str, MaskedSum]:
        sums = layered_objective(hand, targets)
        if "relative_translation" in hand:
            sums["relative_translation"] = relative_translation_loss(hand, targets)
        if gesture is not None:
            if "gestures" in targets:
                wanted: GestureTargets = targets["gestures"]  # type: ignore[typeddict-item]
            else:
                wanted = gesture_targets(counted_labels(batch, "coarse"), counted_labels(batch, "fine"))
            sums |= gesture_objective(gesture, wanted, self.parents)
            sums |= self.own_label_losses(gesture, batch)
        return sums


def _changes_batches(module: pl.LightningModule, data: pl.LightningDataModule) -> bool:
    """Whether a hook may change a batch after it left the loader, without its targets, which were made before."""
    hooks = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
    return any(is_overridden(hook, owner) for hook in hooks for owner in (module, data))
