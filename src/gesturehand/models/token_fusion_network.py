"""The second stage's network: encoder, gesture head, 2.5D head, token fusion, MANO."""

from torch import Tensor, nn

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.hand.layer import HandModel
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.hand_prediction import predicted_hands
from gesturehand.models.joint_volume import JointVolumeHead
from gesturehand.models.mano_head import ManoHead, ManoParameters
from gesturehand.models.token_fusion import Fusion, TokenFusion
from gesturehand.models.tokens import GestureLevels, GestureTokens, JointTokens


class TokenFusionNetwork(nn.Module):
    """One RGB crop of a hand → gesture, 2.5D joints, MANO, mesh and 21 joints.

    Args:
        encoder: Shared with the first stage.
        gesture_head: Likewise.
        hand_model: MANO's layer.
        fusion: How gesture tokens guide the joint tokens.
        gesture_levels: Which class levels become tokens.
        width: Of a token.
        depth: Fusion blocks.
        heads: Attention heads.
        mlp_ratio: Of a fusion block.
        dropout: In the fusion blocks.
        volume_depth: Cells of the 2.5D volume along depth.
    """

    def __init__(
        self,
        encoder: Encoder,
        gesture_head: GestureHead,
        hand_model: HandModel,
        *,
        fusion: Fusion = "concat",
        gesture_levels: GestureLevels = "both",
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        volume_depth: int = 8,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.gesture_head = gesture_head
        self.hand_model = hand_model
        self.joint_volume = JointVolumeHead(encoder.channels, volume_depth)
        self.joint_tokens = JointTokens(encoder.channels, width)
        self.gesture_tokens = (
            None
            if fusion == "none"
            else GestureTokens(
                gesture_head.coarse.out_features,
                gesture_head.fine.out_features,
                gesture_head.embedding_dim,
                width,
                gesture_levels,
            )
        )
        self.token_fusion = TokenFusion(
            fusion, width=width, depth=depth, heads=heads, mlp_ratio=mlp_ratio, dropout=dropout
        )
        self.mano_head = ManoHead(width, encoder.pooled_channels)

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction]:
        """Predicts one hand a crop.

        Args:
            image: (B, 3, S, S) uint8 RGB.
            is_right: (B, 1) bool, the side of the hand as the crop shows it.

        Returns:
            The hand (H = 1) and its gesture.
        """
        features = self.encoder(image)
        gesture = self.gesture_head(features.pooled)
        joints_25d = self.joint_volume(features.feature_map)
        tokens = self.joint_tokens(features.feature_map, joints_25d)
        guidance = None if self.gesture_tokens is None else self.gesture_tokens(gesture)
        mano = self.mano_head(self.token_fusion(tokens, guidance), features.pooled)
        one = ManoParameters(*(parameter[:, None] for parameter in mano))
        hand = predicted_hands(joints_25d[:, None], one, self.hand_model, is_right)
        return hand, gesture
