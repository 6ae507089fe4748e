"""Work in threads: each stage is an iterator that runs ahead of the stage that takes from it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from types import FrameType
from typing import Final, NamedTuple, TypeVar

Item = TypeVar("Item")

#: Number of items by which a stage may be ahead.
AHEAD: Final = 4


class _Failed(NamedTuple):
    error: BaseException


class _End:
    """Marks the end of the items."""


@contextmanager
def ahead(items: Iterator[Item], count: int = AHEAD) -> Iterator[Iterator[Item]]:
    """Takes items in a separate thread, a few before they are needed.

    Args:
        items: The items; a generator's work is done in the thread.
        count: Largest number of items that wait.

    Yields:
        The same items. Their errors are raised where the items are requested. When the block ends, however it does, the
        thread has ended too, and a generator is closed.
    """
    queue: Queue[Item | _Failed | type[_End]] = Queue(count)
    left = threading.Event()

    def work() -> None:
        try:
            for item in items:
                queue.put(item)
                if left.is_set():
                    return
            queue.put(_End)
        except BaseException as error:  # raised where items are requested
            queue.put(_Failed(error))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def taken() -> Iterator[Item]:
        while (entry := queue.get()) is not _End:
            if isinstance(entry, _Failed):
                raise entry.error
            yield entry  # type: ignore[misc]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        left.set()
        while thread.is_alive():
            try:  # room for what the thread may be waiting to put
                queue.get(timeout=0.05)
            except Empty:
                continue
        thread.join()


@contextmanager
def first_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Makes the first Ctrl-C ask for an end, which leaves time to finish; a second Ctrl-C interrupts as usual.

    Outside the main thread, where signals cannot be handled, this does nothing.

    Args:
        stop: Called at the first Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, previous)
        stop()

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
