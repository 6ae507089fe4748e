"""Refined joint tokens → MANO's rotations, shape and a weak-perspective camera."""

from typing import Final, NamedTuple

import roma
import torch
from torch import Tensor, nn

from gesturehand.batch import NUM_BETAS
from gesturehand.skeleton import JOINT_OF_MANO_ROTATION

#: Normalised crop units per metre of a hand that fills a crop: about 1.6 units for 0.2 m.
TYPICAL_CAMERA_SCALE: Final = 8.0


def rotation_from_6d(six: Tensor) -> Tensor:
    """Continuous 6D representation (Zhou et al., CVPR 2019) → rotation matrices, in float32.

    Args:
        six: (..., 6), read as a (3, 2) matrix whose columns are orthonormalised (EANet's layout).

    Returns:
        (..., 3, 3) float32.

    Example:
        >>> rotation_from_6d(torch.tensor([2.0, 0.0, 0.0, 3.0, 0.0, 0.0])).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    with torch.autocast(six.device.type, enabled=False):
        return roma.special_gramschmidt(six.float().unflatten(-1, (3, 2)))


class ManoParameters(NamedTuple):
    """MANO's parameters of a hand, or of H hands, and its camera.

    Attributes:
        rotations: (B, 16, 3, 3) or (B, H, 16, 3, 3) float32, crop frame.
        betas: (B, 10) or (B, H, 10) float32.
        camera: (B, 3) or (B, H, 3) float32, weak perspective.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor


class ManoHead(nn.Module):
    """Each finger joint's rotation from its own token; root, shape and camera from all tokens and the pooled feature.

    Args:
        width: Of a joint token.
        pooled_channels: Of the encoder's pooled feature.
    """

    def __init__(self, width: int, pooled_channels: int) -> None:
        super().__init__()
        self.pooled = nn.Linear(pooled_channels, width)
        self.joint_rotation = nn.Linear(width, 6)
        self.global_rotation = nn.Linear(2 * width, 6)
        self.shape = nn.Linear(2 * width, NUM_BETAS)
        self.camera = nn.Linear(2 * width, 3)
        for layer in (self.joint_rotation, self.global_rotation, self.shape, self.camera):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        identity = torch.eye(3)[:, :2].flatten()
        for layer in (self.joint_rotation, self.global_rotation):
            layer.bias.data.copy_(identity)

    def forward(self, joint_tokens: Tensor, pooled: Tensor) -> ManoParameters:
        """Joint tokens (B, 21, width) and the pooled feature (B, C') → :class:`ManoParameters`."""
        whole = torch.cat([joint_tokens.mean(1), self.pooled(pooled)], -1)
        fingers = self.joint_rotation(joint_tokens[:, list(JOINT_OF_MANO_ROTATION[1:])])
        six = torch.cat([self.global_rotation(whole)[:, None], fingers], 1)
        scale, shift = self.camera(whole).float().split([1, 2], -1)
        return ManoParameters(
            rotations=rotation_from_6d(six),
            betas=self.shape(whole).float(),
            camera=torch.cat([TYPICAL_CAMERA_SCALE * scale.exp(), shift], -1),
        )
