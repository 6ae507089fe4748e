"""A worker's checks before it does a task, and the GPU that it takes."""

import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import cluster_tasks
import numpy as np
import pytest

from gesturehand.cluster.task import Terms, Unfit, _take_gpu, check_terms, do_task, version_of


def test_versions_are_those_that_are_imported():
    assert version_of("python") == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert version_of("numpy") == np.__version__
    assert version_of("no-such-package") is None


def test_a_worker_that_fits_does_its_task(tmp_path):
    (tmp_path / "proof").touch()
    terms = Terms(str(tmp_path / "proof"), (("numpy", np.__version__), ("no-such-package", None)))
    # In a separate process, because a worker takes its share of the cores and quietens Lightning.
    with ProcessPoolExecutor(1, get_context("spawn")) as worker:
        assert worker.submit(do_task, pickle.dumps((cluster_tasks.doubled, (4,))), terms).result() == 8


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (Terms(None, (("numpy", "0.1"),)), rf"has numpy {np.__version__} and this machine 0\.1"),
        (Terms(None, (("no-such-package", "2.0"),)), r"has no-such-package \(none\)"),
        (Terms("/nowhere/at/all/proof", ()), "does not see the folder '/nowhere/at/all'"),
    ],
)
def test_a_worker_that_does_not_fit_says_why(terms, message):
    with pytest.raises(Unfit, match=message):
        check_terms(terms)


@pytest.mark.parametrize(("before", "expected"), [(None, ["0", "1", "0"]), ("4,6", ["4", "6", "4"])])
def test_each_worker_of_a_machine_takes_another_gpu(monkeypatch, tmp_path, before, expected):
    """A machine with two GPUs is simulated; the locks by which workers agree are the real ones."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # restored in the end
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    torch = SimpleNamespace(cuda=SimpleNamespace(device_count=lambda: 2))
    locks = []

    def taken() -> str:
        if before is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
        locks.append(_take_gpu.__wrapped__(torch))
        return os.environ["CUDA_VISIBLE_DEVICES"]

    assert [taken() for _ in expected] == expected
    locks[1].release()  # its worker ended
    assert taken() == expected[1]
