"""Runs a trial's command as a process: checked before a sweep's first trial, and read from while it runs."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from jsonargparse.util import import_object

from gesturehand.callbacks.trial_report import SWEEP_PROCESS_VARIABLE, TRIAL_FOLDER_VARIABLE, read_trial
from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean

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
        workplace: The folder to which paths in the command are relative; this process's if not given.
        check: Called regularly; any exception from it ends the trial.

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
    """Ends a trial and everything that it has started."""
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


def resolved_config(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that a trial's command would train with, from the command itself.

    Args:
        command: The command of a trial, ``gesturehand fit …``.
        environment: Environment variables of the command's process.

    Raises:
        UserError: The command does not exist, is not ``gesturehand fit``, or refuses one of its arguments.
    """
    try:
        with tempfile.TemporaryFile() as empty:
            done = subprocess.run(
                [*command, "--print_config"],
                env={**environment},
                stdin=empty,
                capture_output=True,
                text=True,
            )
    except OSError as error:
        raise UserError(f"The sweep's command '{command[0]}' does not start ({error.strerror}): correct it.") from None
    config = None
    if done.returncode == 0:
        try:
            config = yaml.safe_load(done.stdout)
        except yaml.YAMLError:
            config = None
    if not isinstance(config, dict) or "model" not in config:
        lines = (done.stderr or done.stdout).strip().splitlines()
        reason = lines[-1].strip() if lines else "it printed no configuration"
        raise UserError(
            f"The sweep's command must be `gesturehand fit` with this sweep's parameters, but it fails: {reason} "
            f"(the command: {' '.join(command)})"
        )
    return config


def logged_metrics(config: Mapping[str, Any]) -> set[str]:
    """Names of everything that a validation of this configuration's module logs.

    Args:
        config: The resolved configuration; its module is built, without weights from elsewhere.
    """
    settings = dict(config["model"]["init_args"])
    for key, none in (("imagenet_weights", False), ("encoder_weights", None), ("pretrained", None)):
        if key in settings:
            settings[key] = none
    return set(import_object(config["model"]["class_path"])(**settings).measured("val"))


def check_metric(metric: str, config: Mapping[str, Any]) -> None:
    """Checks that the sweep's metric is logged.

    Raises:
        UserError: It is not logged; the message lists the metrics that are.
    """
    names = logged_metrics(config)
    if metric not in names:
        model = config["model"]["class_path"].rpartition(".")[2]
        meant = did_you_mean(metric, names, f"choose one of {', '.join(sorted(names))}.")
        raise UserError(f"The sweep's metric '{metric}' is not logged by {model}: {meant}")
