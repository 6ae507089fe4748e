"""Stage 2: gesture-guided joint tokens to MANO, under the layered objective."""

from torch import Tensor

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.gestures import GestureClasses
from gesturehand.hand.layer import HandModel
from gesturehand.models.encoder import Encoder, Freeze
from gesturehand.models.token_fusion import Fusion
from gesturehand.models.token_fusion_network import TokenFusionNetwork
from gesturehand.models.tokens import GestureLevels
from gesturehand.trainers.hand_regressor import HandRegressor, build_gesture_head
from gesturehand.trainers.model_settings import check_model_settings


class TokenFusionRegressor(HandRegressor):
    """One crop of a hand → gesture, MANO parameters, mesh and 21 joints (the paper's second stage).

    Args:
        backbone: A timm model name; the first stage's.
        imagenet_weights: Start from timm's pretrained weights (a gesture pretraining replaces them).
        encoder_weights: Weights on this machine that the backbone starts from: a file (.safetensors or .pth; a
            checkpoint's encoder too), ``mediapipe_hand``, ``openphoto``, or ``efficientnet-lite0`` to ``-lite2``.
        freeze_encoder: ``none``, ``all``, or the stride up to which the backbone keeps its weights.
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
        super().__init__(
            gesture_classes=gesture_classes,
            has_gesture_head=True,
            pretrained=pretrained,
            learning_rate=learning_rate,
            encoder_lr_factor=encoder_lr_factor,
            weight_decay=weight_decay,
            warmup_share=warmup_share,
        )
        self.save_hyperparameters()
        check_model_settings(self.hparams)
        encoder = Encoder(
            backbone,
            imagenet_weights=imagenet_weights,
            feature_stride=feature_stride,
            image_size=image_size,
            weights=encoder_weights,
            freeze=freeze_encoder,
        )
        self.network = TokenFusionNetwork(
            encoder,
            build_gesture_head(encoder, gesture_classes, embedding_dim, gesture_dropout),
            HandModel(mano, tips),
            fusion=fusion,
            gesture_levels=gesture_levels,
            width=width,
            depth=depth,
            heads=heads,
            mlp_ratio=mlp_ratio,
            dropout=dropout,
            volume_depth=volume_depth,
        )

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction]:
        """Predicts one hand a crop; see :class:`~gesturehand.models.token_fusion_network.TokenFusionNetwork`."""
        return self.network(image, is_right)
