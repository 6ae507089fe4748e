"""Checks numbers in a user's settings; the message names the key."""

import math
from typing import Final

from gesturehand.errors import UserError

#: Side of a crop, px: a network on larger ones would ask for more memory than any machine has.
MAX_IMAGE_SIDE: Final = 4096


def check_range(
    section: str,
    low: float,
    high: float = math.inf,
    *,
    whole: bool = False,
    open_ends: str = "",
    **values: float | None,
) -> None:
    """Checks settings against a range.

    Args:
        section: Section of the configuration: ``data`` or ``model``.
        low: Smallest value.
        high: Largest value.
        whole: Whole numbers only.
        open_ends: ``low``, ``high`` or both words, for ends that are not themselves allowed.
        values: The settings by name; None is not checked.

    Raises:
        UserError: One is out of range, not finite, or not a number; the message names its key.

    Example:
        >>> check_range("data", 1, whole=True, batch_size=0)
        Traceback (most recent call last):
        ...
        gesturehand.errors.UserError: data.batch_size is 0: give a whole number from 1 upwards.
    """
    for name, value in values.items():
        if value is None:
            continue
        is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        good = is_number and math.isfinite(value) and low <= value <= high
        good = good and not ("low" in open_ends and value == low) and not ("high" in open_ends and value == high)
        if not good:
            kind = "a whole number" if whole else "a number"
            start = f"above {low:g}" if "low" in open_ends else f"from {low:g}"
            if high == math.inf:
                end = "" if "low" in open_ends else " upwards"
            else:
                end = f" to below {high:g}" if "high" in open_ends else f" to {high:g}"
            raise UserError(f"{section}.{name} is {value}: give {kind} {start}{end}.")
