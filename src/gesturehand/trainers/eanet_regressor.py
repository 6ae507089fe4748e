"""Stage 2 with the other architecture, EANet, which predicts both hands of a crop under the same objective."""

from typing import Any, ClassVar

from torch import Tensor

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.data.selection import Layout
from gesturehand.models.eanet import EANet
from gesturehand.trainers.hand_regressor import HandRegressor


class EANetRegressor(HandRegressor):
    """One crop of one or two hands → both hands' MANO parameters, meshes, joints and relative translation.

    EANet's network (Park et al., ICCVW 2023) with this library's data, targets, losses and metrics; in single-hand
    frames the other hand is masked. Data: ``layout=two_hand``; EANet flips half of the training samples
    (``flip_probability=0.5``). Its optimiser was Adam at 1e-4 for batches of 32, divided by ten after epochs 15 and 17;
    here it is AdamW with a cosine, as for every architecture.

    Args:
        backbone: A timm model name; the first stage's.
        gesture_attention: Joint tokens attend to the gesture logits of the first stage's gesture head (the variant of
            the paper's author); False is EANet as published, without a gesture head or loss.
        gesture_heads: Attention heads over the gesture logits.
        weight_relative_translation: Weight of the left wrist's position relative to the right one (metres).
        learning_rate: Peak.
        **shared: Arguments of :class:`~gesturehand.trainers.hand_regressor.HandRegressor`.

    Raises:
        UserError: A backbone, MANO file or checkpoint cannot be used; the message says why.
    """

    layout: ClassVar[Layout] = "two_hand"
    network: EANet

    def __init__(
        self,
        backbone: str = "resnet50",
        gesture_attention: bool = False,
        gesture_heads: int = 8,
        weight_relative_translation: float = 1.0,
        learning_rate: float = 1e-4,
        **shared: Any,
    ) -> None:
        super().__init__(backbone=backbone, learning_rate=learning_rate, **shared)
        encoder = self.build_encoder()
        head = self.build_gesture_head(encoder, self.hparams["gesture_dropout"]) if gesture_attention else None
        self.network = EANet(encoder, self.build_hand_model(), head, gesture_heads=gesture_heads, **self.sizes)

    @property
    def has_gesture_head(self) -> bool:
        """Whether the network predicts gestures, which it does only with ``gesture_attention``."""
        return self.hparams["gesture_attention"]

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predicts both hands of a crop; see :class:`~gesturehand.models.eanet.EANet`."""
        return self.network(image, is_right)
