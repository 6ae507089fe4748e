"""The named evaluation protocols, the ways to average, and the joints a protocol aligns on.

A number is comparable within one protocol only, so every metric carries its protocol's name.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from gesturehand.skeleton import WRIST

#: ``root``: InterNet's, wrist subtracted. ``eanet``: IntagHand's alignment as EANet evaluates, middle-finger MCP
#: subtracted and scaled by MCP–wrist. ``procrustes``: similarity without reflection. ``eanet_published``: ``eanet``
#: with the two slips of EANet's published code, for comparison with numbers that were computed with it.
Protocol = Literal["root", "eanet", "procrustes", "eanet_published"]
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)

#: ``per_joint``: mean over samples for each joint, then over the joints that occurred (InterNet, EANet). ``all``: mean
#: over all valid joints at once (IntagHand, mmpose). ``per_sample``: mean over each hand's valid joints, then over
#: hands.
Average = Literal["per_joint", "all", "per_sample"]
AVERAGES: Final[tuple[Average, ...]] = get_args(Average)

#: How the papers that use a protocol average.
DEFAULT_AVERAGE: Final[dict[Protocol, Average]] = {
    "root": "per_joint",
    "eanet": "per_joint",
    "procrustes": "per_sample",
    "eanet_published": "per_joint",
}

#: A hand counts only if these joints are valid. Under ``eanet`` the wrist alone, as published: the middle MCP that it
#: aligns on comes from the fit's mesh, which does not depend on the annotation.
REQUIRED_JOINTS: Final[dict[Protocol, tuple[int, ...]]] = {
    "root": (WRIST,),
    "eanet": (WRIST,),
    "procrustes": (),
    "eanet_published": (WRIST,),
}

#: A similarity in space is not determined by fewer points.
MIN_PROCRUSTES_JOINTS: Final = 3

MM_PER_M: Final = 1000.0


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse a value that is not one of the choices.

    Args:
        name: The argument's name.
        value: What was given.
        choices: What may be given.

    Raises:
        ValueError: ``value`` is not among ``choices``; the sentence shows both.

    Example:
        >>> check_choice("protocol", "pa", PROTOCOLS)
        Traceback (most recent call last):
        ValueError: protocol must be one of 'root', 'eanet', 'procrustes', 'eanet_published', but got 'pa'.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, but got {value!r}.")


def check_positive_int(name: str, value: Any) -> None:
    """Refuse anything but an int of at least 1.

    Args:
        name: The argument's name.
        value: What was given.

    Raises:
        ValueError: ``value`` is not a positive int; the sentence shows it.

    Example:
        >>> check_positive_int("num_groups", 0)
        Traceback (most recent call last):
        ValueError: num_groups must be a positive integer, but got 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, but got {value!r}.")
