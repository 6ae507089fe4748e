"""YAML that people write: numbers as they are meant, and no text that grows without bounds when it is read."""

import re
from typing import Any, Final

import yaml

from gesturehand.errors import UserError

#: Values to which a text may expand, with every alias counting as all that it repeats. The largest experiment has
#: about a hundred.
_MOST_VALUES: Final = 100_000


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 reads ``1e-4`` and ``5e-1`` as text, since they have no point; here they are the numbers they are."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(text: str, name: str) -> Any:
    """The content of a YAML text without tags.

    Args:
        text: YAML.
        name: What it is, for messages: "The sweep file 'a.yaml'".

    Raises:
        UserError: Its aliases stand for too many values, or it is nested too deeply.
        yaml.YAMLError: It is not YAML.
    """
    check_aliases(text, name)
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise UserError(f"{name} is nested too deeply: write it with fewer levels.") from None


def check_aliases(text: str, name: str) -> None:
    """Counts the values to which a YAML text expands, without expanding it; its reader reports what is not YAML.

    Args:
        text: YAML.
        name: As for :func:`read_yaml`.

    Raises:
        UserError: Its aliases expand to too many values, or one contains itself.
    """
    if "*" not in text or "&" not in text:
        return
    try:
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return
    if _size(root, {}, set()) > _MOST_VALUES:
        raise UserError(
            f"{name} has aliases (*name) that expand to more than {_MOST_VALUES:,} values: write out what is meant."
        )


def _size(node: Any, known: dict[int, float], within: set[int]) -> float:
    """The number of values to which a node expands, remembered for shared nodes."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) in within:
        return float("inf")
    if id(node) not in known:
        within.add(id(node))
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_size(part, known, within) for part in parts)
        within.discard(id(node))
    return known[id(node)]
