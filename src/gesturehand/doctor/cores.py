"""Cores, threads and memory: those of the machine, and those that this process may use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from gesturehand.cores import available_cores
from gesturehand.doctor.finding import Finding

#: Variables from which the libraries that compute take their number of threads.
THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_GIB: Final = 2**30
#: From here on, a limit of the first version of control groups means "no limit".
_NO_LIMIT: Final = 2**60


def cores() -> Iterator[Finding]:
    """Findings on cores, control groups, thread variables and memory."""
    allowed, machine = available_cores(), os.cpu_count() or 1
    yield Finding("cores", f"{allowed} for this process, {machine} in the machine")
    quota = core_quota(Path("/"))
    if quota is not None and quota < allowed:
        threads = max(1, int(quota))
        said = os.environ.get("OMP_NUM_THREADS", "")
        yield Finding.judged(
            "control group",
            f"time of {quota:g} cores, fewer than the process sees",
            said.isdecimal() and int(said) <= threads,
            f"export OMP_NUM_THREADS={threads}, and as few data.num_workers",
        )
    else:
        yield Finding("control group", "no limit" if quota is None else f"time of {quota:g} cores")
    for name in THREAD_VARIABLES:
        yield from _variable(name, allowed)
    limit = memory_limit(Path("/"))
    within = "" if limit is None else f", {limit / _GIB:.1f} GiB for this process's control group"
    total = machine_memory()
    if total is not None:
        yield Finding("memory", f"{total / _GIB:.1f} GiB{within}")


def _variable(name: str, allowed: int) -> Iterator[Finding]:
    said = os.environ.get(name)
    if said is None:
        if name == "OMP_NUM_THREADS":
            yield Finding(name, "not set: as many threads as cores")
    elif not all(part.strip().isdecimal() and int(part) > 0 for part in said.split(",")):
        yield Finding(name, f"{said!r}", "warning", f"export {name}={allowed}, or unset it")
    elif int(said.split(",")[0]) > allowed:
        yield Finding(name, f"{said}, more than there are cores", "warning", f"export {name}={allowed}, or unset it")
    else:
        yield Finding(name, said)


def machine_memory() -> int | None:
    """Bytes of the machine's memory; None if the system does not say."""
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def core_quota(root: Path) -> float | None:
    """Cores whose time the control groups of this process allow; None for no limit.

    Args:
        root: The root of the file system.
    """
    found = []
    for folder in _groups(root, "cpu"):
        words = (_text(folder / "cpu.max") or "").split()
        if len(words) != 2:
            words = [_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
        if words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            found.append(int(words[0]) / int(words[1]))
    return min(found, default=None)


def memory_limit(root: Path) -> int | None:
    """Bytes of memory that the control groups of this process allow; None for no limit.

    Args:
        root: The root of the file system.
    """
    texts = [_text(folder / name) for folder in _groups(root, "memory") for name in _MEMORY_FILES]
    found = [int(text) for text in texts if text is not None and text.isdecimal()]
    return min((number for number in found if number < _NO_LIMIT), default=None)


_MEMORY_FILES: Final = ("memory.max", "memory.limit_in_bytes")


def _groups(root: Path, controller: str) -> list[Path]:
    """Folders of this process's group and those above it, in both versions of Linux's control groups."""
    folders = []
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        own = PurePosixPath(path.lstrip("/"))
        if controllers == "":
            base = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            base = root / "sys/fs/cgroup" / controllers
        else:
            continue
        folders += [base / part for part in (own, *own.parents)]
    return folders


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
