"""A file exists whole or not at all: after an exception, a kill, a full disk, in a read-only folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file, new_file, remove_parts, try_lock, write_text

#: Locks the file, and leaves behind a forked child that outlives it.
HOLDER = """
import os, sys, time
from pathlib import Path
from gesturehand.file_writing import try_lock
lock = try_lock(Path(sys.argv[1]))
assert lock is not None
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""


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


def test_full_disk(tmp_path, full_disk):
    path = tmp_path / "file"
    write(path, b"one")
    with full_disk(), pytest.raises(UserError, match=rf"'{path}' could not be written .* make room"):
        write(path, bytes(50_000))
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
        "import os, signal\nfrom gesturehand.file_writing import durable_file\n"
        f"with durable_file({str(path)!r}) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False).returncode == -9
    assert path.read_bytes() == b"one"
    assert len(list(tmp_path.iterdir())) == 2
    remove_parts(tmp_path, ["files", "fil", "other.json"])
    assert len(list(tmp_path.iterdir())) == 2
    remove_parts(tmp_path, iter(["other", "file"]))
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_library_writes_to_a_path_of_the_same_kind(tmp_path):
    path = tmp_path / "made" / "picture.tar.png"
    with new_file(path) as part:
        assert part.suffix == ".png"
        part.write_bytes(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in path.parent.iterdir()] == ["picture.tar.png"]


def test_a_library_that_writes_nothing_without_a_word(tmp_path):
    with pytest.raises(UserError, match="could not be written"), new_file(tmp_path / "file"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_file_is_not_blamed_on_this_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="source"), new_file(tmp_path / "file"):
        (tmp_path / "source").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    for text in ("one", "two"):
        write_text(tmp_path / "link", text)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "two"
    assert len(list((tmp_path / "far").iterdir())) == 1


def test_a_device_is_written_to_and_not_replaced():
    write_text("/dev/null", "gone")
    with pytest.raises(UserError, match=r"'/dev/full' could not be written \(No space left on device\)"):
        write_text("/dev/full", "too much")
    assert all(Path("/dev", name).is_char_device() for name in ("null", "full"))


def test_names_as_long_as_the_file_system_takes(tmp_path):
    name = "ä" * 125 + ".json"
    write_text(tmp_path / name, "{}")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    with pytest.raises(UserError, match="File name too long"):
        write_text(tmp_path / ("ä" * 128), "{}")


@pytest.mark.parametrize("path", ["", ".", "folder"])
def test_a_folder_in_place_of_the_file(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"'{path}' could not be written .*directory"):
        write_text(path, "text")


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
