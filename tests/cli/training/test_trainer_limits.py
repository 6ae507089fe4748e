"""A checkpoint that watches what is not logged is refused before the first step."""

from pathlib import Path

import pytest

from gesturehand.cli.main import main

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("monitor", "named"),
    [
        ("val/gesture_fine_tp1", "did you mean 'val/gesture_fine_top1'?"),
        ("val/mpjpe_mm", "which GesturePretrainer does not log"),
        ("gesture_fine_top1", "did you mean 'val/gesture_fine_top1'?"),
    ],
)
def test_unknown_monitor(tmp_path, monkeypatch, synthetic_root, capsys, monitor, named):
    monkeypatch.chdir(tmp_path)
    words = [
        f"--config={REPOSITORY / 'experiments' / 'demo' / 'pretrain.yaml'}",
        f"--data.root={synthetic_root}",
        "--model.init_args.backbone=test_resnet",
        "--data.image_size=32",
        "--data.num_workers=0",
        "--trainer.enable_progress_bar=false",
        "--wandb=false",
        f"--checkpoint.monitor={monitor}",
    ]
    assert main(["fit", *words]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"gesturehand: checkpoint.monitor is '{monitor}'")
    assert named in said
    assert len(said) <= 300
    assert not list(Path("runs").rglob("*.ckpt"))
