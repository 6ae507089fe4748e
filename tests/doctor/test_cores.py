"""Limits of control groups, in a made-up root, and thread variables."""

import os

import pytest

from gesturehand.doctor.cores import core_quota, cores, memory_limit

GIB = 2**30


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "quota", "memory"),
    [
        ({}, None, None),
        ({"proc/self/cgroup": "0::/\n"}, None, None),
        (  # version 2, a container
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/cpu.max": "150000 100000\n",
                "sys/fs/cgroup/memory.max": f"{GIB}",
            },
            1.5,
            GIB,
        ),
        (  # version 2: the group above is stricter
            {
                "proc/self/cgroup": "0::/job/step\n",
                "sys/fs/cgroup/job/cpu.max": "200000 100000",
                "sys/fs/cgroup/job/step/cpu.max": "max 100000",
                "sys/fs/cgroup/job/step/memory.max": "max",
            },
            2.0,
            None,
        ),
        (  # version 1
            {
                "proc/self/cgroup": "5:memory:/job\n4:cpu,cpuacct:/job\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{2 * GIB}",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            3.0,
            2 * GIB,
        ),
    ],
)
def test_limits(tmp_path, files, quota, memory):
    write(tmp_path, files)
    assert core_quota(tmp_path) == quota
    assert memory_limit(tmp_path) == memory


@pytest.mark.parametrize(("said", "state"), [("1", "ok"), ("100000", "warning"), ("many", "warning"), ("0", "warning")])
def test_thread_variable(monkeypatch, said, state):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert {row.name: row for row in cores()}["OMP_NUM_THREADS"].state == state


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_cores_of_this_process(monkeypatch):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        found = {row.name: row for row in cores()}["cores"]
    finally:
        os.sched_setaffinity(0, before)
    assert found.value == f"1 for this process, {os.cpu_count()} in the machine"
