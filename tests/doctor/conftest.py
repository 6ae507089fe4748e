"""A process of its own in which the command runs, with other packages in front of the installed ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gesturehand
from gesturehand.doctor.finding import Finding

SOURCE = Path(gesturehand.__file__).parents[1]
_PROGRAM = """
import sys
from gesturehand.cli.main import main
try:
    code = main(sys.argv[1:])
finally:
    heavy = {"torch", "pytorch_lightning", "wandb"} & sys.modules.keys()
    assert not heavy, heavy
sys.exit(code)
"""


@pytest.fixture
def doctor(tmp_path):
    """Runs the command; exit code and findings by name."""

    def run(*words: str, before: Path | None = None, **variables: str) -> tuple[int, dict[str, Finding]]:
        path = os.pathsep.join([*([str(before)] if before else []), str(SOURCE)])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, "doctor", "--json", "--network=false", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith("{"), done.stderr[-2000:]
        content = json.loads(done.stdout)
        rows = {f"{row.pop('subject')}: {row['name']}": Finding(**row) for row in content["findings"]}
        worst = max((row.state for row in rows.values()), key=("ok", "warning", "problem").index)
        assert content["state"] == worst
        return done.returncode, rows

    return run
