"""Collects Python objects from all processes."""

from typing import TypeVar

from torch import distributed

Item = TypeVar("Item")


def gather(item: Item) -> list[Item]:
    """Collects one object per process, in the order of ranks; every process must call it.

    Args:
        item: Anything that pickles.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return [item]
    items: list[Item | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(items, item)
    return items  # type: ignore[return-value]
