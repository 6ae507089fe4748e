"""A file is there whole or not at all: after an exception, a kill, a full disk, in a read-only folder."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from gesturehand.checkpoints.durable_file import durable_file, remove_parts
from gesturehand.errors import UserError


def write(path, content):
    with durable_file(path) as file:
        file.write(content)


def test_new_content_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "made" / "file"
    write(path, b"one")
    write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_exception_leaves_the_old_content_alone(tmp_path):
    path = tmp_path / "file"
    write(path, b"one")
    with pytest.raises(TypeError), durable_file(path) as file:
        file.write("no bytes")
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_full_disk(tmp_path):
    """A limit on the size of files stands for the disk; a process of its own, as the limit stays."""
    path = tmp_path / "file"
    write(path, b"one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(UserError, match=rf"'{path}' could not be written .* make room"):
            write(path, bytes(50_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="choose another folder"):
        write(tmp_path / "file" / "within", b"one")


def test_kill_leaves_the_old_content_and_a_part_that_is_cleared(tmp_path):
    path = tmp_path / "file"
    write(path, b"one")
    program = (
        "import os, signal\nfrom gesturehand.checkpoints.durable_file import durable_file\n"
        f"with durable_file({str(path)!r}) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False).returncode == -9
    assert path.read_bytes() == b"one"
    assert len(list(tmp_path.iterdir())) == 2
    remove_parts(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
