"""What a loader's worker process sets up before it reads its first sample."""

import os
import signal
import sys
import threading

import cv2


def prepare_worker(worker: int) -> None:
    """Takes OpenCV's threads from a worker, and leaves it to the process that started it when it ends.

    Workers are the parallelism; OpenCV's own threads would only compete with them. A forked one has none already.
    Ctrl-C, ``timeout`` and schedulers signal every process of a job. The training then finishes its step and writes a
    point, for which it may need another batch of its workers. macOS and Windows do not tell who sent a SIGTERM:
    there it ends a worker, and the training continues from the point before.
    """
    if cv2.getNumThreads() > 1:
        cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent_only()


def _end_with_parent_only() -> None:
    """Ends this process at a SIGTERM of the one that started it, as ``multiprocessing`` sends it, and at no other."""
    if sys.platform == "win32" or sys.platform == "darwin":
        return
    # Threads that are started later inherit the mask, so that only the one below hears of the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    parent = os.getppid()

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
