"""Storage: folders that are read-only or missing, files that cannot be read, locks."""

import subprocess

import filelock
import pytest

from gesturehand.doctor import storage as module
from gesturehand.doctor.storage import data_folder, file_system, shared_memory, small_files, storage, written_folder


def by_name(found):
    return {row.name: row for row in found}


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_speeds_and_locks_of_a_set_which_stays_as_it_is(synthetic_root):
    before = files_of(synthetic_root)
    found = by_name(data_folder(synthetic_root))
    assert files_of(synthetic_root) == before
    assert set(found) >= {"data, sequential write", "data, sequential read", "data, random reads", "data, free space"}
    assert found["data, locks"].value == "work between processes"
    assert f"({module._FILES_READ} files of set)" in found["data, random reads"].value


def test_read_only_folder_is_measured_by_reading(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x" * 1000)
    tmp_path.chmod(0o555)
    try:
        found = by_name(data_folder(tmp_path))
        runs = by_name(written_folder("runs", tmp_path / "runs", "elsewhere"))["runs"]
    finally:
        tmp_path.chmod(0o755)
    assert found["data, writable"].value.startswith("no (it is read-only)")
    assert "data, sequential write" not in found
    assert "1 files" in found["data, random reads"].value
    assert (runs.state, runs.remedy) == ("problem", "elsewhere")


def test_missing_folder_and_file_instead_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GESTUREHAND_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    found = by_name(storage(str(tmp_path / "none"), str(tmp_path / "file")))
    assert (found["data"].state, "does not exist" in found["data"].value) == ("warning", True)
    assert found["runs"].state == "problem"
    assert "it is a file" in found["runs"].value
    assert "which will be made" in found["index cache"].value
    assert not (tmp_path / "cache").exists()
    assert "is not a folder" in by_name(storage(str(tmp_path / "file"), str(tmp_path)))["data"].value


def test_cache_that_cannot_be_written_matters_where_the_data_cannot(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("GESTUREHAND_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    assert by_name(storage(str(tmp_path / "data"), str(tmp_path)))["index cache"].state == "warning"
    assert by_name(storage(str(tmp_path / "none"), str(tmp_path)))["index cache"].state == "problem"


def test_lock_that_keeps_nobody_out_is_a_warning(tmp_path, monkeypatch):
    class SoftHearted(filelock.BaseFileLock):
        def _acquire(self):
            self._context.lock_file_fd = 0

        def _release(self):
            self._context.lock_file_fd = None

    monkeypatch.setattr(module, "try_lock", lambda path: SoftHearted(path))
    found = module._locks("locks", tmp_path)
    assert (found.state, found.value) == ("warning", "do not keep other processes out")
    assert list(tmp_path.iterdir()) == []


def test_file_system_is_what_df_says(tmp_path):
    df = subprocess.run(["df", "--output=fstype", str(tmp_path)], capture_output=True, text=True)
    if df.returncode:
        pytest.skip("there is no GNU df")
    assert file_system(tmp_path) == df.stdout.split()[-1]


def test_small_files_leave_out_large_and_hidden_ones(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"x")
    (tmp_path / ".hidden").write_bytes(b"x")
    with (tmp_path / "archive.tar").open("wb") as file:
        file.truncate(module._SMALL + 1)
    assert small_files(tmp_path) == [tmp_path / "images" / "a.jpg"]


def test_little_shared_memory_is_a_warning(tmp_path, monkeypatch):
    (found,) = shared_memory(tmp_path)
    assert found.state == "ok"
    monkeypatch.setattr(module, "_SHARED_NEEDED", 2**62)
    (found,) = shared_memory(tmp_path)
    assert found.state == "warning"
    assert "--shm-size" in found.remedy
    assert list(shared_memory(tmp_path / "none")) == []
