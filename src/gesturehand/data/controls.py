"""Fewer MANO fits, for experiments on how many are needed."""

import numpy as np

from gesturehand.data.index import InterHandIndex
from gesturehand.data.selection import Selection
from gesturehand.errors import UserError


def kept_fits(index: InterHandIndex, share: float, seed: int) -> np.ndarray:
    """(F,) bool, the captured frames that keep their MANO fits: a random share of those that have any.

    A smaller share's frames are among a larger one's of the same seed.

    Args:
        index: The split.
        share: Between 0 and 1; at least one frame keeps its fits.
        seed: Of the choice.
    """
    fitted = np.flatnonzero(index.mano_valid.any(-1))
    chosen = np.random.default_rng((seed, 1)).permutation(fitted)[: max(1, round(share * len(fitted)))]
    kept = np.zeros(len(index.mano_valid), bool)
    kept[chosen] = True
    return kept


def fitted_samples(index: InterHandIndex, selection: Selection, kept: np.ndarray | None) -> Selection:
    """The samples that show a hand with a MANO fit.

    Args:
        index: The split.
        selection: Its samples.
        kept: (F,) bool, the captured frames that keep their fits, or None for all.

    Raises:
        UserError: There is none.
    """
    frame, hand = index.frame[selection.row], selection.hand.astype(np.int64)
    present = (index.hand_type[selection.row][:, None] & np.array([1, 2])[hand]) > 0
    fitted = (index.mano_valid[frame[:, None], hand] & present).any(-1)
    if kept is not None:
        fitted &= kept[frame]
    if not fitted.any():
        raise UserError(
            f"No sample of '{index.root}', split '{index.split}', has a MANO fit: set data.fitted_only to false."
        )
    return Selection(selection.row[fitted], selection.hand[fitted])
