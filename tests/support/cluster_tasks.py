"""Tasks that tests give to workers, which import them from here."""

import os
import time
from pathlib import Path


def doubled(number: int) -> int:
    return 2 * number


def failing(reason: str) -> None:
    raise ValueError(reason)


def noted(folder: Path, name: str, needs: tuple[str, ...]) -> list[str]:
    """Writes a file; returns which of the files that it needs existed before."""
    found = [need for need in needs if (folder / need).is_file()]
    (folder / name).touch()
    return found


def process() -> int:
    return os.getpid()


def threads() -> tuple[str | None, int]:
    import cv2

    return os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()


def intervals() -> dict[str, float]:
    """Seconds between the calls of a worker's periodic work."""
    from distributed import get_worker

    return {name: call.callback_time / 1000 for name, call in get_worker().periodic_callbacks.items()}


def dying(folder: Path, times: int) -> int:
    """Ends its worker as a kill does, that many times; returns how often it has."""
    deaths = len(list(folder.iterdir()))
    if deaths < times:
        (folder / str(deaths)).touch()
        os._exit(9)
    return deaths


def long(started: Path, seconds: float) -> None:
    started.touch()
    time.sleep(seconds)


def looking(folder: Path) -> None:
    """Works until nobody waits for it any more, and notes that."""
    from gesturehand.cluster.task import Unwanted, check_wanted

    (folder / "begun").touch()
    try:
        while True:
            check_wanted()
            time.sleep(0.05)
    except Unwanted:
        (folder / "given up").touch()
        raise


def written_by_two(folder: Path, notes: Path) -> None:
    """Makes a folder and a picture beside it, at the same moment as another process that does this task."""
    from gesturehand.file_writing import file_of_new_folder, new_folder

    with new_folder(folder, "last") as part, file_of_new_folder(folder.with_suffix(".jpg")) as picture:
        for name in ("first", "last"):
            (part / name).write_bytes(name.encode() * 100_000)
        picture.write(b"picture" * 100_000)
        (notes / f"began {os.getpid()}").touch()
        while not (notes / "both").exists():
            time.sleep(0.001)
    (notes / f"ended {os.getpid()}").touch()


def until_there(path: Path) -> None:
    """Waits for a file, then leaves a result beside it."""
    from gesturehand.file_writing import write_bytes

    path.with_name(f"{path.name} began").touch()
    while not path.exists():
        time.sleep(0.02)
    write_bytes(path.with_name(f"{path.name} done"), b"done")
