"""Two workers with a separate scheduler, as on two machines, which are killed in the middle, as is the client."""

import json
import os
import signal
import sys
from pathlib import Path
from threading import Thread

import cluster_tasks
import dask_processes
import pytest
from dask_processes import client, kill, started, until

from gesturehand.cluster import Cluster, Task
from gesturehand.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(tmp_path):
    with dask_processes.machines(tmp_path / "machines") as machines:
        yield machines


def python(*words):
    """A program that is a cluster's client."""
    return started(sys.executable, *words)


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
    draw = lambda: python("-c", DRAW, str(tmp_path / "far" / "set"), machines.address, frames)  # noqa: E731
    running = draw()
    until(lambda: len(list(chunks("chunk*.json"))) >= 2, running)
    kill(machines.workers[0])
    until(lambda: len(list(chunks("chunk*.json"))) >= 4, running)
    kill(running)
    machines.worker()
    before = len(list(chunks("chunk*.json")))
    running = draw()
    until(lambda: len(list(chunks("chunk*.json"))) >= before + 2, running)
    running.send_signal(signal.SIGINT)
    assert running.wait() != 0
    assert draw().wait() == 0
    assert python("-c", DRAW, str(tmp_path / "near" / "set"), "local", frames).wait() == 0
    assert contents(tmp_path / "far" / "set") == contents(tmp_path / "near" / "set")
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["set"]


def results(out: Path) -> dict[str, dict]:
    """The result of each training, without its duration."""
    found = {path.parent.name: json.loads(path.read_text()) for path in out.glob("jobs/*/result.json")}
    return {
        name: {key: value for key, value in result.items() if key != "images_per_s"} for name, result in found.items()
    }


def test_a_comparison_has_the_same_results_after_kills_of_a_worker_and_of_its_client(machines, tmp_path, two_hand_root):
    program = str(Path(__file__).parents[1] / "support" / "small_comparison.py")
    near, far = tmp_path / "near", tmp_path / "far"
    compare = lambda: python(program, str(two_hand_root), str(far), machines.address)  # noqa: E731
    running = compare()
    until(lambda: results(far), running)
    kill(machines.workers[0])
    until(lambda: len(results(far)) >= 2, running)
    running.send_signal(signal.SIGINT)
    assert running.wait() != 0
    done = len(results(far))
    assert 2 <= done < 5
    machines.worker()
    running = compare()
    until(lambda: len(results(far)) > done, running)
    kill(running)
    assert compare().wait() == 0
    assert python(program, str(two_hand_root), str(near), "local").wait() == 0
    assert len(results(near)) == 5
    assert results(far) == results(near)
    assert [path.name for path in far.glob("jobs/.*")] == []


def test_workers_that_cannot_do_the_work_are_named(machines, tmp_path, monkeypatch):
    task = Task("task", cluster_tasks.doubled, (4,))
    with Cluster(machines.address, folder=tmp_path) as cluster:
        assert [value for _, value in cluster.stream([task], progress=False)] == [8]
    for worker in machines.workers:
        kill(worker)
    two_at_a_time = machines.worker("--nthreads=2")
    with Cluster(machines.address) as cluster, pytest.raises(UserError, match=r"2 tasks at a time.*--nthreads 1"):
        cluster.run([task], progress=False)
    with Cluster(machines.address) as cluster:
        kill(two_at_a_time)
        machines.worker()
        monkeypatch.setattr("gesturehand.cluster.client.version_of", lambda name: "0.1")
        monkeypatch.setattr("gesturehand.cluster.client._PACKAGES", ("numpy",))
        with pytest.raises(UserError, match=r"The worker on .* has numpy .* and this machine 0\.1"):
            cluster.run([task], progress=False)


def test_a_lost_scheduler_is_named_and_the_same_command_continues(machines, tmp_path):
    words = ["data", "synth", "--frames=[160,0,0]", "--subjects=[2,0,0]", "--views=1"]
    near, far = tmp_path / "near", tmp_path / "far"
    shared = [*words, f"--out={far}", f"--cluster={machines.address}"]
    chunks = lambda: list((tmp_path / ".far.progress").glob("chunk*.json"))  # noqa: E731
    first = client(*shared)
    until(lambda: len(chunks()) >= 2, first)
    kill(machines.scheduler)
    _, errors = first.communicate()
    assert first.returncode == 2
    assert errors.strip().splitlines()[-1] == (
        f"gesturehand: The scheduler at '{machines.address}' is gone: start it and its workers again; finished work "
        "is kept, and the same command continues."
    )
    assert "Traceback" not in errors
    assert not far.exists()
    done = {path: path.stat().st_mtime_ns for path in chunks()}
    machines.restart(int(machines.address.rpartition(":")[2]))
    second = client(*shared)
    said = second.communicate()
    assert second.returncode == 0, said
    assert "continued after" in said[0]
    assert len(done) < 10
    alone = client(*words, f"--out={near}", "--processes=1")
    assert alone.wait() == 0
    drawn = {name: content for name, content in contents(far).items() if name != "README.md"}  # it has the command
    assert drawn == {name: content for name, content in contents(near).items() if name != "README.md"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "machines", "near"]


@pytest.mark.parametrize("ask", ["run", "draw", "stream"])
def test_a_scheduler_that_is_lost_while_workers_are_busy_ends_the_wait(machines, tmp_path, ask):
    tasks = [Task(name, cluster_tasks.until_there, (tmp_path / name,)) for name in "abc"]

    def stop():
        until(lambda: len(list(tmp_path.glob("* began"))) == 2)
        kill(machines.scheduler)

    killer = Thread(target=stop)
    with Cluster(machines.address, folder=tmp_path) as cluster:
        killer.start()
        following = iter(tasks)
        given = (lambda: next(following, None)) if ask == "draw" else tasks
        with pytest.raises(UserError, match=r"is gone: start it and its workers again.*same command continues"):
            list(getattr(cluster, ask)(given, progress=False))
    killer.join()
    assert list(tmp_path.glob("* done")) == []
    assert list(tmp_path.glob(".cluster*")) == []


def test_a_task_on_two_workers_at_once_leaves_one_whole_result(tmp_path):
    """A worker stops, as under a stalled network drive; its task goes to the other one; then it comes back."""
    notes, folder = tmp_path / "notes", tmp_path / "result"
    notes.mkdir()
    began = lambda: list(notes.glob("began *"))  # noqa: E731
    ended = lambda: list(notes.glob("ended *"))  # noqa: E731
    failures = []

    def work():
        with Cluster(machines.address) as cluster:
            failures.extend(cluster.run([Task("both", cluster_tasks.written_by_two, (folder, notes))], progress=False))

    # Seconds after which a scheduler gives up a worker that it does not hear from.
    settings = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "15s"}
    with dask_processes.machines(tmp_path / "machines", **settings) as machines:
        running = Thread(target=work)
        running.start()
        until(began)
        (stopped,) = (int(path.name.split()[1]) for path in began())
        os.kill(stopped, signal.SIGSTOP)
        until(lambda: len(began()) == 2)
        assert not folder.exists()
        os.kill(stopped, signal.SIGCONT)
        (notes / "both").touch()
        running.join()
        until(lambda: len(ended()) == 2)
    assert failures == []
    assert contents(folder) == {name: name.encode() * 100_000 for name in ("first", "last")}
    assert folder.with_suffix(".jpg").read_bytes() == b"picture" * 100_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["machines", "notes", "result", "result.jpg"]
