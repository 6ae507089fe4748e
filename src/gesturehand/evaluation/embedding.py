"""A view of the gesture embedding in few dimensions."""

import torch
from torch import Tensor


def principal_components(embedding: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Projects points onto the directions along which they spread most.

    The sign of a direction is chosen so that its entry of largest size is positive: the same points give the same map.

    Args:
        embedding: (N, E) float.
        number: D directions, at most min(N, E).

    Returns:
        The points (N, D), centred, and each direction's share of the variance (D,).

    Example:
        >>> points, shares = principal_components(torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]), 1)
        >>> points.flatten().tolist(), shares.tolist()
        ([-2.0, 0.0, 2.0], [1.0])
    """
    centred = embedding.double() - embedding.double().mean(0)
    _, sizes, directions = torch.linalg.svd(centred, full_matrices=False)
    directions = directions[:number]
    largest = directions.abs().argmax(1, keepdim=True)
    directions = directions * directions.gather(1, largest).sign()
    variance = sizes.square()
    return (centred @ directions.T).float(), (variance[:number] / variance.sum().clamp_min(1e-12)).float()
