"""A worker ends at its parent's SIGTERM, and at other processes' only where nobody says who sent it."""

import os
import signal
import subprocess
import sys

import pytest

#: Prepares a worker, starts a process that signals it, and says so if it lives on.
PROGRAM = """
import os, subprocess, sys
from gesturehand.data.loading import prepare_worker
sys.platform = sys.argv[1]
prepare_worker(0)
sys.platform = "linux"
subprocess.run([sys.executable, "-c", f"import os; os.kill({os.getpid()}, {sys.argv[2]})"], check=True)
print("lives", flush=True)
sys.stdin.read()
"""


def start(platform: str, number: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, platform, str(int(number))]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="signals are told apart on Linux")
def test_a_strangers_signal_is_survived_and_the_parents_is_not():
    with start("linux", signal.SIGTERM) as worker:
        assert worker.stdout.readline() == "lives\n"
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_a_worker_ends_at_any_sigterm_and_never_at_ctrl_c(platform):
    with start(platform, signal.SIGTERM) as worker:
        assert worker.stdout.read() == ""
        assert worker.wait() == -signal.SIGTERM
    with start(platform, signal.SIGINT) as worker:
        assert worker.stdout.readline() == "lives\n"
        worker.stdin.close()
        assert worker.wait() == 0
