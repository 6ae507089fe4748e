"""The mean error of a hand's vertices under a protocol."""

from typing import Final

import torch
from torch import Tensor

from gesturehand.metrics.functional.alignment import align_eanet, align_procrustes, align_root
from gesturehand.metrics.functional.distance import distances
from gesturehand.metrics.functional.precision import at_least_float32, widest
from gesturehand.metrics.functional.protocol import MM_PER_M, PROTOCOLS, Protocol, check_choice, check_positive_int
from gesturehand.metrics.functional.shape import check_shape, check_trailing
from gesturehand.skeleton import NUM_JOINTS

#: Hands whose vertices are worked on at a time. 64 MANO hands take 0.6 MB per intermediate result, which stays in a
#: CPU's cache; larger chunks are slower there.
CHUNK_HANDS: Final = 64


def vertex_errors_mm(
    prediction_vertices: Tensor,
    target_vertices: Tensor,
    prediction_joints: Tensor,
    target_joints: Tensor,
    protocol: Protocol = "eanet",
    chunk_hands: int = CHUNK_HANDS,
) -> Tensor:
    """Mean over the vertices of the distance to the true vertex after the protocol's alignment, one hand at a time.

    ``root`` and ``eanet`` take root and scale from the joints, so that joints and vertices of a hand are aligned alike.
    ``procrustes`` registers the vertices themselves, as FreiHAND does, and does not look at the joints.
    ``eanet_published`` is ``eanet`` here: the published code counts only hands with a fit in MPVPE.

    Args:
        prediction_vertices: (..., V, 3) predicted vertices, m, the same frame as the truth.
        target_vertices: (..., V, 3) true vertices, m.
        prediction_joints: (..., 21, 3) predicted joints, regressed from the posed mesh, m.
        target_joints: (..., 21, 3) true joints, regressed from the posed mesh, m.
        protocol: The protocol.
        chunk_hands: Hands worked on at a time, which bounds the extra memory.

    Returns:
        (...) mean error in mm, float64 (float32 on a device without); of float32 vertices exact to 0.0001 mm.

    Raises:
        ValueError: A shape is wrong, the protocol has another name, or ``chunk_hands`` is not positive.

    Example:
        >>> joints, vertices = torch.rand(2, 21, 3), torch.rand(2, 778, 3)
        >>> vertex_errors_mm(vertices + 0.01, vertices, joints, joints, "root").round(decimals=2)
        tensor([17.3200, 17.3200], dtype=torch.float64)
    """
    check_choice("protocol", protocol, PROTOCOLS)
    check_positive_int("chunk_hands", chunk_hands)
    check_trailing("prediction_vertices", prediction_vertices, (None, 3))
    hands = tuple(prediction_vertices.shape[:-2])
    check_shape("target_vertices", target_vertices, tuple(prediction_vertices.shape))
    check_shape("prediction_joints", prediction_joints, (*hands, NUM_JOINTS, 3))
    check_shape("target_joints", target_joints, (*hands, NUM_JOINTS, 3))
    num_vertices = prediction_vertices.shape[-2]
    flat = [tensor.reshape(-1, num_vertices, 3) for tensor in (prediction_vertices, target_vertices)]
    flat += [tensor.reshape(-1, NUM_JOINTS, 3) for tensor in (prediction_joints, target_joints)]
    chunks = zip(*(tensor.split(chunk_hands) for tensor in flat), strict=True)
    return torch.cat([_chunk_errors_mm(protocol, *chunk) for chunk in chunks]).reshape(hands)


def _chunk_errors_mm(
    protocol: Protocol, prediction: Tensor, target: Tensor, prediction_joints: Tensor, target_joints: Tensor
) -> Tensor:
    if protocol == "procrustes":
        prediction = align_procrustes(prediction, target)
    else:
        align = align_root if protocol == "root" else align_eanet
        points = at_least_float32(prediction), at_least_float32(target)
        prediction, target = align(*points, at_least_float32(prediction_joints), at_least_float32(target_joints))
    return widest(distances(prediction, target).mean(-1)) * MM_PER_M
