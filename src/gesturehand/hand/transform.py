"""Rigid changes of MANO's parameters: a hand seen from another frame, and a hand in the mirror, without its mesh."""

import torch
from torch import Tensor


def change_frame(
    rotations: Tensor, transl: Tensor, rest_root: Tensor, rotation: Tensor, translation: Tensor
) -> tuple[Tensor, Tensor]:
    """Parameters of the hand whose mesh is X' = R X + T, for instance from world to camera.

    MANO turns a hand about its root joint J₀(β) and not about the origin, so the translation becomes
    t' = R (J₀ + t) + T − J₀. J₀ must be that of these betas: the mean shape's is off by millimetres.

    Args:
        rotations: (..., 16, 3, 3) joint rotations, root first.
        transl: (..., 3) translation t, metres.
        rest_root: (..., 3) J₀(β) at rest, metres (``HandModel.rest_root``).
        rotation: (..., 3, 3) R.
        translation: (..., 3) T, metres. With a camera at ``campos`` in the world it is −R·campos.

    Returns:
        Rotations (..., 16, 3, 3), of which only the root's changes, and translation (..., 3).
    """
    root = rotation @ rotations[..., 0, :, :]
    fingers = rotations[..., 1:, :, :].expand(*root.shape[:-2], -1, -1, -1)
    moved = (rotation @ (rest_root + transl)[..., None])[..., 0] + translation - rest_root
    return torch.cat([root[..., None, :, :], fingers], dim=-3), moved


def mirror_x(rotations: Tensor, transl: Tensor) -> tuple[Tensor, Tensor]:
    """Parameters of the other hand whose mesh is the mirror image in x; betas stay as they are.

    In matrices R' = M R M with M = diag(−1, 1, 1), in axis-angle (a, b, c) → (a, −b, −c); no fingers are swapped.

    Args:
        rotations: (..., 16, 3, 3) joint rotations.
        transl: (..., 3) translation, metres.

    Returns:
        Mirrored rotations (..., 16, 3, 3) and translation (..., 3).
    """
    signs = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations * signs[:, None] * signs, transl * signs.to(transl)
