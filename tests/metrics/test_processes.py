import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("processes.py")


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What every process found, started once for all numbers of processes."""
    folder = tmp_path_factory.mktemp("processes")
    subprocess.run([sys.executable, SCRIPT, str(folder)], check=True, timeout=240)
    return folder


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("num_samples", [1, 7, 32, 33])
def test_several_processes_give_the_result_of_one(script, folder, world_size, num_samples):
    """A process with nothing among them, and numbers that do not divide."""
    expected = script["results"](num_samples)
    for rank in range(world_size):
        found = json.loads((folder / f"{world_size}.{rank}.json").read_text())[str(num_samples)]
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-9, abs=1e-12, nan_ok=True), f"{name}, process {rank}"


def test_the_shared_out_samples_have_errors(script):
    found = script["results"](33)
    assert all(
        1 < found[f"{name} {protocol}"][0] < 100 for name in ("MPJPE", "MPVPE") for protocol in ("root", "eanet")
    )
    assert 0.1 < found["PCKAUC procrustes"][0] < 0.9
    assert found["MRRPE"][0] > 1


@pytest.mark.parametrize("batch", [1, 5, 33, 100])
def test_the_size_of_the_batches_changes_nothing(script, batch):
    expected = script["results"](33)
    for name, values in script["results"](33, batch=batch).items():
        assert values == pytest.approx(expected[name], rel=1e-12, abs=1e-12, nan_ok=True), name
