"""Data that tests of several packages share: tiny synthetic sets through the real writer, and the real sample."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gesturehand.synthetic.writer import write_synthetic_set

#: Gestures of the tiny sets: far apart from each other, from four coarse classes.
TINY_GESTURES = ("open_spread", "fist", "index_point", "a_okay")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Indices of folders that are not for writing are kept here and not in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GESTUREHAND_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny set: 64, 16 and 24 captured frames of 2, 1 and 1 subjects, two cameras each, four gestures, both hands.

    A tenth of the frames has no MANO fit and some invalid joints. Do not write into it.
    """
    root = tmp_path_factory.mktemp("synthetic") / "set"
    write_synthetic_set(
        root,
        subjects=(2, 1, 1),
        frames=(64, 16, 24),
        views=2,
        gestures=TINY_GESTURES,
        without_fit_share=0.1,
        processes=1,
        progress=False,
    )
    return root


@pytest.fixture(scope="session")
def two_hand_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny set of 24, 8 and 12 captured frames, of which half show both hands and an eighth is range of motion."""
    root = tmp_path_factory.mktemp("two_hand") / "set"
    write_synthetic_set(
        root,
        subjects=(2, 1, 1),
        frames=(24, 8, 12),
        gestures=TINY_GESTURES,
        two_hand_share=0.5,
        rom_share=0.125,
        without_fit_share=0.1,
        seed=1,
        processes=1,
        progress=False,
    )
    return root


@pytest.fixture(scope="session")
def real_sample() -> Path:
    """InterHand2.6M's four real frames, which lie beside the repository and not in it."""
    root = Path(__file__).parents[2] / "shared" / "data" / "interhand2.6m_sample"
    if not (root / "annotations").is_dir():
        pytest.skip(f"the real sample of InterHand2.6M is not at {root}")
    return root
