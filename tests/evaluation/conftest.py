"""A network that was never trained, tested on the tiny sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import quiet_trainer

from gesturehand.callbacks.evaluation_report import TestReport
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SIZE = 64


def _run_test(root: Path, folder: Path, *, processes: int = 1, data: dict[str, Any] | None = None) -> Path:
    """Tests the network with seed 1 and keeps everything, including predictions."""
    torch.manual_seed(1)
    model = TokenFusionRegressor(
        backbone="test_resnet", feature_stride=16, image_size=SIZE, embedding_dim=32, width=32, depth=1
    )
    settings = {"image_size": SIZE, "batch_size": 5, "num_workers": 0, **(data or {})}
    trainer = quiet_trainer(
        devices=processes,
        strategy="ddp_spawn" if processes > 1 else "auto",
        callbacks=[TestReport(folder, pictures=4, save_predictions=True)],
    )
    trainer.test(model, InterHandDataModule(str(root), **settings), verbose=False)
    return folder


@pytest.fixture(scope="session")
def tested(tmp_path_factory, synthetic_root) -> Path:
    """Folder of a test on single hands, with left ones mirrored."""
    return _run_test(synthetic_root, tmp_path_factory.mktemp("tested"))


@pytest.fixture(scope="session")
def tested_pairs(tmp_path_factory, two_hand_root) -> Path:
    """Folder of a test on all hands of a set with pairs, with one hand per sample."""
    return _run_test(two_hand_root, tmp_path_factory.mktemp("tested_pairs"), data={"hands": "all"})


@pytest.fixture(scope="session")
def run_test() -> Callable[..., Path]:
    """Tests the network on a set and returns the folder."""
    return _run_test
