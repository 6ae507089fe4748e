"""Versions against made-up distributions, and libraries that are broken."""

import sys

import pytest
from made_up_packages import make_distribution
from packaging.requirements import Requirement

from gesturehand.doctor.versions import compared, extras, pairs, providers_of_cv2
from gesturehand.extras import EXTRAS


@pytest.fixture
def first(tmp_path, monkeypatch):
    """A folder that comes first on the path."""
    folder = tmp_path / "first"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


@pytest.mark.parametrize(
    ("asked", "state", "value"),
    [
        ("made-up-hands>=1.5,<2", "ok", "1.5.2 (<2,>=1.5)"),
        ("made-up-hands>=1.6", "problem", "1.5.2 (>=1.6)"),
        ("made-up-hands", "ok", "1.5.2 (any version)"),
        ("nobody-has-this>=1", "problem", "not installed (>=1)"),
    ],
)
def test_version_against_what_is_asked_for(first, asked, state, value):
    make_distribution(first, "made-up-hands", "1.5.2")
    finding = compared(Requirement(asked))
    assert (finding.state, finding.value) == (state, value)
    assert (finding.remedy == "") == (state == "ok")


def test_second_provider_of_cv2_is_a_warning(first):
    (alone,) = providers_of_cv2()
    assert alone.state == "ok"
    assert alone.value.startswith("opencv-python-headless ")
    make_distribution(first, "opencv-contrib-python", "4.9.0.80", "cv2/contrib.py")
    (both,) = providers_of_cv2()
    assert both.state == "warning"
    assert "opencv-contrib-python 4.9.0.80, opencv-python-headless" in both.value
    assert "pip uninstall -y opencv-contrib-python opencv-python-headless" in both.remedy


@pytest.mark.parametrize(("torch", "state"), [("2.99.1", "ok"), ("2.99.1+cu130", "ok"), ("2.98.0", "problem")])
def test_torchvision_names_the_torch_that_it_is_built_for(first, torch, state):
    make_distribution(first, "torchvision", "0.99.1", requires=("numpy", "torch==2.99.1"))
    make_distribution(first, "torch", torch)
    (found,) = pairs()
    assert found.state == state
    assert ("torch==2.99.1" in found.remedy) == (state == "problem")


def broken(folder, source):
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(source)
    return folder


def test_broken_torch_is_a_problem_and_the_rest_is_told(doctor, tmp_path, synthetic_root):
    before = broken(tmp_path, "raise OSError('libcudart.so.13: cannot open shared object file')")
    code, rows = doctor(f"--root={synthetic_root}", before=before)
    assert code == 1
    assert rows["versions: import torch"].state == "problem"
    assert "libcudart.so.13: cannot open shared object file" in rows["versions: import torch"].value
    assert "libcudart.so.13" in rows["devices: PyTorch"].value
    assert rows["storage: data, random reads"].state == "ok"
    assert rows["hand models: open hand"].state == "ok"


@pytest.mark.slow
def test_torch_that_crashes_is_a_problem(doctor, tmp_path):
    before = broken(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    code, rows = doctor(before=before)
    assert code == 1
    assert rows["versions: import torch"].value == "the process was ended by SIGILL"
    assert rows["devices: import torch"].value == "the process was ended by SIGILL"


@pytest.mark.slow
def test_other_version_than_its_distributions_comes_from_elsewhere(doctor, tmp_path):
    (tmp_path / "smplx").mkdir()
    (tmp_path / "smplx" / "__init__.py").write_text("__version__ = '0.0.7'")
    code, rows = doctor(before=tmp_path)
    assert code == 0
    assert rows["versions: import smplx"].state == "warning"
    assert "is version 0.0.7, and smplx is 0.1." in rows["versions: import smplx"].value


@pytest.mark.slow
def test_healthy_installation_has_no_problem(doctor, synthetic_root):
    code, rows = doctor(f"--root={synthetic_root}")
    assert code == 0
    assert rows["versions: imports"].state == "ok"
    assert rows["devices: cpu fp32"].value.startswith("works, to ")
    assert rows["devices: PyTorch's threads"].value == "1 for an operation"
    assert "network: W&B" not in rows


def test_states(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    requires = (
        "numpy",
        "made-up-runtime>=1; extra == 'predict'",
        "made-up-runtime>=3; extra == 'detect'",
        "nobody-has-this>=1; extra == 'glb'",
        "made-up-runtime>=1; extra == 'open-hand'",
    )
    make_distribution(tmp_path, "made-up-hands", "1.0", requires=requires)
    make_distribution(tmp_path, "made-up-runtime", "2.0")
    found = {row.name: row for row in extras("made-up-hands")}
    assert list(found) == list(EXTRAS)
    assert found["predict"].value == found["open-hand"].value == "installed"
    assert (found["detect"].state, found["detect"].value) == ("warning", "made-up-runtime 2.0 (>=3)")
    assert (found["glb"].state, found["glb"].value) == ("ok", "not installed (nobody-has-this)")
    assert "gesturehand[glb]" in found["glb"].remedy
    assert "meshes as GLB files" in found["glb"].remedy
    assert found["heic"].state == "warning", "a release that does not know the extra"


def test_own_extras_are_known():
    assert all("not among" not in row.value for row in extras())
