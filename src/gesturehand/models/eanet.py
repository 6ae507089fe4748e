"""EANet (Park et al., ICCVW 2023): one crop of up to two hands → both hands and the way from one to the other."""

import torch
from torch import Tensor, nn

from gesturehand.batch import GesturePrediction, HandPrediction
from gesturehand.hand.layer import HandModel
from gesturehand.models.ea_block import EABlock
from gesturehand.models.eanet_head import EANetHead
from gesturehand.models.encoder import Encoder
from gesturehand.models.gesture_head import GestureHead
from gesturehand.models.hand_prediction import predicted_hands
from gesturehand.models.mano_head import ManoParameters
from gesturehand.skeleton import SIDES


class EANet(nn.Module):
    """Extract-and-Adaptation Network for two hands, after its published code.

    Where this library has a convention of its own, EANet follows it: cell centres and normalised coordinates in the
    soft-argmax, a positive camera scale, the posed skeleton's joints.

    Args:
        encoder: Shared with the first stage.
        hand_model: MANO's layer.
        gesture_head: The first stage's, whose logits the joint tokens then attend to (the author's variant); None is
            EANet as published.
        width: Of a token (EANet: 512); a hand's features have twice as many channels.
        depth: Blocks of each attention.
        heads: Attention heads.
        mlp_ratio: Width of a block's MLP over the token's.
        volume_depth: Cells of the 2.5D volume along depth.
        gesture_heads: Attention heads over the gesture logits.
    """

    def __init__(
        self,
        encoder: Encoder,
        hand_model: HandModel,
        gesture_head: GestureHead | None = None,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        volume_depth: int = 8,
        gesture_heads: int = 8,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.hand_model = hand_model
        self.gesture_head = gesture_head
        self.ea_block = EABlock(
            encoder.channels, encoder.map_size**2, width=width, depth=depth, heads=heads, mlp_ratio=mlp_ratio
        )
        logits = 0 if gesture_head is None else gesture_head.coarse.out_features + gesture_head.fine.out_features
        self.hands = nn.ModuleList(
            EANetHead(
                2 * width,
                width=width,
                depth=depth,
                heads=heads,
                mlp_ratio=mlp_ratio,
                volume_depth=volume_depth,
                gesture_logits=logits,
                gesture_heads=gesture_heads,
            )
            for _ in SIDES
        )
        self.relative_translation = nn.Sequential(nn.Linear(4 * width, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, image: Tensor, is_right: Tensor) -> tuple[HandPrediction, GesturePrediction | None]:
        """Predicts both hands of each crop, whether they are there or not.

        Args:
            image: (B, 3, S, S) uint8 RGB, S as the encoder was built for.
            is_right: (B, 2) bool, the sides as the crop shows them: right, left.

        Returns:
            The hands (H = 2, right and left) and, with a gesture head, their gesture.
        """
        encoded = self.encoder(image)
        gesture = None if self.gesture_head is None else self.gesture_head(encoded.pooled)
        features = self.ea_block(encoded.feature_map)
        joints_25d, mano = zip(*(hand(f, gesture) for hand, f in zip(self.hands, features, strict=True)), strict=True)
        both = ManoParameters(*(torch.stack(parts, 1) for parts in zip(*mano, strict=True)))
        hand = predicted_hands(torch.stack(joints_25d, 1), both, self.hand_model, is_right)
        pooled = torch.cat(features, 1).mean((-2, -1))
        hand["relative_translation"] = self.relative_translation(pooled).float()
        return hand, gesture
