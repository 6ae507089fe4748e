"""The jobs that a batch system is given, and files that cannot be used."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from gesturehand.cluster.machines import batch_cluster
from gesturehand.errors import UserError

EXAMPLE = Path(__file__).parents[2] / "experiments" / "slurm" / "cluster.yaml"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands of SLURM that note what they are given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text(f'#!/bin/sh\ncat "$@" >> {tmp_path}/submitted\necho "Submitted batch job 17"\n')
    (programs / "scancel").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/cancelled\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)  # the jobs' logs
    return tmp_path


@pytest.mark.parametrize(("jobs", "number"), [(None, 8), (2, 2)])
def test_the_example_submits_jobs_of_one_task_with_all_cores_each_and_cancels_them(slurm, jobs, number):
    if not find_spec("dask_jobqueue"):
        pytest.skip("dask-jobqueue is not installed")
    interrupts = signal.getsignal(signal.SIGINT)
    cluster = batch_cluster(EXAMPLE, jobs)
    assert signal.getsignal(signal.SIGINT) is interrupts  # which importing dask-jobqueue would have changed
    try:
        script = cluster.job_script()
        cluster.sync(cluster._correct_state)
    finally:
        cluster.close()
    for line in ("#SBATCH --cpus-per-task=10", "#SBATCH -t 12:00:00", "#SBATCH --gpus=1"):
        assert line in script.splitlines()
    assert "export OMP_NUM_THREADS=10" in script
    assert "export DASK_DISTRIBUTED__WORKER__DAEMON=False" in script
    command = script.splitlines()[-1].split()
    last = {name: command[number + 1] for number, name in enumerate(command) if name.startswith("--n")}
    assert last["--nthreads"] == "1"
    assert (slurm / "submitted").read_text().count("distributed.cli.dask_worker") == number
    assert (slurm / "cancelled").read_text().split() == ["17"] * number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"missing\.yaml' cannot be read.*local"),
        ("jobqueue: [", "is not YAML"),
        ("cores: 4", "must have the key jobqueue"),
        ("jobqueue: {slurm: {}, pbs: {}}", "one of slurm, pbs"),
        ("jobqueue: {slurm: {cores: 4}}", "how many cores and how much memory"),
        ("jobqueue: {slurm: {cores: four, memory: 8GB}}", "cores must be a whole number"),
        ("jobs: 0\njobqueue: {slurm: {cores: 4, memory: 8GB}}", "jobs must be a whole number"),
        ("jobqueue: {slurm: {cores: 4, memory: 8GB, wall-time: 1}}", "could not be submitted.*wall_time"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "missing.yaml"
    if text is not None:
        path.write_text(text)
    if "wall-time" in (text or "") and not find_spec("dask_jobqueue"):
        pytest.skip("dask-jobqueue is not installed")
    with pytest.raises(UserError, match=message):
        batch_cluster(path, None)
