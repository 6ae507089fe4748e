"""A ``ModuleDict`` that knows what its modules are."""

from collections.abc import ItemsView, ValuesView
from typing import Generic, TypeVar, cast

from torch.nn import Module, ModuleDict

M = TypeVar("M", bound=Module)


class MetricDict(ModuleDict, Generic[M]):
    """Modules of one type by name, typed for those who read it; the names in ``state_dict`` are ``ModuleDict``'s."""

    def __getitem__(self, key: str) -> M:
        return cast(M, super().__getitem__(key))

    def items(self) -> ItemsView[str, M]:
        """Names and modules."""
        return cast("ItemsView[str, M]", super().items())

    def values(self) -> ValuesView[M]:
        """The modules."""
        return cast("ValuesView[M]", super().values())
