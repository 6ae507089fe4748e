"""Folders of published sets, and what the loader reads from them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from published_sets import write_dexycb, write_freihand, write_ho3d

from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz


@pytest.fixture(scope="session")
def freihand(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return write_freihand(tmp_path_factory.mktemp("freihand") / "FreiHAND_pub_v2")


@pytest.fixture(scope="session", params=[2, 3])
def ho3d(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("ho3d") / f"HO3D_v{request.param}"
    root.mkdir()
    made = write_ho3d(root, request.param)
    made.version = request.param
    return made


@pytest.fixture(scope="session")
def hands_with_components(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Both open hands with different principal components, and the folder of their files."""
    folder, rng = tmp_path_factory.mktemp("components"), np.random.default_rng(6)
    models = {}
    for side in ("right", "left"):
        turned, _ = np.linalg.qr(rng.normal(size=(45, 45)))
        models[side] = replace(open_hand(side), hands_components=turned * rng.uniform(0.2, 1.5, (45, 1)))  # type: ignore[arg-type]
        write_npz(models[side], folder / f"MANO_{side.upper()}.npz")
    return SimpleNamespace(folder=folder, models=models)


@pytest.fixture(scope="session")
def dexycb(tmp_path_factory: pytest.TempPathFactory, hands_with_components: SimpleNamespace) -> SimpleNamespace:
    return write_dexycb(tmp_path_factory.mktemp("dexycb") / "dex-ycb", hands_with_components.models)


@pytest.fixture(scope="session")
def writers() -> SimpleNamespace:
    """The writers themselves, for folders that a test damages."""
    return SimpleNamespace(freihand=write_freihand, ho3d=write_ho3d, dexycb=write_dexycb)


@pytest.fixture(scope="session")
def read_back() -> Callable[..., SimpleNamespace]:
    """A split through the loader and the targets, in the crops' frames; crops are not turned."""
    import torch

    from gesturehand.data.datamodule import InterHandDataModule
    from gesturehand.hand.layer import HandModel
    from gesturehand.targets import build_targets

    def read(root: Path, split: str, *, mano: Path | None = None, **settings: Any) -> SimpleNamespace:
        module = InterHandDataModule(
            str(root),
            image_size=48,
            num_workers=0,
            augment=False,
            test_split=split,
            **{"mirror_left": False} | settings,
        )
        dataset = module.dataset("test")
        batch = dataset.__getitems__(list(range(len(dataset))))
        model = HandModel(mano)
        targets = build_targets(batch, model)
        return SimpleNamespace(batch=batch, targets=targets, dataset=dataset, model=model, torch=torch)

    return read
