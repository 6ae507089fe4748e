"""Dangers of other people's configurations, and things that a machine may lack: each ends in one sentence."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from faults import fault
from trainings import REPOSITORY, exit_code

from gesturehand.cli import train
from gesturehand.cli.training.config_trust import take_trust

EXPERIMENT = REPOSITORY / "experiments" / "demo" / "pretrain.yaml"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fit(capsys, *more: str, change=lambda content: None) -> tuple[int, str]:
    """Exit code and output for a configuration that was changed."""
    content = yaml.safe_load(EXPERIMENT.read_text())
    change(content)
    Path("experiment.yaml").write_text(yaml.safe_dump(content))
    return exit_code(["fit", "--config=experiment.yaml", "--wandb=false", *more]), capsys.readouterr().err


@pytest.mark.parametrize(
    "spec",
    [
        {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "ran"]}},
        {"class_path": "os.system", "init_args": {"command": "touch ran"}},
        {"class_path": "pickle.loads"},
        {"class_path": "torch.hub.load"},
        {"class_path": "evil_module.Callback"},
    ],
    ids=lambda spec: spec["class_path"],
)
@pytest.mark.parametrize("place", ["callbacks", "logger", "model"])
def test_classes_of_other_packages_are_not_imported(capsys, monkeypatch, tmp_path, spec, place):
    (tmp_path / "evil_module.py").write_text("open('ran', 'w').close()\nclass Callback: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def change(content):
        if place == "model":
            content["model"] = spec
        else:
            content["trainer"][place] = [spec]

    code, said = fit(capsys, change=change)
    assert code == 2
    assert "not allowed" in said
    assert not Path("ran").exists()


@fault("--trust_config", "--trust_config true", "the configuration is trusted")
def test_switch_lets_them_in(tmp_path):
    """In a separate process, because trust cannot be withdrawn."""
    (tmp_path / "mine.py").write_text(
        "from pytorch_lightning import Callback\nopen('ran', 'w').close()\nclass Mine(Callback): pass\n"
    )
    words = ["fit", f"--config={EXPERIMENT}", "--trainer.callbacks+=mine.Mine", "--print_config"]
    program = (
        f"import sys; from gesturehand.cli.main import main; sys.exit(main({[*words, '--trust_config', 'true']!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "ran").exists()


def test_environment_is_not_read(capsys, monkeypatch):
    monkeypatch.setenv("SECRET", "password")
    code, said = fit(capsys, change=lambda content: content.update(name="${oc.env:SECRET}"))
    assert code == 2
    assert "oc.env" in said
    assert "password" not in said


@pytest.mark.parametrize("key", ["image_size", "batch_size", "scale_jitter", "root"])
@pytest.mark.parametrize("reference", ["${oc.eval:1}", "${oc.env:SECRET}", "${nothing.there}", "x${data.nothing}"])
def test_references_that_lead_nowhere_are_named(capsys, key, reference):
    code, said = fit(capsys, change=lambda content: content["data"].update({key: reference}))
    assert code == 2
    assert f".{key} refers to something that does not exist" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"a: [", b"- 1", b"!!python/object/apply:os.system ['touch ran']", b"\0"])
def test_files_that_are_not_configurations(capsys, raw):
    Path("broken.yaml").write_bytes(raw)
    assert exit_code(["fit", "--config=broken.yaml"]) == 2
    assert capsys.readouterr().err.strip()
    assert not Path("ran").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(capsys):
    code, said = fit(capsys, "--trainer.accelerator=gpu")
    assert code == 2
    assert "PyTorch finds no GPU here" in said
    assert not Path("runs").exists()


def test_devices_that_cannot_be(capsys, synthetic_root):
    code, said = fit(capsys, "--trainer.devices=0", f"--data.root={synthetic_root}")
    assert code == 2
    assert said.strip().splitlines()[-1].startswith("gesturehand: The trainer cannot be set up like this:")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_disk_that_cannot_be_written(capsys, monkeypatch, number):
    def full(words):
        raise OSError(number, os.strerror(number), "metrics.csv")

    monkeypatch.setattr(train, "train", full)
    code, said = fit(capsys)
    assert code == 2
    assert (
        said
        == f"gesturehand: 'metrics.csv' cannot be written ({os.strerror(number)}): make room, or write elsewhere.\n"
    )


@pytest.mark.parametrize(
    ("words", "trusted"),
    [
        pytest.param(
            words.split(), trusted, marks=fault("--trust_config", words, "trusted" if trusted else "not trusted")
        )
        for words, trusted in (
            ("--trust_config=true", True),
            ("--trust_config=True", True),
            ("--trust_config", True),
            ("--trust_config false", False),
            ("--trust_config=true --trust_config=false", False),
        )
    ],
)
def test_words_of_the_switch(words, trusted):
    assert take_trust(["fit", *words, "--name=a"]) == (trusted, ["fit", "--name=a"])
