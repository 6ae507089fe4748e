"""The jobs that a batch system is given, and files that cannot be used."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import dask
import pytest

from gesturehand.cluster.machines import batch_cluster
from gesturehand.errors import UserError

EXAMPLE = Path(__file__).parents[2] / "experiments" / "slurm" / "cluster.yaml"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """SLURM's commands, which note what they are given."""
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
    assert signal.getsignal(signal.SIGINT) is interrupts  # which an import of dask-jobqueue would have changed
    try:
        script = cluster.job_script()
        cluster.sync(cluster._correct_state)
    finally:
        cluster.close()
    lines = script.splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert [line for line in lines if line.startswith("#SBATCH")] == [
        "#SBATCH -J dask-worker",
        "#SBATCH -e runs/slurm/dask-worker-%J.err",
        "#SBATCH -o runs/slurm/dask-worker-%J.out",
        "#SBATCH -n 1",
        "#SBATCH --cpus-per-task=10",
        "#SBATCH --mem=60G",  # in SLURM's units of 1024, rounded up
        "#SBATCH -t 12:00:00",
        "#SBATCH --gpus=1",
    ]
    exported = dict(setting.split("=") for line in lines if line.startswith("export ") for setting in line.split()[1:])
    assert exported.pop("OMP_NUM_THREADS") == exported.pop("MKL_NUM_THREADS") == "10"
    found = dask.config.collect(env=exported)
    with dask.config.set(found):
        assert dask.config.get("distributed.worker.daemon") is False
        assert dask.config.get("distributed.worker.profile.enabled") is False
        assert dask.config.get("distributed.admin.system-monitor.interval") == "5s"
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
        ("job: 4\njobqueue: {slurm: {cores: 4, memory: 8GB}}", r"has the key job: did you mean 'jobs'\?$"),
        (
            "jobqueue: {slurm: {cores: 4, memory: 8GB, wall-time: 1}}",
            r"slurm has no key wall_time: did you mean 'walltime'\?$",
        ),
        ("jobqueue: {pbs: {cores: 4, memory: 8GB, job-cpu: 1}}", r"pbs has no key job_cpu: "),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "missing.yaml"
    if text is not None:
        path.write_text(text)
    if "has no key" in message and not find_spec("dask_jobqueue"):
        pytest.skip("dask-jobqueue is not installed")
    with pytest.raises(UserError, match=message) as refusal:
        batch_cluster(path, None)
    assert "\n" not in str(refusal.value)


def test_a_users_file_becomes_the_script_that_it_describes(slurm):
    """The workers of a job share its cores; the file's own settings are kept together with those that are added."""
    if not find_spec("dask_jobqueue"):
        pytest.skip("dask-jobqueue is not installed")
    (slurm / "own.yaml").write_text(
        "jobqueue: {slurm: {cores: 8, processes: 4, memory: 16 GiB, queue: gpu, account: hands, job-name: pose, "
        "job-extra-directives: ['--gpus=4'], job-script-prologue: [module load cuda], "
        "worker-extra-args: [--no-reconnect]}}"
    )
    cluster = batch_cluster(slurm / "own.yaml", None)
    try:
        lines = cluster.job_script().splitlines()
    finally:
        cluster.close()
    directives = ["-J pose", "-p gpu", "-A hands", "-n 1", "--cpus-per-task=8", "--mem=16G", "--gpus=4"]
    assert [line for line in lines if line.startswith("#SBATCH")] == [
        f"#SBATCH {directive}" for directive in [*directives[:-1], "-t 00:30:00", directives[-1]]
    ]
    assert "export OMP_NUM_THREADS=2 MKL_NUM_THREADS=2" in lines
    assert "module load cuda" in lines
    assert "--nworkers 4" in lines[-1]
    assert "--no-reconnect" in lines[-1]
