"""The wheel carries its package data: it works where the repository is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

CHECK = """
from pathlib import Path
import numpy as np
import gesturehand
from gesturehand.cli.main import main
from gesturehand.gestures import vocabulary
from gesturehand.detection import HandDetector
from gesturehand.hand.load import open_hand
from gesturehand.synthetic.articulation import gesture_poses

assert Path(gesturehand.__file__).is_relative_to(Path.cwd()), gesturehand.__file__
assert open_hand("left").num_vertices == open_hand("right").num_vertices > 778
assert len(gesture_poses()) == len(vocabulary().fine) == 35
assert HandDetector()(np.zeros((64, 64, 3), np.uint8)) == []
raise SystemExit(main(["hand", "info"]))
"""


@pytest.mark.slow
def test_wheel_installed_elsewhere_has_its_data(tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    ignored = shutil.ignore_patterns(".*", "runs", "data", "build", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY, source, ignore=ignored, dirs_exist_ok=True)
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info"), dirs_exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path / "wheels", source], check=True)
    (wheel,) = (tmp_path / "wheels").glob("gesturehand-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    result = subprocess.run(
        [sys.executable, "-c", CHECK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "open hand" in result.stdout
