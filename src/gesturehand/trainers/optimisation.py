"""AdamW with a warm-up and a cosine, and the weighted sum of masked losses, for all trainers."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gesturehand.errors import UserError
from gesturehand.fewer_operations import constant
from gesturehand.losses import MaskedSum


def adamw_with_cosine(
    modules: Iterable[tuple[nn.Module, float]],
    *,
    learning_rate: float,
    weight_decay: float,
    warmup_share: float,
    total_steps: float,
    fused: bool | None = None,
) -> Any:
    """Optimiser and schedule as Lightning's ``configure_optimizers`` returns them.

    Biases and norms (everything with fewer than two axes) do not decay. Frozen parameters are left out.

    Args:
        modules: Modules, each with the factor on its learning rate; a parameter belongs to the first module that holds
            it.
        learning_rate: Peak learning rate, after the warm-up.
        weight_decay: AdamW's weight decay.
        warmup_share: Share of the steps over which the rate rises linearly from zero.
        total_steps: Steps after which the cosine has reached zero.
        fused: Use one kernel for all parameters; None: if they are all on a GPU.

    Raises:
        UserError: The number of steps is not finite.
    """
    if not math.isfinite(total_steps):
        raise UserError("The cosine schedule needs an end: set trainer.max_epochs or trainer.max_steps.")
    groups: list[dict[str, Any]] = []
    seen: set[int] = set()
    for module, factor in modules:
        fresh = [p for p in module.parameters() if p.requires_grad and id(p) not in seen]
        seen.update(id(p) for p in fresh)
        for decays in (True, False):
            parameters = [p for p in fresh if (p.ndim > 1) == decays]
            if parameters:
                decay = weight_decay if decays else 0.0
                groups.append({"params": parameters, "lr": learning_rate * factor, "weight_decay": decay})
    if fused is None:
        fused = all(parameter.is_cuda for group in groups for parameter in group["params"])
    optimizer = torch.optim.AdamW(groups, fused=fused or None)
    # A fused step would remove a scaler's factor from the gradients itself, after they are clipped, so Lightning
    # refuses to clip. Saying that it does not makes the scaler remove the factor first, as for every other optimiser.
    optimizer._step_supports_amp_scaling = False

    warmup = max(1, round(warmup_share * total_steps))

    def factor_at(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
        return 0.5 + 0.5 * math.cos(math.pi * progress)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor_at)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def weighted_loss(
    sums: Mapping[str, MaskedSum], weights: Mapping[str, float], mean_over_processes: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The weighted sum of the terms' means: this process's share of it, to minimise, and its value over all processes.

    Totals and counts are averaged over the processes first, in one call. A share is this process's totals over the
    averaged counts, so that the mean of all shares, whose gradient the processes follow, is the loss of all samples
    together.

    Args:
        sums: The terms of this process.
        weights: A weight for every term.
        mean_over_processes: Averages a tensor over the processes; the identity for one.

    Returns:
        The share, (), differentiable; the loss of all processes, (); and each term's mean over all processes by name.

    Example:
        >>> one = MaskedSum(torch.tensor(6.0), torch.tensor(3.0))
        >>> weighted_loss({"pose": one}, {"pose": 0.5}, lambda x: x)
        (tensor(1.), tensor(1.), {'pose': tensor(2.)})
    """
    own = torch.stack([term.total for term in sums.values()])
    both = torch.stack([part.detach() for term in sums.values() for part in term]).view(-1, 2)
    totals, counts = mean_over_processes(both).unbind(-1)
    # A term without a valid entry is zero, with a gradient of zero.
    numbers = counts.masked_fill(counts == 0, 1.0)
    factors = constant(tuple(weights[name] for name in sums), totals.device) / numbers
    means = (totals / numbers).unbind()
    return torch.dot(factors, own), torch.dot(factors, totals), dict(zip(sums, means, strict=True))
