"""Suggests what a user may have meant by an unknown word, or by a path that does not exist."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: Words less alike than this, by difflib's ratio, are not suggested for each other.
_LEAST_ALIKE: Final = 0.6


def nearest(word: str, known: Iterable[str], least: float = _LEAST_ALIKE) -> str | None:
    """The known word most like a word, or None.

    Case, and hyphens for underscores, do not matter. Words that begin with the word come before those that are only
    like it.

    Args:
        word: The word.
        known: The words that are known.
        least: Least similarity of the two, from 0 to 1.

    Example:
        >>> nearest("Max-epoch", ["min_epochs", "max_epochs"])
        'max_epochs'
    """
    wanted = _plain(word)
    spelled: dict[str, str] = {}
    for each in known:
        spelled.setdefault(_plain(each), each)
    if not wanted:
        return None
    if wanted in spelled:
        return spelled[wanted]
    longer = sorted((each for each in spelled if each.startswith(wanted)), key=len)
    close = difflib.get_close_matches(wanted, spelled, n=1, cutoff=least)
    if longer and len(wanted) >= 3 and not close:
        return spelled[longer[0]]
    return spelled[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The end of a sentence about a wrong word: ``did you mean 'cross'?``.

    Args:
        word: The word.
        known: The words that are known.
        otherwise: The end if none of them is near.
    """
    found = nearest(word, known)
    return f"did you mean '{found}'?" if found else otherwise


def nearest_path(path: str | Path) -> Path | None:
    """The existing path most like one that does not exist; None if none is near.

    Each folder or file on the way may be misspelled.

    Args:
        path: The path as somebody wrote it.
    """
    path = Path(path)
    place = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        step = place / part
        try:
            if part != ".." and not step.exists():
                names = [entry.name for entry in place.iterdir() if not entry.name.startswith(".")]
                found = nearest(part, names) or nearest(part, {Path(name).stem: name for name in names})
                if found is None:
                    return None
                step = place / next(name for name in names if found in (name, Path(name).stem))
        except (OSError, ValueError):  # no folder, or no name that a path can have
            return None
        place = step
    return place if place != path else None


def did_you_mean_path(path: str | Path, otherwise: str) -> str:
    """The end of a sentence about a path that does not exist: ``did you mean 'data/openhand'?``.

    Args:
        path: The path as somebody wrote it.
        otherwise: The end if no path is near.
    """
    found = nearest_path(path)
    return f"did you mean '{found}'?" if found is not None else otherwise


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_")
