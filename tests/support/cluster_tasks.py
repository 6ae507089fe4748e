"""What tests let workers do, which import it from here."""

import os
import time
from pathlib import Path


def doubled(number: int) -> int:
    return 2 * number


def failing(reason: str) -> None:
    raise ValueError(reason)


def noted(folder: Path, name: str, needs: tuple[str, ...]) -> list[str]:
    """Writes a file; which of the files that it needs were there before."""
    found = [need for need in needs if (folder / need).is_file()]
    (folder / name).touch()
    return found


def process() -> int:
    return os.getpid()


def threads() -> tuple[str | None, int]:
    import cv2

    return os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()


def dying(folder: Path, times: int) -> int:
    """Ends its worker as a kill does, that many times; how often it has."""
    deaths = len(list(folder.iterdir()))
    if deaths < times:
        (folder / str(deaths)).touch()
        os._exit(9)
    return deaths


def long(started: Path, seconds: float) -> None:
    started.touch()
    time.sleep(seconds)
