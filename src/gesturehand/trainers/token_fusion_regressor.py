"""Stage 2: gesture-guided joint tokens to MANO, under the layered objective."""

from typing import Any, TypedDict

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor, nn

from gesturehand.batch import Batch, GesturePrediction, HandPrediction, Targets
from gesturehand.errors import UserError
from gesturehand.gestures import GestureClasses, class_names, class_parents
from gesturehand.hand.layer import HandModel
from gesturehand.losses import counted_labels, gesture_objective, layered_objective
from gesturehand.metrics.gesture_accuracy import GestureMetrics
from gesturehand.metrics.hand_metrics import HandMetrics
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.token_fusion import Fusion
from gesturehand.models.token_fusion_network import TokenFusionNetwork
from gesturehand.models.tokens import GestureLevels
from gesturehand.targets import build_targets
from gesturehand.trainers.hand_over import hand_over
from gesturehand.trainers.objective import logged_objective
from gesturehand.trainers.optimisation import adamw_with_cosine


class Evaluated(TypedDict):
    """What a test step returns, for callbacks that draw or save.

    Attributes:
        hand: Predicted hands.
        gesture: Predicted gestures.
        targets: Of the same batch.
    """

    hand: HandPrediction
    gesture: GesturePrediction
    targets: Targets


class TokenFusionRegressor(pl.LightningModule):
    """One crop of a hand → gesture, MANO parameters, mesh and 21 joints (the paper's second stage).

    Args:
        backbone: A timm model name; the first stage's.
        imagenet_weights: Start from timm's pretrained weights (a gesture pretraining replaces them).
        feature_stride: Of the feature map, px of the crop.
        image_size: Side of the crops, px.
        gesture_classes: ``shared`` by both hands, or ``per_hand``; the first stage's.
        embedding_dim: Of the gesture embedding; the first stage's.
        gesture_dropout: Before the gesture classifiers.
        pretrained: A checkpoint of the first stage whose encoder and gesture head training starts from, or None. The
            command line also takes ``auto``, the newest finished one of the same encoder, and ``none``.
        mano: MANO's file or folder, or None for the open hand.
        tips: Fingertip vertices: ``eanet``, ``smplx`` or ``interhand``.
        fusion: How gesture tokens guide the joint tokens.
        gesture_levels: Which class levels become tokens.
        width: Of a token.
        depth: Fusion blocks.
        heads: Attention heads.
        mlp_ratio: Of a fusion block.
        dropout: In the fusion blocks.
        volume_depth: Cells of the 2.5D volume along depth.
        weight_pose: Of the joint rotations (matrix entries).
        weight_shape: Of β.
        weight_joint_25d: Of the volume's joints (normalised coordinates; 4 is EANet's 1 per cell of 8).
        weight_joint_3d: Of the mesh's joints against the annotated ones (metres).
        weight_joint_mano: Of the mesh's joints against the fit's (metres).
        weight_joint_2d: Of the projected joints (normalised coordinates).
        weight_bone_length: Of the bone lengths (metres).
        weight_bone_direction: Of the unit bone vectors.
        weight_gesture: Of the auxiliary gesture losses; 0 switches them off.
        learning_rate: Peak.
        encoder_lr_factor: The encoder's and gesture head's share of the learning rate.
        weight_decay: AdamW's.
        warmup_share: Share of the steps that warm up.

    Raises:
        UserError: A backbone, MANO file or checkpoint cannot serve; the message says why.
    """

    parents: Tensor

    def __init__(
        self,
        backbone: str = "hrnet_w32",
        imagenet_weights: bool = False,
        feature_stride: int = 32,
        image_size: int = 256,
        gesture_classes: GestureClasses = "shared",
        embedding_dim: int = 512,
        gesture_dropout: float = 0.1,
        pretrained: str | None = None,
        mano: str | None = None,
        tips: str = "eanet",
        fusion: Fusion = "concat",
        gesture_levels: GestureLevels = "both",
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
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
        learning_rate: float = 1e-3,
        encoder_lr_factor: float = 1.0,
        weight_decay: float = 0.02,
        warmup_share: float = 0.1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        names = {level: class_names(level, gesture_classes) for level in ("coarse", "fine")}
        self.hand_model = HandModel(mano, tips)
        encoder = Encoder(
            backbone, imagenet_weights=imagenet_weights, feature_stride=feature_stride, image_size=image_size
        )
        gesture_head = GestureHead(
            encoder.pooled_channels,
            len(names["coarse"]),
            len(names["fine"]),
            embedding_dim=embedding_dim,
            dropout=gesture_dropout,
        )
        self.network = TokenFusionNetwork(
            encoder,
            gesture_head,
            self.hand_model,
            fusion=fusion,
            gesture_levels=gesture_levels,
            width=width,
            depth=depth,
            heads=heads,
            mlp_ratio=mlp_ratio,
            dropout=dropout,
            volume_depth=volume_depth,
        )
        self.weights = {
            "pose": weight_pose,
            "shape": weight_shape,
            "joint_25d": weight_joint_25d,
            "joint_3d": weight_joint_3d,
            "joint_mano": weight_joint_mano,
            "joint_2d": weight_joint_2d,
            "bone_length": weight_bone_length,
            "bone_direction": weight_bone_direction,
            "gesture_coarse": weight_gesture,
            "gesture_fine": weight_gesture,
            "gesture_hierarchy": weight_gesture,
        }
        self.register_buffer("parents", torch.tensor(class_parents(gesture_classes)), persistent=False)
        self.pretrained = pretrained
        self.learning_rate = learning_rate
        self.encoder_lr_factor = encoder_lr_factor
        self.weight_decay = weight_decay
        self.warmup_share = warmup_share
        self.hand_metrics = nn.ModuleDict({"val": HandMetrics(), "test": HandMetrics(detailed=True)})
        self.gesture_metrics = nn.ModuleDict(
            {stage: GestureMetrics(len(names["coarse"]), len(names["fine"])) for stage in ("val", "test")}
        )

    def setup(self, stage: str) -> None:
        """Loads the gesture pretraining before training; a test has its own checkpoint."""
        if stage == "fit" and self.pretrained is not None:
            modules = {"encoder": self.network.encoder, "gesture_head": self.network.gesture_head}
            rank_zero_info(str(hand_over(self.pretrained, modules)))

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction]:
        """Predicts one hand a crop; see :class:`~gesturehand.models.token_fusion_network.TokenFusionNetwork`."""
        return self.network(image, is_right)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The layered objective and the auxiliary gesture losses of a batch."""
        hand, gesture = self(batch["image"], batch["is_right"])
        return self._loss(hand, gesture, build_targets(batch, self.hand_model), batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses and metrics of a validation batch."""
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> Evaluated:
        """Losses and metrics of a test batch; returns predictions and targets."""
        return self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[HandPrediction, GesturePrediction]:
        """Predictions of a batch."""
        return self(batch["image"], batch["is_right"])

    def on_validation_epoch_start(self) -> None:
        """Empties the confusion matrices."""
        self.gesture_metrics["val"].reset_confusion()  # type: ignore[operator]

    def on_test_epoch_start(self) -> None:
        """Empties everything that was counted; what is not logged is not emptied by itself."""
        self.hand_metrics["test"].reset()  # type: ignore[operator]
        self.gesture_metrics["test"].reset_confusion()  # type: ignore[operator]

    def configure_optimizers(self) -> Any:
        """AdamW, warm-up, cosine; encoder and gesture head at their share of the rate."""
        return adamw_with_cosine(
            [
                (self.network.encoder, self.encoder_lr_factor),
                (self.network.gesture_head, self.encoder_lr_factor),
                (self, 1.0),
            ],
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_share=self.warmup_share,
            total_steps=self.trainer.estimated_stepping_batches,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Notes which hand model the parameters belong to; the model itself is never saved."""
        checkpoint["hand_model"] = {"name": self.hand_model.name, "fingerprint": self.hand_model.fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks that the hand model is the one the parameters belong to.

        Raises:
            UserError: It is another one.
        """
        saved = checkpoint.get("hand_model")
        if saved is not None and saved["fingerprint"] != self.hand_model.fingerprint:
            raise UserError(
                f"The checkpoint was trained with the hand model '{saved['name']}', not with "
                f"'{self.hand_model.name}': pass that one as model.mano."
            )

    def _evaluate(self, batch: Batch, stage: str) -> Evaluated:
        hand, gesture = self(batch["image"], batch["is_right"])
        targets = build_targets(batch, self.hand_model)
        self._loss(hand, gesture, targets, batch, stage)
        hand_metrics = self.hand_metrics[stage]
        hand_metrics.update(hand, targets, batch, self.hand_model)  # type: ignore[operator]
        gesture_metrics = self.gesture_metrics[stage]
        gesture_metrics.update(gesture, counted_labels(batch, "coarse"), counted_labels(batch, "fine"))  # type: ignore[operator]
        named = {**hand_metrics.named(stage), **gesture_metrics.named(stage)}  # type: ignore[operator]
        for name, metric in named.items():
            self.log(name, metric, prog_bar=name == "val/mpjpe_mm")
        return Evaluated(hand=hand, gesture=gesture, targets=targets)

    def _loss(
        self, hand: HandPrediction, gesture: GesturePrediction, targets: Targets, batch: Batch, stage: str
    ) -> Tensor:
        sums = layered_objective(hand, targets)
        sums |= gesture_objective(gesture, counted_labels(batch, "coarse"), counted_labels(batch, "fine"), self.parents)
        return logged_objective(self, stage, sums, self.weights)
