"""Tasks on workers of this machine: their order, failures, workers that die, Ctrl-C, and who can reach them."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import spawn

import cluster_tasks
import psutil
import pytest

from gesturehand.cluster import Cluster, Failure, Task, client, machines
from gesturehand.errors import UserError


@pytest.fixture(scope="module")
def cluster():
    with Cluster(workers=2) as cluster:
        yield cluster


def quietly(cluster, tasks, **settings):
    return cluster.run(tasks, progress=False, **settings)


def test_a_task_that_looks_notices_that_nobody_waits_any_more(cluster, tmp_path):
    place = tmp_path / "place"
    place.mkdir()

    tasks = iter([Task("looking", cluster_tasks.looking, (place,)), Task("short", cluster_tasks.doubled, (1,))])
    for task, value in cluster.draw(lambda: next(tasks, None), progress=False):
        assert (task.name, value) == ("short", 2)
        while not (place / "begun").exists():
            time.sleep(0.02)
        break  # the other one is given up
    while not (place / "given up").exists():
        time.sleep(0.02)


def test_every_task_comes_after_those_that_it_needs_and_its_result_comes_back(cluster, tmp_path):
    needs = {"d": ("b", "c"), "b": ("a",), "c": ("a", "done before"), "a": (), "e": ()}
    results = {}
    tasks = [Task(name, cluster_tasks.noted, (tmp_path, name, needed), needed) for name, needed in needs.items()]
    assert quietly(cluster, tasks, on_done=lambda task, value: results.update({task.name: value})) == []
    assert results == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}
    assert quietly(cluster, []) == []


def test_failed_tasks_are_named_with_dependent_ones_and_the_others_are_done(cluster):
    results = {}
    tasks = [
        Task("bad", cluster_tasks.failing, ("no data",)),
        Task("child", cluster_tasks.doubled, (1,), ("bad",)),
        Task("grandchild", cluster_tasks.doubled, (1,), ("good", "child")),
        Task("good", cluster_tasks.doubled, (21,)),
    ]
    failures = quietly(cluster, tasks, on_done=lambda task, value: results.update({task.name: value}))
    assert failures == [
        Failure("bad", "ValueError: no data"),
        Failure("child", "it needs 'bad', which failed"),
        Failure("grandchild", "it needs 'child', which failed"),
    ]
    assert results == {"good": 42}


def test_a_task_whose_worker_dies_is_done_again_and_at_last_named(cluster, tmp_path):
    folders = [tmp_path / "once", tmp_path / "always"]
    for folder in folders:
        folder.mkdir()
    results = {}
    tasks = [
        Task(folder.name, cluster_tasks.dying, (folder, times)) for folder, times in zip(folders, (1, 9), strict=True)
    ]
    (failure,) = quietly(cluster, tasks, retries=1, on_done=lambda task, value: results.update({task.name: value}))
    assert results == {"once": 1}
    assert (failure.name, len(list(folders[1].iterdir()))) == ("always", 2)
    assert "killed 2 times" in failure.reason


def test_workers_of_this_machine_that_cannot_be_started_again_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "_RESTART_S", 3.0)
    python = spawn.get_executable()
    with Cluster(workers=1) as cluster:
        assert quietly(cluster, [Task("first", cluster_tasks.doubled, (1,))]) == []
        spawn.set_executable(os.devnull)  # no process can be started any more
        try:
            with pytest.raises(UserError, match=r"No worker could be started .* run the same command again"):
                quietly(cluster, [Task("dying", cluster_tasks.dying, (tmp_path, 9))], retries=9)
        finally:
            spawn.set_executable(python)


def test_a_stream_is_in_order_and_runs_only_a_little_ahead(cluster):
    taken, ahead = [], []

    def tasks():
        for number in range(30):
            taken.append(number)
            yield Task(f"task {number}", cluster_tasks.doubled, (number,))

    values = []
    for _, value in cluster.stream(tasks(), progress=False):
        values.append(value)
        ahead.append(len(taken) - len(values))
    assert values == [2 * number for number in range(30)]
    assert max(ahead) <= 6
    failing = [Task("good", cluster_tasks.doubled, (1,)), Task("bad", cluster_tasks.failing, ("no data",))]
    with pytest.raises(ValueError, match="no data"):
        list(cluster.stream(failing, progress=False))


def test_tasks_are_drawn_as_workers_become_free_and_may_depend_on_ended_ones(cluster, tmp_path):
    """Every second task is known only once the previous one has ended; one kills its worker, and one fails."""
    (tmp_path / "deaths").mkdir()
    waiting = [
        Task("dying", cluster_tasks.dying, (tmp_path / "deaths", 1)),
        Task("failing", cluster_tasks.failing, ("no data",)),
        Task("always", cluster_tasks.dying, (tmp_path, 99)),
    ]
    ended, running, most = {}, set(), []

    def next_task():
        if not waiting and not running and len(ended) < 5:
            waiting.append(Task(f"after {len(ended)}", cluster_tasks.doubled, (len(ended),)))
        task = waiting.pop(0) if waiting else None
        running.update({task.name} if task else ())
        most.append(len(running))
        return task

    for task, value in cluster.draw(next_task, retries=1, progress=False):
        running.remove(task.name)
        ended[task.name] = value
    assert ended["failing"] == Failure("failing", "ValueError: no data")
    assert (ended["dying"], ended["after 3"], ended["after 4"]) == (1, 6, 8)
    assert "killed 2 times" in ended["always"].reason
    assert len(ended) == 5
    assert max(most) <= 3, "at most one more than there are workers"
    assert list(cluster.draw(lambda: None, progress=False)) == []


def test_each_worker_has_its_share_of_the_cores_and_nobody_else_can_reach_it(cluster):
    tasks = [Task(str(number), cluster_tasks.threads) for number in range(2)]
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert [value for _, value in cluster.stream(tasks, progress=False)] == [(str(share), 1)] * 2
    own = psutil.Process()
    hosts = {
        connection.laddr.ip
        for one in (own, *own.children(recursive=True))
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert hosts == {"127.0.0.1"}


def test_no_worker_looks_at_itself_many_times_a_second(cluster):
    ((_, seconds),) = cluster.stream([Task("a", cluster_tasks.intervals)], progress=False)
    assert "profile" not in seconds
    assert min(seconds.values()) >= 0.1


def test_a_single_worker_streams_in_this_process():
    with Cluster(workers=1) as alone:
        assert [value for _, value in alone.stream([Task("a", cluster_tasks.process)], progress=False)] == [os.getpid()]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "at least 1"),
        ({"address": "tcp://127.0.0.1:1", "workers": 2}, "do not give their number"),
    ],
)
def test_wrong_settings_are_refused_before_anything_starts(settings, message):
    with pytest.raises(UserError, match=message):
        Cluster(**settings)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(machines, "_PATIENCE_S", 0.5)
    with Cluster("tcp://127.0.0.1:1") as cluster, pytest.raises(UserError, match=r"tcp://127.0.0.1:1.*dask scheduler"):
        quietly(cluster, [Task("a", cluster_tasks.process)])


@pytest.mark.parametrize("address", ["tcp://", "tcp://host", "tcp://host:x", "http://host:8786", "://"])
def test_what_is_no_address_of_a_scheduler_is_named(address):
    with Cluster(address) as cluster, pytest.raises(UserError, match=rf"'{address}' is not the address of a scheduler"):
        quietly(cluster, [Task("a", cluster_tasks.process)])


PROGRAM = """
import sys
from pathlib import Path
import cluster_tasks
from gesturehand.cluster import Cluster, Task

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with Cluster(workers=2) as cluster:
        tasks = [Task(name, cluster_tasks.long, (folder / name, 600.0)) for name in ("a", "b", "c")]
        try:
            cluster.run(tasks)
        except KeyboardInterrupt:
            print("interrupted")
"""


@pytest.mark.slow
def test_ctrl_c_ends_everything_without_a_traceback(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path)]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    while not ((tmp_path / "a").exists() and (tmp_path / "b").exists()):
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.1)
    workers = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the workers too
    out, errors = running.communicate()
    assert (running.returncode, out) == (0, "interrupted\n")
    assert not (tmp_path / "c").exists()
    assert "Traceback" not in errors
    assert "distributed" not in errors
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []
