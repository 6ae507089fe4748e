"""Stage 2: gesture-guided joint tokens to MANO, under the layered objective."""

from typing import Any

from torch import Tensor

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.models.token_fusion import Fusion, GestureLevels, TokenFusionNetwork
from gesturehand.trainers.hand_regressor import HandRegressor


class TokenFusionRegressor(HandRegressor):
    """One crop of a hand → gesture, MANO parameters, mesh and 21 joints (the paper's second stage).

    Args:
        backbone: A timm model name; the first stage's.
        fusion: How gesture tokens guide the joint tokens.
        gesture_levels: Which class levels become tokens.
        dropout: Dropout in the fusion blocks.
        **shared: Arguments of :class:`~gesturehand.trainers.hand_regressor.HandRegressor`.

    Raises:
        UserError: A backbone, MANO file or checkpoint cannot be used; the message says why.
    """

    network: TokenFusionNetwork

    def __init__(
        self,
        backbone: str = "hrnet_w32",
        fusion: Fusion = "concat",
        gesture_levels: GestureLevels = "both",
        dropout: float = 0.0,
        **shared: Any,
    ) -> None:
        super().__init__(backbone=backbone, **shared)
        encoder = self.build_encoder()
        self.network = TokenFusionNetwork(
            encoder,
            self.build_gesture_head(encoder, self.hparams["gesture_dropout"]),
            self.build_hand_model(),
            fusion=fusion,
            gesture_levels=gesture_levels,
            dropout=dropout,
            **self.sizes,
        )

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction]:
        """Predicts one hand per crop; see :class:`~gesturehand.models.token_fusion.TokenFusionNetwork`."""
        return self.network(image, is_right)
