"""What a run is logged to, and that W&B is neither imported nor asked where it is not used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytorch_lightning.loggers import CSVLogger

from gesturehand.cli.loggers import make_loggers, wandb_is_online
from gesturehand.errors import UserError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_offline_without_a_login():
    assert not wandb_is_online()


def test_online_with_a_key(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert wandb_is_online()
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not wandb_is_online()


@pytest.mark.parametrize("host", ["api.wandb.ai", "wandb.example.org"])
def test_online_with_an_entry_of_the_server_in_netrc(host, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", f"https://{host}")
    (tmp_path / ".netrc").write_text("machine api.wandb.ai\n login user\n password x\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert wandb_is_online() == (host == "api.wandb.ai")


def test_online_by_force_without_a_login_is_refused(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(UserError, match="wandb login"):
        wandb_is_online()


def test_csv_is_always_kept(tmp_path):
    for wandb in (False, True):
        for tensorboard in (False, True):
            loggers = make_loggers(tmp_path, name="a", wandb=wandb, wandb_project="p", tensorboard=tensorboard)
            names = [type(logger).__name__ for logger in loggers]
            assert isinstance(loggers[0], CSVLogger)
            assert ("WandbLogger" in names) == wandb
            assert ("TensorBoardLogger" in names) == tensorboard


def test_wandb_is_not_imported_where_it_is_not_used(tmp_path, synthetic_root):
    """A training without W&B, a test of it and other commands, in a process of their own."""
    code = f"""
import sys
from gesturehand.cli.main import main
words = ["--config={REPOSITORY}/experiments/demo/pretrain.yaml", "--data.root={synthetic_root}",
         "--model.init_args.backbone=test_resnet", "--data.image_size=64", "--data.num_workers=0",
         "--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1",
         "--trainer.enable_progress_bar=false", "--wandb=false"]
assert main(["fit", *words]) == 0
assert main(["data", "show", "--root={synthetic_root}", "--out={tmp_path}/show.png", "--samples=1"]) == 0
assert main(["hand", "info"]) == 0
print("imported:", sorted(name for name in sys.modules if name.partition(".")[0] == "wandb"))
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "imported: []" in done.stdout
