"""A lock is one process's, not its children's, and free when the process has ended, however it ended."""

import os
import signal
import subprocess
import sys

import pytest

from gesturehand.errors import UserError
from gesturehand.file_lock import try_lock

#: Locks the file, and leaves a forked child behind that outlives it.
HOLDER = """
import os, sys, time
from pathlib import Path
from gesturehand.file_lock import try_lock
lock = try_lock(Path(sys.argv[1]))
assert lock is not None
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path):
    path = tmp_path / "lock"
    first = try_lock(path)
    assert first is not None
    assert try_lock(path) is None
    first.release()
    second = try_lock(path)
    assert second is not None
    second.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_killed_process_holds_no_lock_though_its_child_lives(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        child = int(holder.stdout.readline())
        try:
            assert try_lock(path) is None
            holder.kill()
            holder.wait()
            os.kill(child, 0)
            lock = try_lock(path)
            assert lock is not None
            lock.release()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"'{tmp_path}/file/lock' could not be written"):
        try_lock(tmp_path / "file" / "lock")
