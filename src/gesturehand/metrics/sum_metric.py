"""The base of all metrics of this package, which keep sums and nothing else, and a typed dictionary of metrics."""

import re
from collections.abc import Callable, ItemsView, Iterator, ValuesView
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import Module, ModuleDict
from torchmetrics import Metric

from gesturehand.metrics.checks import supports_float64

Sums = TypeVar("Sums", bound=NamedTuple)
M = TypeVar("M", bound=Module)


class SumMetric(Metric):
    """A metric whose state is a named tuple of sums, added up over batches and processes.

    Sums are float64 and counts int64, so that several processes give the same result as one, up to float64's rounding;
    they keep these dtypes when the module that they belong to is cast (a trainer in ``bf16-true`` casts all of it). On
    a device without float64 (MPS) the float64 sums stay on the CPU: each batch is summed in float32 on the device, and
    the batches in float64 on the CPU.

    Args:
        zeros: The sums before any update.
        settings: Every setting on which the sums depend.
        **kwargs: Arguments of torchmetrics.Metric.
    """

    full_state_update = False
    is_differentiable = False

    def __init__(self, zeros: NamedTuple, *settings: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sums_type = type(zeros)
        # A MetricCollection merges metrics whose states have the same names and are close after the first batch. A
        # first batch without a valid entry would merge two protocols for ever, so the names of their states differ.
        suffix = re.sub(r"\W", "_", "_".join(map(str, settings)))
        self._state_names = {field: f"{field}_{suffix}" if suffix else field for field in zeros._fields}
        for field, tensor in zeros._asdict().items():
            self.add_state(self._state_names[field], tensor, dist_reduce_fx="sum")

    def add_sums(self, sums: NamedTuple) -> None:
        """Add a batch's sums to the state."""
        for field, value in sums._asdict().items():
            name = self._state_names[field]
            state = getattr(self, name)
            setattr(self, name, state + value.to(state))

    def sums(self, kind: type[Sums]) -> Sums:
        """The state as its named tuple: this process's, or that of all processes within :meth:`synchronized`."""
        return cast(Sums, self._sums_type(*(getattr(self, name) for name in self._state_names.values())))

    @contextmanager
    def synchronized(self) -> Iterator[None]:
        """A context in which the sums are those of all processes, for results other than ``compute``'s."""
        to_sync = not self._is_synced
        with self.sync_context(dist_sync_fn=self.dist_sync_fn, should_sync=to_sync, should_unsync=to_sync):
            yield

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Module:
        if self._dtype_convert:  # set_dtype, which asks for another dtype by name
            return super()._apply(fn, *args, **kwargs)

        def move(tensor: Tensor) -> Tensor:
            device = fn(torch.zeros(0, device=tensor.device)).device
            if tensor.dtype == torch.float64 and not supports_float64(device):
                return tensor.cpu()
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, *args, **kwargs)


class MetricDict(ModuleDict, Generic[M]):
    """Modules of one type by name, typed for the reader; the names in ``state_dict`` are those of ``ModuleDict``."""

    def __getitem__(self, key: str) -> M:
        return cast(M, super().__getitem__(key))

    def items(self) -> ItemsView[str, M]:
        """Names and modules."""
        return cast("ItemsView[str, M]", super().items())

    def values(self) -> ValuesView[M]:
        """The modules."""
        return cast("ValuesView[M]", super().values())
