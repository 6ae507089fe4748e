"""The loggers of a run, and that W&B is neither imported nor asked if it is not used."""

import os
import socket
import subprocess
import sys
import warnings

import pytest
from faults import fault, faults
from pytorch_lightning.loggers import CSVLogger, WandbLogger
from trainings import REPOSITORY, SHORT, experiment

from gesturehand.cli.training.loggers import make_loggers, wandb_is_online
from gesturehand.errors import UserError


@pytest.fixture(autouse=True)
def own_folder(logged_out, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))


def test_offline_without_a_login():
    assert not wandb_is_online()


@pytest.fixture
def wandb_server(server, monkeypatch):
    """Starts a server that answers with a code, and gives its address as W&B's."""

    def start(code: int) -> str:
        url = server(code)
        monkeypatch.setenv("WANDB_BASE_URL", url)
        return url

    return start


UNREACHABLE = [
    ("nobody listens", "http://127.0.0.1:9"),
    ("the name is unknown", "https://wandb.invalid"),
    ("the address is none", "not an address"),
    ("the port is none", "http://127.0.0.1:port"),
    ("the server is out of order", 503),
    ("the server never answers", None),
]


@pytest.mark.parametrize("url", faults("W&B unreachable", "logged offline, and one sentence says so", UNREACHABLE))
@pytest.mark.parametrize("mode", [None, "online"])
def test_unreachable_is_offline(monkeypatch, wandb_server, url, mode):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = wandb_server(url) if isinstance(url, int) else url or f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("WANDB_BASE_URL", url)
        with pytest.warns(UserWarning, match=f"W&B's server {url} does not answer, so this run is logged offline"):
            assert not wandb_is_online()


class Failing:
    """Fails as W&B's run does when its process was killed."""

    id = name = "a"

    def __getattr__(self, name):
        raise ConnectionResetError("Connection lost")


@fault("W&B unreachable", "W&B's process dies during training", "the training continues, and one sentence says so")
def test_wandb_that_dies_is_left_alone(tmp_path, monkeypatch):
    logger = make_loggers(tmp_path, name="a", wandb=True, wandb_project="p", tensorboard=False)[1]
    logger._experiment = Failing()
    with pytest.warns(UserWarning, match="W&B has failed .*, so it logs nothing more of this run"):
        logger.log_metrics({"a": 1.0}, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        logger.log_metrics({"a": 1.0}, 2)
        logger.log_hyperparams({"a": 1})
        logger.finalize("success")


def test_online_with_a_key(monkeypatch, wandb_server):
    wandb_server(404)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert wandb_is_online()
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not wandb_is_online()


@pytest.mark.parametrize("host", ["127.0.0.1", "other.example"])
def test_online_with_an_entry_of_the_server_in_netrc(host, tmp_path, wandb_server):
    wandb_server(200)
    (tmp_path / ".netrc").write_text(f"machine {host}\n login user\n password x\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert wandb_is_online() == (host == "127.0.0.1")


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
            assert any(isinstance(logger, WandbLogger) for logger in loggers) == wandb
            assert ("TensorBoardLogger" in names) == tensorboard


def test_wandb_is_not_imported_if_it_is_not_used(tmp_path, synthetic_root):
    """A training without W&B, a test of it and other commands, in a separate process."""
    code = f"""
import sys
from gesturehand.cli.main import main
assert main({["fit", experiment("demo/pretrain"), f"--data.root={synthetic_root}", *SHORT]!r}) == 0
assert main(["data", "show", "--root={synthetic_root}", "--out={tmp_path}/show.png", "--samples=1"]) == 0
assert main(["hand", "info"]) == 0
print("imported:", sorted(name for name in sys.modules if name.partition(".")[0] == "wandb"))
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "imported: []" in done.stdout
