"""Stage 2 with the other architecture: EANet, both hands of a crop, under the same objective."""

from typing import ClassVar

from torch import Tensor

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.data.selection import Layout
from gesturehand.gestures import GestureClasses
from gesturehand.hand.layer import HandModel
from gesturehand.models.eanet import EANet
from gesturehand.models.encoder import Encoder, Freeze
from gesturehand.trainers.hand_regressor import HandRegressor, build_gesture_head
from gesturehand.trainers.model_settings import check_model_settings


class EANetRegressor(HandRegressor):
    """One crop of one or two hands → both hands' MANO parameters, meshes and joints, and the way between them.

    EANet's network (Park et al., ICCVW 2023) with this library's data, targets, losses and metrics; in single-hand
    frames the other hand is masked. Data: ``layout=two_hand``; EANet flips half of the training samples
    (``flip_probability=0.5``). Its optimiser was Adam at 1e-4 for batches of 32, a tenth of it after epochs 15 and 17;
    here it is AdamW with a cosine, as for every architecture.

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
        pretrained: A checkpoint of the first stage whose encoder (and gesture head, if there is one) training starts
            from, or None. The command line also takes ``auto`` and ``none``.
        mano: MANO's file or folder, or None for the open hand.
        tips: Fingertip vertices: ``eanet``, ``smplx`` or ``interhand``.
        gesture_attention: Joint tokens attend to the gesture logits of the first stage's gesture head (the variant of
            the paper's author); False is EANet as published, without a gesture head or loss.
        width: Of a token.
        depth: Blocks of each attention.
        heads: Attention heads.
        mlp_ratio: Of a block.
        volume_depth: Cells of the 2.5D volume along depth.
        gesture_heads: Attention heads over the gesture logits.
        weight_pose: Of the joint rotations (matrix entries).
        weight_shape: Of β.
        weight_joint_25d: Of the volume's joints (normalised coordinates; 4 is EANet's 1 per cell of 8).
        weight_joint_3d: Of the mesh's joints against the annotated ones (metres).
        weight_joint_mano: Of the mesh's joints against the fit's (metres).
        weight_joint_2d: Of the projected joints (normalised coordinates).
        weight_bone_length: Of the bone lengths (metres).
        weight_bone_direction: Of the unit bone vectors.
        weight_relative_translation: Of the way from the right wrist to the left one (metres).
        weight_gesture: Of the auxiliary gesture losses, where there is a gesture head; 0 switches them off.
        learning_rate: Peak.
        encoder_lr_factor: The encoder's and gesture head's share of the learning rate.
        weight_decay: AdamW's.
        warmup_share: Share of the steps that warm up.

    Raises:
        UserError: A backbone, MANO file or checkpoint cannot serve; the message says why.
    """

    layout: ClassVar[Layout] = "two_hand"

    def __init__(
        self,
        backbone: str = "resnet50",
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
        gesture_attention: bool = False,
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        volume_depth: int = 8,
        gesture_heads: int = 8,
        weight_pose: float = 1.0,
        weight_shape: float = 0.1,
        weight_joint_25d: float = 4.0,
        weight_joint_3d: float = 10.0,
        weight_joint_mano: float = 10.0,
        weight_joint_2d: float = 1.0,
        weight_bone_length: float = 10.0,
        weight_bone_direction: float = 1.0,
        weight_relative_translation: float = 1.0,
        weight_gesture: float = 0.1,
        learning_rate: float = 1e-4,
        encoder_lr_factor: float = 1.0,
        weight_decay: float = 0.02,
        warmup_share: float = 0.1,
    ) -> None:
        super().__init__(
            gesture_classes=gesture_classes,
            has_gesture_head=gesture_attention,
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
        head = (
            build_gesture_head(encoder, gesture_classes, embedding_dim, gesture_dropout) if gesture_attention else None
        )
        self.network = EANet(
            encoder,
            HandModel(mano, tips),
            head,
            width=width,
            depth=depth,
            heads=heads,
            mlp_ratio=mlp_ratio,
            volume_depth=volume_depth,
            gesture_heads=gesture_heads,
        )

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predicts both hands of a crop; see :class:`~gesturehand.models.eanet.EANet`."""
        return self.network(image, is_right)
