"""Runs a trial's command as a process and reads its reports while it runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from gesturehand.callbacks.trial_report import SWEEP_PROCESS_VARIABLE, TRIAL_FOLDER_VARIABLE, read_trial

LOG_FILE: Final = "log.txt"
#: Seconds between checks of a running trial, and from telling a trial to end until it is killed.
_PAUSE_S: Final = 0.2
_GRACE_S: Final = 30.0


def environment_of(folder: Path | None = None) -> dict[str, str]:
    """The environment of a trial: that of this process, with this installation's commands first on the path."""
    own = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    if folder is not None:
        own |= {TRIAL_FOLDER_VARIABLE: str(folder), SWEEP_PROCESS_VARIABLE: str(os.getpid())}
    return {**os.environ, **own}


def run_trial(
    command: Sequence[str],
    folder: Path,
    on_report: Callable[[dict[str, Any]], bool],
    workplace: Path | None = None,
    check: Callable[[], object] = lambda: None,
) -> tuple[int, list[dict[str, Any]], bool]:
    """Runs a trial to its end.

    Its output goes to ``log.txt`` in its folder. An interrupt of this process ends the trial first.

    Args:
        command: The command and its arguments.
        folder: The trial's folder.
        on_report: Called with every validation as it is reported; returning False ends the trial.
        workplace: The folder that paths in the command start from; this process's if not given.
        check: Called all the time; what it raises ends the trial.

    Returns:
        The exit code, all reports, and whether ``on_report`` ended it.
    """
    seen = 0
    stopped = False
    with (folder / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment_of(folder),
            cwd=workplace,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                check()
                code = process.poll()
                reports = read_trial(folder)
                for report in reports[seen:]:
                    stopped = stopped or not on_report(report)
                seen = len(reports)
                if code is not None:
                    return code, reports, stopped
                if stopped:
                    _end(process)
                else:
                    time.sleep(_PAUSE_S)
        finally:
            _end(process)


def last_words(folder: Path) -> str:
    """The last non-empty line of a trial's log."""
    text = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a trial and everything it started."""
    if process.poll() is not None:
        return
    _signal(process, last=False)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        _signal(process, last=True)
        process.wait()


def _signal(process: subprocess.Popen[bytes], *, last: bool) -> None:
    """Tells a trial's whole group to end; Windows has no groups, and there its workers notice that it has gone."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL if last else signal.SIGTERM)
