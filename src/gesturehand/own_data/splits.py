"""Which image is in which split."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from gesturehand.errors import UserError
from gesturehand.own_data.entries import HandEntry


def choose_splits(
    groups: Mapping[str, list[HandEntry]], val_share: float, test_share: float, seed: int
) -> dict[str, str]:
    """By what the entries say, else at random; of a named subject all images are in one split.

    Args:
        groups: The hands of each image.
        val_share: Of the images or subjects that nothing is said of.
        test_share: Likewise.
        seed: Of the random order.

    Returns:
        The split of each image.

    Raises:
        UserError: A share is negative, or nothing is left to train on.
    """
    if min(val_share, test_share) < 0 or val_share + test_share >= 1:
        raise UserError("val_share and test_share must not be negative and leave something to train on.")
    chosen = {name: next((e.split for e in hands if e.split), None) for name, hands in groups.items()}
    units: dict[str, list[str]] = defaultdict(list)
    for name, hands in groups.items():
        if chosen[name] is None:
            units[f"subject {hands[0].subject}" if hands[0].subject is not None else f"image {name}"].append(name)
    order = np.random.default_rng(seed).permutation(len(units))
    bounds = {
        split: max(1, round(share * len(units))) if share and len(units) > 2 else 0
        for split, share in (("val", val_share), ("test", test_share))
    }
    for place, names in zip(order.tolist(), units.values(), strict=True):
        split = "val" if place < bounds["val"] else "test" if place < sum(bounds.values()) else "train"
        chosen.update(dict.fromkeys(names, split))
    return {name: str(split) for name, split in chosen.items()}
