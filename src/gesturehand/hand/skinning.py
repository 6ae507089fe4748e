"""Linear blend skinning in NumPy, float64: poses one hand model without PyTorch or smplx.

The synthetic set is written with it, and tests compare the layer on the device with it.
"""

import numpy as np

from gesturehand.hand.mano_file import FloatArray, ManoData
from gesturehand.skeleton import MANO_PARENTS, NUM_MANO_JOINTS


def skin(data: ManoData, rotations: FloatArray, betas: FloatArray, transl: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shapes, poses and moves a hand model (Romero et al., *Embodied Hands*, 2017, equations 1-6, as smplx does it).

    Args:
        data: the hand model, V vertices.
        rotations: (N, 16, 3, 3) rotation of each joint relative to its parent, root first; the mean pose included.
        betas: (N, 10) shape.
        transl: (N, 3) translation in metres, added last: the root joint ends at J₀(β) + transl.

    Returns:
        Vertices (N, V, 3) and the 16 joints (N, 16, 3), metres.
    """
    count, num_vertices = len(rotations), data.num_vertices
    vertices = data.v_template + (betas @ data.shapedirs.reshape(-1, betas.shape[1]).T).reshape(count, num_vertices, 3)
    rest = np.einsum("jv,nvc->njc", data.J_regressor, vertices, optimize=True)
    if data.has_posedirs:
        features = (rotations[:, 1:] - np.eye(3)).reshape(count, -1)
        vertices = vertices + (features @ data.posedirs.reshape(-1, features.shape[1]).T).reshape(vertices.shape)

    turned = np.empty_like(rotations)
    joints = np.empty_like(rest)
    for joint, parent in enumerate(MANO_PARENTS):
        if parent < 0:
            turned[:, joint], joints[:, joint] = rotations[:, joint], rest[:, joint]
        else:
            turned[:, joint] = turned[:, parent] @ rotations[:, joint]
            bone = (rest[:, joint] - rest[:, parent])[:, :, None]
            joints[:, joint] = joints[:, parent] + (turned[:, parent] @ bone)[:, :, 0]
    offsets = joints - (turned @ rest[..., None])[..., 0]
    transforms = np.concatenate([turned, offsets[..., None]], axis=-1).reshape(count, NUM_MANO_JOINTS, 12)
    blended = (data.weights @ transforms).reshape(count, num_vertices, 3, 4)
    posed = (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]
    return posed + transl[:, None], joints + transl[:, None]
