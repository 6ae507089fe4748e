"""Checks before a sweep's first trial: its command must be one of this library's and log the sweep's metric."""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jsonargparse.util import import_object

from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean


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
        config: Resolved; its module is built, without weights from elsewhere.
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
