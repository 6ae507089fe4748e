"""Error of projected joints as a share of the hand's size in the image, which needs no 3D truth."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gesturehand.metrics.checks import check_shape, check_trailing, widest
from gesturehand.metrics.sum_metric import SumMetric
from gesturehand.skeleton import NUM_JOINTS


class Joints2DSums(NamedTuple):
    """Sums over the hands seen, from which the error is computed.

    Attributes:
        percent: () float64, sum of the hands' errors.
        hand_count: () int64, number of hands counted.
    """

    percent: Tensor
    hand_count: Tensor

    @classmethod
    def zeros(cls) -> "Joints2DSums":
        """The sums before any hand was seen."""
        return cls(torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64))


def joints_2d_update(prediction: Tensor, target: Tensor, valid: Tensor) -> Joints2DSums:
    """The sums of one batch: mean distance of a hand's joints over the longer side of the box around them.

    The unit of the coordinates cancels out. Only valid joints count, both for the distance and for the box.

    Args:
        prediction: (..., 21, 2) predicted joints, in any unit.
        target: (..., 21, 2) annotated joints, in the same unit; invalid joints may hold anything, including NaN.
        valid: (..., 21) bool; a hand with fewer than two valid joints has no size and is not counted.

    Returns:
        The sums over all hands.

    Raises:
        ValueError: A shape is wrong.

    Example:
        A hand 200 px long, every joint 3 px to the right and 4 px too low:

        >>> target = torch.stack([torch.zeros(21), torch.linspace(0, 200, 21)], -1)
        >>> sums = joints_2d_update(target + torch.tensor([3.0, 4.0]), target, torch.ones(21, dtype=torch.bool))
        >>> round(sums.percent.item(), 4), sums.hand_count.item()
        (2.5, 1)
    """
    check_trailing("prediction", prediction, (NUM_JOINTS, 2))
    check_shape("target", target, tuple(prediction.shape))
    check_shape("valid", valid, tuple(prediction.shape[:-1]))
    true, count = widest(target), valid.sum(-1)
    infinity = torch.full_like(true, torch.inf)
    seen = valid[..., None].expand_as(true)
    low = torch.where(seen, true, infinity).amin(-2)
    high = torch.where(seen, true, -infinity).amax(-2)
    size = (high - low).amax(-1)
    counted = (count >= 2) & (size > 0)
    # Values of hands that are not counted must not turn the sum of the others into NaN.
    distance = torch.where(valid, (widest(prediction) - true).norm(dim=-1), 0.0).sum(-1)
    percent = 100 * distance / torch.where(counted, count * size, 1.0)
    return Joints2DSums(torch.where(counted, percent, 0.0).sum(), counted.sum())


def joints_2d_compute(sums: Joints2DSums) -> Tensor:
    """The error from the sums over all hands: scalar, %; NaN if nothing was counted.

    Example:
        >>> joints_2d_compute(Joints2DSums(torch.tensor(30.0), torch.tensor(4)))
        tensor(7.5000)
    """
    return sums.percent / sums.hand_count


class Joints2DError(SumMetric):
    """Mean distance of joints in the image, in percent of the longer side of the box around the annotated ones.

    It needs 2D joints only, so that photographs without 3D truth can be measured too. ``compute`` gives a float64
    scalar, NaN if nothing was counted.

    Args:
        **kwargs: Arguments of torchmetrics.Metric.

    Example:
        >>> import torch
        >>> metric = Joints2DError()
        >>> target = torch.stack([torch.zeros(21), torch.linspace(0, 200, 21)], -1)
        >>> metric.update(target + torch.tensor([3.0, 4.0]), target, torch.ones(21, dtype=torch.bool))
        >>> round(metric.compute().item(), 4)
        2.5
    """

    higher_is_better = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Joints2DSums.zeros(), **kwargs)

    def update(self, prediction: Tensor, target: Tensor, valid: Tensor) -> None:
        """Add a batch; the arguments are those of :func:`joints_2d_update`."""
        self.add_sums(joints_2d_update(prediction, target, valid))

    def compute(self) -> Tensor:
        """Scalar, %, float64; NaN if nothing was counted."""
        return joints_2d_compute(self.sums(Joints2DSums))
