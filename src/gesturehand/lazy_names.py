"""Short names of a package for definitions in its modules, which are imported on first use."""

import importlib
from collections.abc import Callable, Collection, Mapping
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str], subpackages: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions that a package needs as its ``__getattr__`` and ``__dir__``.

    Args:
        package: Its name.
        homes: The module that defines each name, relative to the package.
        subpackages: Subpackages and modules that are attributes, too, without being imported by name.

    Example:
        >>> get, names = lazy_names("gesturehand", {"UserError": "errors"}, ["camera"])
        >>> get("UserError").__module__
        'gesturehand.errors'
        >>> names()
        ['UserError', 'camera']
    """

    def get(name: str) -> Any:
        if name in subpackages:
            return importlib.import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted([*homes, *subpackages])

    return get, names
