"""The predictions common to all architectures: 2.5D joints from a volume, MANO's parameters, and the posed mesh."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from gesturehand.batch import HandPrediction
from gesturehand.camera import weak_perspective
from gesturehand.fewer_operations import units_and_lengths
from gesturehand.hand.layer import HandModel
from gesturehand.precision import full_precision
from gesturehand.skeleton import NUM_JOINTS

#: Normalised crop units per metre of a hand that fills a crop: about 1.6 units for 0.2 m.
TYPICAL_CAMERA_SCALE: Final = 8.0


def soft_argmax(volume: Tensor, centres: Tensor | None = None) -> Tensor:
    """Expected position of a softmax over a volume's cells, in normalised coordinates.

    A cell is represented by its centre, (i + 0.5) · 2 / n - 1 along an axis of n cells, so the outermost half cell
    cannot be reached; crops leave a wider margin around the hand. Computed in float32.

    Args:
        volume: (..., D, h, w) logits.
        centres: :func:`cell_centres` of the volume, if already computed.

    Returns:
        (..., 3) float32, x, y, z in -1 … 1.

    Example:
        >>> volume = torch.full((8, 8, 8), -100.0)
        >>> volume[4, 0, 7] = 100.0
        >>> soft_argmax(volume).tolist()
        [0.875, -0.875, 0.125]
    """
    centres = cell_centres(volume.shape[-3:], volume.device) if centres is None else centres
    with full_precision(volume.device):
        likely = volume.float().flatten(-3).softmax(-1)
        # As many centres as samples: a product that folds the samples into rows would copy its gradient first.
        return likely @ centres.expand(*likely.shape[:-2], -1, -1)


def cell_centres(shape: Sequence[int], device: torch.device | None = None) -> Tensor:
    """(D · h · w, 3) float32, x, y, z of the centres of a volume's cells (D, h, w): (i + 0.5) · 2 / n - 1 of n."""
    z, y, x = (torch.linspace(1 / n - 1, 1 - 1 / n, n, device=device) for n in shape)
    return torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], -1).view(-1, 3)


class JointVolumeHead(nn.Module):
    """1 × 1 convolution to a volume (B, 21, D, h, w), then soft-argmax to 2.5D joints.

    Args:
        in_channels: Channels of the feature map.
        depth: D, cells along the root-relative depth (EANet: 8).
        map_size: h = w of the usual feature map; maps of other sizes are accepted too.
    """

    centres: Tensor

    def __init__(self, in_channels: int, depth: int = 8, map_size: int = 8) -> None:
        super().__init__()
        self.depth = depth
        self.register_buffer("centres", cell_centres((depth, map_size, map_size)), persistent=False)
        self.conv = nn.Conv2d(in_channels, NUM_JOINTS * depth, 1)
        # At first a nearly flat volume puts every joint at the centre, so that all cells receive gradients.
        nn.init.normal_(self.conv.weight, std=0.01)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, feature_map: Tensor) -> Tensor:
        """Feature map (B, C, h, w) → joints (B, 21, 3) float32, normalised 2.5D coordinates."""
        volume = self.conv(feature_map).unflatten(1, (NUM_JOINTS, self.depth))
        usual = feature_map.shape[-2:].numel() * self.depth == len(self.centres)
        return soft_argmax(volume, self.centres if usual and feature_map.shape[-1] == feature_map.shape[-2] else None)


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
        first, second = six.float().unflatten(-1, (3, 2)).unbind(-1)
        # The third axis is perpendicular to both columns; the second one completes the frame.
        axes, _ = units_and_lengths(torch.stack([first, torch.linalg.cross(first, second)], -2))
        x, z = axes.unbind(-2)
        return torch.stack([x, torch.linalg.cross(z, x), z], -1)


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


def mano_parameters(six: Tensor, betas: Tensor, camera: Tensor) -> ManoParameters:
    """MANO's parameters from what a head's layers give.

    Args:
        six: (B, 16, 6), see :func:`rotation_from_6d`.
        betas: (B, 10).
        camera: (B, 3), the logarithm of the scale over that of a hand that fills a crop, and the shift.
    """
    scale, shift = camera.float().split([1, 2], -1)
    weak = torch.cat([TYPICAL_CAMERA_SCALE * scale.exp(), shift], -1)
    return ManoParameters(rotations=rotation_from_6d(six), betas=betas.float(), camera=weak)


def predicted_hands(
    joints_25d: Tensor, mano: ManoParameters, hand_model: HandModel, is_right: Tensor
) -> HandPrediction:
    """Poses the hand model; mesh and joints are relative to the wrist.

    Args:
        joints_25d: (B, H, 21, 3) normalised 2.5D coordinates.
        mano: MANO parameters of every hand, (B, H, …).
        hand_model: MANO's layer.
        is_right: (B, H) bool.
    """
    vertices, joints = hand_model.about_wrist(mano.rotations, mano.betas, is_right)
    return {
        "joints_25d": joints_25d,
        "rotations": mano.rotations,
        "betas": mano.betas,
        "camera": mano.camera,
        "vertices": vertices,
        "joints": joints,
        "joints_2d": weak_perspective(joints, mano.camera),
    }
