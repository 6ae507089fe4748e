"""Storage: the data's file system, the folders that are written to, and the memory that workers share."""

import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from gesturehand.data.index_file import CACHE_VARIABLE, cache_folder
from gesturehand.doctor.finding import Finding
from gesturehand.errors import UserError, brief
from gesturehand.file_writing import try_lock

_MB: Final = 1e6
_GIB: Final = 2**30
#: Size of the file that is written and read again.
_FILE_MB: Final = 64
_BLOCK: Final = 2**20
#: Number of the data's files that are read, and of those from which they are chosen.
_FILES_READ: Final = 200
_FILES_SEEN: Final = 20_000
#: Largest size of a data file that is neither an archive nor an annotation file, bytes.
_SMALL: Final = 4 * 2**20
#: Below these the loaders wait for the disk, whatever the number of workers.
_SLOW_MB_S: Final = 30.0
_SLOW_FILES_S: Final = 100.0
#: Free space that a training of several days needs for its checkpoints and pictures.
_LITTLE_FREE: Final = 5 * _GIB
#: The loaders' batches that wait in shared memory: 4 workers, 4 batches each, of 32 crops of 256 px, and as much again.
_SHARED_NEEDED: Final = 2 * 4 * 4 * 32 * 256 * 256 * 3
_SHARED: Final = Path("/dev/shm")
_SECONDS: Final = 10.0


def storage(root: str, runs: str = "runs") -> Iterator[Finding]:
    """Findings on the data's folder, the runs' folder, the cache of indices, and shared memory.

    Args:
        root: The dataset's folder.
        runs: The folder of all runs.
    """
    folder = Path(root)
    if folder.is_dir():
        yield from data_folder(folder)
    else:
        said = "is not a folder" if folder.exists() else "does not exist"
        remedy = "give --root FOLDER, or write the open set with `gesturehand data synth --out FOLDER`"
        yield Finding("data", f"'{root}' {said}", "warning", remedy)
    yield from written_folder("runs", Path(runs), "choose another folder with --runs")
    remedy = f"set {CACHE_VARIABLE} to a folder that you can write to"
    # The cache is used if the data's own folder is not writable.
    for finding in written_folder("index cache", cache_folder(), remedy):
        needed = not (folder.is_dir() and os.access(folder, os.W_OK))
        yield finding._replace(state="warning") if finding.state == "problem" and not needed else finding
    yield from shared_memory(_SHARED)


def data_folder(folder: Path) -> Iterator[Finding]:
    """Findings on a dataset's folder: its file system, its speed, whether it can be written to and locked."""
    kind = file_system(folder)
    yield Finding("data", f"'{folder}'" + (f" on {kind}" if kind else ""))
    yield _free("data, free space", folder)
    writable = why_not_writable(folder)
    if writable is None:
        yield from _sequential(folder)
        yield _locks("data, locks", folder)
    else:
        yield Finding("data, writable", f"no ({writable}): indices are kept in the index cache")
    yield from random_reads(folder)


def written_folder(name: str, folder: Path, remedy: str) -> Iterator[Finding]:
    """Findings on a folder in which files are created, which need not exist yet."""
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), Path("/"))
    missing = "" if there == folder else ", which will be made"
    reason = why_not_writable(there)
    if reason is not None:
        yield Finding(name, f"'{folder}' cannot be written ({reason})", "problem", remedy)
        return
    yield Finding(name, f"'{folder}'{missing}")
    yield _free(f"{name}, free space", there)
    yield _locks(f"{name}, locks", there)


def why_not_writable(folder: Path) -> str | None:
    """The reason why no file can be created in a folder; None if one can."""
    if not folder.is_dir():
        return "it is a file"
    if not folder.stat().st_mode & 0o222:  # not meant to be written to, even by root
        return "it is read-only"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return error.strerror or str(error)
    return None


def file_system(folder: Path) -> str | None:
    """The kind of a folder's file system, such as ``ext4`` or ``nfs4``; None if the system does not say."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = folder.resolve()
    mounts = [(Path(line.split()[1].replace("\\040", " ")), line.split()[2]) for line in lines if line.count(" ") > 1]
    # If several are mounted at one place, the last one is visible.
    found = [
        (len(path.parts), number, kind) for number, (path, kind) in enumerate(mounts) if place.is_relative_to(path)
    ]
    return max(found)[2] if found else None


def _free(name: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding.judged(name, f"{free / _GIB:.1f} GiB", free >= _LITTLE_FREE, "make room: checkpoints need it")


def _sequential(folder: Path) -> Iterator[Finding]:
    """Writes a file and reads it again, bypassing the system's cache if possible."""
    block = secrets.token_bytes(_BLOCK)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".gesturehand-doctor-") as file:
        began = time.perf_counter()
        written = 0
        while written < _FILE_MB * _MB and time.perf_counter() - began < _SECONDS:
            written += file.write(block)
        file.flush()
        os.fsync(file.fileno())
        writing = written / _MB / (time.perf_counter() - began)
        _forget(file.fileno())
        file.seek(0)
        began = time.perf_counter()
        while file.read(_BLOCK):
            pass
        reading = written / _MB / (time.perf_counter() - began)
    yield Finding("data, sequential write", f"{writing:,.0f} MB/s")
    remedy = "copy the set to a disk of this machine"
    yield Finding.judged("data, sequential read", f"{reading:,.0f} MB/s", reading >= _SLOW_MB_S, remedy)


def random_reads(folder: Path) -> Iterator[Finding]:
    """Reads existing small files in random order, as one worker of a loader would."""
    chosen = small_files(folder)
    if not chosen:
        yield Finding("data, random reads", "there are no files to read")
        return
    number, size, failed = 0, 0, ""
    took = 0.0
    for path in chosen:
        try:
            with path.open("rb") as file:
                _forget(file.fileno())
        except OSError as error:
            failed = f"'{path}' cannot be read ({error.strerror})"
            continue
        began = time.perf_counter()
        with path.open("rb") as file:
            size += len(file.read())
        took += time.perf_counter() - began
        number += 1
        if took > _SECONDS:
            break
    if failed:
        yield Finding("data, readable", failed, "problem", "check the permissions of the data")
    if number:
        speed = number / max(took, 1e-9)
        remedy = "copy the set to a disk of this machine, or use more data.num_workers"
        value = f"{speed:,.0f} files/s, {size / _MB / max(took, 1e-9):,.0f} MB/s ({number} files of {folder.name})"
        yield Finding.judged("data, random reads", value, speed >= _SLOW_FILES_S, remedy)


def small_files(folder: Path) -> list[Path]:
    """A few small files below a folder, spread over the first ones found; links to folders are followed once."""
    seen: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        seen += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
        if len(seen) > _FILES_SEEN:
            break
    chosen = random.Random(0).sample(seen, min(len(seen), 2 * _FILES_READ))
    small = []
    for path in chosen:
        with suppress(OSError):
            if path.is_file() and path.stat().st_size <= _SMALL:
                small.append(path)
    return small[:_FILES_READ]


def _forget(handle: int) -> None:
    """Asks the system to read a file from the disk again, if it supports that."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _locks(name: str, folder: Path) -> Finding:
    """Whether a lock of this process keeps another one out."""
    path = folder / f".gesturehand-doctor-{secrets.token_hex(4)}.lock"
    remedy = "runs in one folder can then disturb each other: keep them on another file system"
    try:
        lock = try_lock(path)
        if lock is None:
            return Finding(name, "a new file is locked already", "warning", remedy)
        try:
            program = "import sys; from pathlib import Path; from gesturehand.file_writing import try_lock\n"
            program += "sys.exit(0 if try_lock(Path(sys.argv[1])) is None else 3)"
            done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, timeout=60)
        finally:
            lock.release()
    except (OSError, UserError, subprocess.SubprocessError) as error:
        return Finding(name, f"do not work: {brief(error)}", "warning", remedy)
    finally:
        with suppress(OSError):
            path.unlink()
    if done.returncode == 3:
        return Finding(name, "do not keep other processes out", "warning", remedy)
    if done.returncode:
        return Finding(name, "could not be tried", "warning", remedy)
    return Finding(name, "work between processes")


def shared_memory(folder: Path) -> Iterator[Finding]:
    """The size of the folder through which a loader's workers pass on their batches; nothing if there is none."""
    if not folder.is_dir():
        return
    usage = shutil.disk_usage(folder)
    value = f"{usage.free / _GIB:.2f} of {usage.total / _GIB:.2f} GiB free in {folder}"
    remedy = "docker run --shm-size=8g (or --ipc=host), or fewer data.num_workers"
    yield Finding.judged("shared memory", value, usage.free >= _SHARED_NEEDED, remedy)
