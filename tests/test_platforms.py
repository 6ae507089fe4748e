"""Nothing that only one system has is used without asking which system it is: a type checker reads it for each."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def missing_on(platform: str, source: Path, cache: Path) -> list[str]:
    """What mypy says that the standard library lacks on a system; what it says of other types is not asked for."""
    options = ["--config-file=", "--follow-imports=skip", "--ignore-missing-imports", f"--cache-dir={cache}"]
    words = [sys.executable, "-m", "mypy", f"--platform={platform}", *options, str(source)]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert "Found" in done.stdout or "Success" in done.stdout, done.stderr
    return [line for line in done.stdout.splitlines() if "Module has no attribute" in line]


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_the_package_uses_what_the_system_has(platform, tmp_path):
    assert missing_on(platform, REPOSITORY / "src" / "gesturehand", tmp_path) == []


@pytest.mark.slow
def test_the_check_sees_what_is_missing(tmp_path):
    (tmp_path / "a.py").write_text("import os, signal\nos.killpg(1, signal.SIGTERM)\nsignal.sigwaitinfo({1})\n")
    assert len(missing_on("win32", tmp_path / "a.py", tmp_path)) == 2
    assert len(missing_on("darwin", tmp_path / "a.py", tmp_path)) == 1
