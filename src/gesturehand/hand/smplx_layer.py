"""smplx's MANO layer for both hands, which is used whenever a MANO file is given.

smplx is under a non-commercial licence, as MANO's files are. Nothing that works on the open hand imports this module.
"""

import contextlib
import io
from collections.abc import Sequence

import torch
from smplx import MANOLayer
from smplx.utils import Struct
from torch import Tensor, nn

from gesturehand.hand.mano_file import ManoData, mano_dictionary
from gesturehand.skeleton import NUM_MANO_JOINTS


class SmplxLayer(nn.Module):
    """smplx's layers of the right and the left hand, each for its own rows.

    Args:
        hands: The right and the left hand, V vertices each.
    """

    def __init__(self, hands: Sequence[ManoData]) -> None:
        super().__init__()
        self.num_vertices = hands[0].num_vertices
        self.layers = nn.ModuleList(_mano_layer(hand) for hand in hands)
        for module in self.modules():
            for name, tensor in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, tensor, persistent=False)

    def forward(self, rotations: Tensor, betas: Tensor, is_right: Tensor) -> Tensor:
        """As :meth:`gesturehand.hand.skinning_layer.SkinningLayer.forward`."""
        points = rotations.new_zeros(len(rotations), NUM_MANO_JOINTS + self.num_vertices, 3)
        for layer, mask in zip(self.layers, (is_right, ~is_right), strict=True):
            rows = mask.nonzero()[:, 0]
            if len(rows) == 0:  # smplx cannot reshape an empty batch
                continue
            output = layer(betas=betas[rows], global_orient=rotations[rows, :1], hand_pose=rotations[rows, 1:])
            own = torch.cat([output.joints, output.vertices], 1)
            points = points.index_copy(0, rows, own - own[:, :1])
        return points.mT


def _mano_layer(hand: ManoData) -> MANOLayer:
    """The layer of smplx, made from arrays, so that it opens no file and needs no chumpy."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that there are only ten shape coefficients
        return MANOLayer(
            model_path="",
            is_rhand=hand.side == "right",
            data_struct=Struct(**mano_dictionary(hand)),
            use_pca=False,
            create_body_pose=False,
        )
