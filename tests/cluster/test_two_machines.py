"""Two workers with a scheduler of their own, as on two machines; workers and clients are killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cluster_tasks
import pytest

from gesturehand.cluster import Cluster, Task
from gesturehand.errors import UserError

pytestmark = pytest.mark.slow
ENVIRONMENT = {
    **os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
}  # fmt: skip


class Machines:
    """A scheduler and its workers, each with its own group of processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        found = folder / "scheduler.json"
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(found), "--no-dashboard")
        self.wait(found.is_file)
        self.address = json.loads(found.read_text())["address"]
        self.workers = [self.worker(), self.worker()]

    def start(self, kind: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stderr=log, env=ENVIRONMENT, cwd=self.folder, start_new_session=True)
        self.running.append(process)
        return process

    def worker(self, *words: str) -> subprocess.Popen[bytes]:
        return self.start("worker", self.address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *words)

    def client(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, *command], env=ENVIRONMENT, start_new_session=True)
        self.running.append(process)
        return process

    def wait(self, until: Callable[[], object]) -> None:
        while not until():
            assert self.running[-1].poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)


@pytest.fixture
def machines(tmp_path):
    folder = tmp_path / "machines"
    folder.mkdir()
    machines = Machines(folder)
    yield machines
    for process in machines.running:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """A machine that loses its power."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


DRAW = """
import sys
from gesturehand.synthetic.writer import write_synthetic_set

if __name__ == "__main__":
    out, address, frames = sys.argv[1:]
    write_synthetic_set(out, subjects=(2, 1, 1), frames=(int(frames), 8, 8), two_hand_share=0.2, cluster=address)
"""


def test_a_set_has_the_same_bytes_after_kills_of_a_worker_and_of_its_client(machines, tmp_path):
    frames = os.environ.get("CLUSTER_FRAMES", "192")
    chunks = (tmp_path / "far" / ".set.progress").glob
    draw = lambda: machines.client("-c", DRAW, str(tmp_path / "far" / "set"), machines.address, frames)  # noqa: E731
    client = draw()
    machines.wait(lambda: len(list(chunks("chunk*.json"))) >= 2)
    kill(machines.workers[0])
    machines.wait(lambda: len(list(chunks("chunk*.json"))) >= 4)
    kill(client)
    machines.worker()
    before = len(list(chunks("chunk*.json")))
    client = draw()
    machines.wait(lambda: len(list(chunks("chunk*.json"))) >= before + 2)
    client.send_signal(signal.SIGINT)
    assert client.wait() != 0
    assert draw().wait() == 0
    assert machines.client("-c", DRAW, str(tmp_path / "near" / "set"), "local", frames).wait() == 0
    assert contents(tmp_path / "far" / "set") == contents(tmp_path / "near" / "set")
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["set"]


def results(out: Path) -> dict[str, dict]:
    """What each training found, without how long it took."""
    found = {path.parent.name: json.loads(path.read_text()) for path in out.glob("jobs/*/result.json")}
    return {
        name: {key: value for key, value in result.items() if key != "images_per_s"} for name, result in found.items()
    }


def test_a_comparison_has_the_same_results_after_kills_of_a_worker_and_of_its_client(machines, tmp_path, two_hand_root):
    program = str(Path(__file__).parents[1] / "support" / "small_comparison.py")
    near, far = tmp_path / "near", tmp_path / "far"
    compare = lambda: machines.client(program, str(two_hand_root), str(far), machines.address)  # noqa: E731
    client = compare()
    machines.wait(lambda: results(far))
    kill(machines.workers[0])
    machines.wait(lambda: len(results(far)) >= 2)
    client.send_signal(signal.SIGINT)
    assert client.wait() != 0
    done = len(results(far))
    assert 2 <= done < 5
    machines.worker()
    client = compare()
    machines.wait(lambda: len(results(far)) > done)
    kill(client)
    assert compare().wait() == 0
    assert machines.client(program, str(two_hand_root), str(near), "local").wait() == 0
    assert len(results(near)) == 5
    assert results(far) == results(near)
    assert [path.name for path in far.glob("jobs/.*")] == []


def test_workers_that_cannot_do_the_work_are_named(machines, tmp_path, monkeypatch):
    task = Task("task", cluster_tasks.doubled, (4,))
    with Cluster(machines.address, folder=tmp_path) as cluster:
        assert [value for _, value in cluster.stream([task], progress=False)] == [8]
    for worker in machines.workers:
        kill(worker)
    machines.start("worker", machines.address, "--nthreads", "2", "--no-dashboard")
    with Cluster(machines.address) as cluster, pytest.raises(UserError, match=r"2 tasks at a time.*--nthreads 1"):
        cluster.run([task], progress=False)
    with Cluster(machines.address) as cluster:
        kill(machines.running[-1])
        machines.worker()
        monkeypatch.setattr("gesturehand.cluster.client.version_of", lambda name: "0.1")
        monkeypatch.setattr("gesturehand.cluster.client._PACKAGES", ("numpy",))
        with pytest.raises(UserError, match=r"The worker on .* has numpy .* and this machine 0\.1"):
            cluster.run([task], progress=False)
