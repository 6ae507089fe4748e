"""Every extra of setup.cfg is described, and what is missing is named together with the extra that brings it."""

import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from refusals import refused

from gesturehand.cli.main import main
from gesturehand.extras import EXTRAS, install

REPOSITORY = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(REPOSITORY / "scripts" / "extras_table.py"))
PACKAGES = SCRIPT["packages_of_extras"]()
#: Used only by notebooks, scripts and benchmarks; no module of the package imports what they install.
BESIDE_THE_PACKAGE = {"notebooks", "docs", "open-hand", "benchmark", "dev"}


def test_every_extra_has_a_line():
    assert sorted(EXTRAS) == sorted(PACKAGES)


@pytest.mark.parametrize("extra", sorted(set(PACKAGES) - BESIDE_THE_PACKAGE))
def test_a_message_of_the_package_names_each_extra(extra):
    named = rf"install\(['\"]{extra}['\"]\)"
    sources = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    assert any(re.search(named, text) for text in sources)


def test_no_message_spells_an_extra_by_hand():
    for path in (REPOSITORY / "src").rglob("*.py"):
        if path.name != "extras.py":
            assert "pip install 'gesturehand[" not in path.read_text(encoding="utf-8"), path


def detect() -> None:
    from gesturehand.detection.graph import OnnxGraph

    OnnxGraph("mediapipe_palm")


def tensorboard() -> None:
    from gesturehand.cli.training.loggers import make_loggers

    make_loggers(Path("run"), name="a", wandb=False, wandb_project="a", tensorboard=True)


@pytest.mark.parametrize(
    ("extra", "package", "use"), [("detect", "onnxruntime", detect), ("tensorboard", "tensorboard", tensorboard)]
)
def test_missing_packages_are_named_with_their_extra(extra, package, use, monkeypatch, tmp_path):
    assert package in PACKAGES[extra]
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    if package == "tensorboard":
        import pytorch_lightning.loggers.tensorboard as lightning

        def missing(*words, **settings):
            raise ModuleNotFoundError("No module named 'tensorboard'")

        monkeypatch.setattr(lightning.TensorBoardLogger, "__init__", missing)
    with refused(install(extra)):
        use()


def test_a_sweep_without_optuna_names_its_extra(monkeypatch, capsys):
    for name in ["optuna", *(name for name in sys.modules if name.startswith("optuna."))]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("gesturehand.sweeps.")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["sweep", "--file", "sweeps/demo_finetune", "--local", "true"]) == 2
    assert install("sweeps") in capsys.readouterr().err


def test_the_table_of_the_documentation_is_that_of_the_script(tmp_path, monkeypatch):
    page = REPOSITORY / "docs" / "install.md"
    shutil.copyfile(page, tmp_path / "install.md")
    monkeypatch.setattr(sys, "argv", ["extras_table.py", str(tmp_path / "install.md")])
    SCRIPT["main"]()
    written = (tmp_path / "install.md").read_text(encoding="utf-8")
    assert written.replace(str(tmp_path / "install.md"), "docs/install.md") == page.read_text(encoding="utf-8")
