"""Reads an ordinary W&B sweep file, names anything that a run without W&B cannot do, and writes out its commands.

Its commonly used kinds of parameters become Optuna distributions. Source: W&B's documentation of sweep configuration
keys, https://docs.wandb.ai/guides/sweeps/sweep-config-keys.
"""

import itertools
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from gesturehand.errors import UserError, one_line
from gesturehand.suggestions import did_you_mean, did_you_mean_path
from gesturehand.text_file import read_yaml

#: The keys of each distribution, in addition to ``distribution`` itself.
_DISTRIBUTIONS: Final[dict[str, set[str]]] = {
    "constant": {"value"},
    "categorical": {"values"},
    "int_uniform": {"min", "max"},
    "uniform": {"min", "max"},
    "log_uniform": {"min", "max"},
    "log_uniform_values": {"min", "max"},
    "q_uniform": {"min", "max", "q"},
    "q_log_uniform_values": {"min", "max", "q"},
    "normal": {"mu", "sigma"},
}
_DEFAULTS: Final = {"q": 1, "mu": 0.0, "sigma": 1.0}
#: Optuna has no normal distribution, so it chooses a quantile of one; 0 and 1 are infinitely far away.
_QUANTILES: Final = FloatDistribution(1e-6, 1 - 1e-6)
Method = Literal["grid", "random", "bayes"]
#: The last four, W&B's address and descriptions, have no meaning for a local run.
_KEYS: Final = (
    "program",
    "command",
    "method",
    "metric",
    "parameters",
    "early_terminate",
    "run_cap",
    "name",
    "description",
    "project",
    "entity",
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a sweep.

    Attributes:
        name: As in the file.
        kind: Name of the W&B distribution.
        distribution: The distribution from which Optuna draws; None for a constant.
        value: Turns the value that Optuna has drawn (None for a constant) into the parameter's value.
        grid: All values that Optuna could draw, or None if there are infinitely many.
    """

    name: str
    kind: str
    distribution: BaseDistribution | None
    value: Callable[[Any], Any]
    grid: tuple[Any, ...] | None = None


def read_parameters(specs: Mapping[str, Any]) -> list[Parameter]:
    """Parameters in the order of the file.

    Raises:
        UserError: A key, value or distribution is missing or is not one that a local sweep takes; the message names it.
    """
    return [_parameter(str(name), spec) for name, spec in specs.items()]


def arguments(parameters: list[Parameter], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a trial, by name.

    Args:
        parameters: The parameters of the sweep.
        drawn: The values that Optuna has drawn, by name; constants are not among them.
    """
    return {parameter.name: parameter.value(drawn.get(parameter.name)) for parameter in parameters}


def grid_points(parameters: list[Parameter]) -> list[dict[str, Any]]:
    """Every combination of the grid, as Optuna would have drawn it.

    Raises:
        UserError: A parameter has infinitely many values.
    """
    searched = [parameter for parameter in parameters if parameter.distribution is not None]
    for parameter in searched:
        if parameter.grid is None:
            raise UserError(
                f"The sweep's parameter '{parameter.name}' ({parameter.kind}) has infinitely many values, which method "
                "grid cannot try: list values, or use method random or bayes."
            )
    names = [parameter.name for parameter in searched]
    return [dict(zip(names, point, strict=True)) for point in itertools.product(*(p.grid or () for p in searched))]


def _parameter(name: str, spec: Any) -> Parameter:
    if not isinstance(spec, Mapping):
        raise UserError(f"The sweep's parameter '{name}' is not a mapping: write value, values, or min and max.")
    kind = spec.get("distribution") or _inferred(name, spec)
    if kind not in _DISTRIBUTIONS:
        raise UserError(
            f"The sweep's parameter '{name}' has the distribution '{kind}', which a local sweep does not draw from: "
            f"use {', '.join(_DISTRIBUTIONS)}, or run the sweep with W&B."
        )
    known = {*_DISTRIBUTIONS[kind], "distribution"}
    if unknown := sorted(set(spec) - known):
        raise UserError(
            f"The sweep's parameter '{name}' ({kind}) has the key '{unknown[0]}', which a local sweep does not take: "
            f"use {', '.join(sorted(known))}, or run the sweep with W&B."
        )
    settings = {**_DEFAULTS, **spec}
    if missing := sorted(_DISTRIBUTIONS[kind] - settings.keys()):
        raise UserError(f"The sweep's parameter '{name}' ({kind}) lacks {', '.join(missing)}: add it.")
    try:
        return _drawn(name, kind, settings)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise UserError(f"The sweep's parameter '{name}' ({kind}) cannot be drawn: {error}; correct it.") from None


def _inferred(name: str, spec: Mapping[str, Any]) -> str:
    """The distribution that W&B uses if none is named."""
    if "parameters" in spec:
        raise UserError(
            f"The sweep's parameter '{name}' nests 'parameters', which a local sweep does not take: write dotted names "
            f"as '{name}.…', or run the sweep with W&B."
        )
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "mu" in spec:
        return "normal"
    if {"min", "max"} <= spec.keys():
        whole = all(isinstance(spec[key], int) and not isinstance(spec[key], bool) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    raise UserError(f"The sweep's parameter '{name}' gives no values: write value, values, or min and max.")


def _drawn(name: str, kind: str, spec: Mapping[str, Any]) -> Parameter:
    if kind == "constant":
        return Parameter(name, kind, None, lambda _: spec["value"])
    if kind == "categorical":
        # Optuna stores only plain values; a list or dictionary goes in as JSON.
        plain = (bool, int, float, str, type(None))
        choices = [value if isinstance(value, plain) else json.dumps(value) for value in spec["values"]]
        values = {(type(choice), choice): value for choice, value in zip(choices, spec["values"], strict=True)}
        return Parameter(name, kind, CategoricalDistribution(choices), lambda x: values[type(x), x], tuple(choices))
    if kind == "normal":
        normal = stats.norm(spec["mu"], spec["sigma"])
        return Parameter(name, kind, _QUANTILES, lambda u: float(normal.ppf(u)))
    low, high = spec["min"], spec["max"]
    if kind == "int_uniform":
        return Parameter(name, kind, IntDistribution(low, high), int, tuple(range(low, high + 1)))
    if kind == "log_uniform":
        low, high = math.exp(low), math.exp(high)
    distribution = FloatDistribution(low, high, log="log" in kind)
    if not kind.startswith("q_"):
        return Parameter(name, kind, distribution, float)
    step = spec["q"]
    numbers = range(round(low / step), round(high / step) + 1)
    grid = tuple(min(max(number * step, low), high) for number in numbers)
    return Parameter(name, kind, distribution, lambda x: _rounded(x, step), grid)


def _rounded(value: float, step: float) -> float | int:
    """round(X / q) · q, an integer if q is one."""
    number = round(value / step) * step
    return int(number) if isinstance(step, int) else float(number)


@dataclass(frozen=True)
class EarlyTerminate:
    """W&B's hyperband: after ``min_iter``, ``min_iter · eta``, … validations the best ``1 / eta`` of trials continue.

    Attributes:
        min_iter: Validations before the first decision.
        eta: Factor between decisions.
    """

    min_iter: int
    eta: int


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes:
        path: Its file.
        name: ``name``, or the file's name.
        program: The program to run.
        command: Its arguments and macros.
        method: The method by which values are chosen.
        metric: Logged name of the metric to optimise.
        maximise: Whether a larger value is better.
        target: Once a trial reaches this value, no further one begins.
        parameters: The parameters and their values.
        early_terminate: The rule by which a trial ends early, or None.
        run_cap: The largest number of trials, or None.
        content: The file as it is.
    """

    path: Path
    name: str
    program: str
    command: tuple[Any, ...]
    method: Method
    metric: str
    maximise: bool
    target: float | None
    parameters: list[Parameter]
    early_terminate: EarlyTerminate | None
    run_cap: int | None
    content: Mapping[str, Any]


def read_sweep(path: str | Path) -> Sweep:
    """Reads and checks a sweep file.

    Raises:
        UserError: The file cannot be read, or a local sweep does not take one of its keys or values; the message names
            it.
    """
    path = Path(path)
    content = read_sweep_content(path)
    _refuse_unknown(path, content, _KEYS)
    for key in ("program", "method", "metric", "parameters"):
        if not content.get(key):
            raise UserError(f"The sweep '{path}' has no '{key}': add it.")
    method = content["method"]
    if method not in ("grid", "random", "bayes"):
        meant = did_you_mean(str(method), ("grid", "random", "bayes"), "choose grid, random or bayes.")
        raise UserError(f"The sweep '{path}' has the method '{method}': {meant}")
    metric = content["metric"]
    _refuse_unknown(path, metric, ("name", "goal", "target"), "metric.")
    goal = metric.get("goal", "minimize")
    if "name" not in metric or goal not in ("minimize", "maximize"):
        raise UserError(f"The sweep '{path}' needs metric.name, and metric.goal as minimize or maximize: correct it.")
    parameters = read_parameters(content["parameters"])
    command = tuple(content.get("command") or DEFAULT_COMMAND)
    # Both raise errors before anything runs.
    render_command(command, str(content["program"]), {})
    if method == "grid":
        grid_points(parameters)
    return Sweep(
        path=path,
        name=str(content.get("name") or path.stem),
        program=str(content["program"]),
        command=command,
        method=method,
        metric=str(metric["name"]),
        maximise=goal == "maximize",
        target=None if metric.get("target") is None else float(metric["target"]),
        parameters=parameters,
        early_terminate=_early_terminate(path, content.get("early_terminate")),
        run_cap=content.get("run_cap"),
        content=content,
    )


def read_sweep_content(path: Path) -> dict[str, Any]:
    """The mapping that a sweep file holds, unchecked.

    Raises:
        UserError: The file cannot be read or holds something else.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), f"The sweep file '{path}'")
    except OSError as error:
        meant = did_you_mean_path(path, "give one of experiments/sweeps/.")
        raise UserError(f"The sweep file '{path}' cannot be read ({error.strerror}): {meant}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"The sweep file '{path}' is not YAML ({one_line(error)}): correct it.") from None
    if not isinstance(content, dict):
        raise UserError(f"The sweep file '{path}' is not a mapping: write a W&B sweep configuration.")
    return content


def _refuse_unknown(path: Path, content: Mapping[str, Any], known: tuple[str, ...], prefix: str = "") -> None:
    unknown = sorted(set(content) - set(known))
    if unknown:
        meant = did_you_mean(str(unknown[0]), known, "remove it, or run the sweep with W&B.")
        raise UserError(
            f"The sweep '{path}' has the key '{prefix}{unknown[0]}', which a local sweep does not take: {meant}"
        )


def _early_terminate(path: Path, content: Mapping[str, Any] | None) -> EarlyTerminate | None:
    if content is None:
        return None
    _refuse_unknown(path, content, ("type", "min_iter", "max_iter", "s", "eta", "strict"), "early_terminate.")
    if content.get("type") != "hyperband" or content.get("strict"):
        key = "type" if content.get("type") != "hyperband" else "strict"
        raise UserError(
            f"The sweep '{path}' has early_terminate.{key} '{content.get(key)}', which a local sweep does not take: "
            "use type hyperband without strict, or run the sweep with W&B."
        )
    eta = int(content.get("eta", 3))
    if ("min_iter" in content) == ("max_iter" in content) or eta < 2:
        raise UserError(
            f"The sweep '{path}' needs early_terminate.min_iter, or .max_iter with .s, and an .eta of at least 2: "
            "correct it."
        )
    smallest = content.get("min_iter") or content["max_iter"] / eta ** int(content.get("s", 1))
    return EarlyTerminate(min_iter=max(1, int(smallest)), eta=eta)


DEFAULT_COMMAND: Final = ("${env}", "${interpreter}", "${program}", "${args}")
_ENVIRONMENT_VARIABLE: Final = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")


def render_command(command: Sequence[Any], program: str, args: Mapping[str, Any]) -> list[str]:
    """The words of a trial's command, from the sweep's ``command`` and ``program`` and the trial's values by name.

    W&B's agent would run the same command (see its documentation of sweep configuration keys, command macros).

    Raises:
        UserError: The command has a macro that a local sweep does not replace.

    Example:
        >>> render_command(["${interpreter}", "${program}", "${args}"], "train.py", {"depth": 2, "fusion": "cross"})
        ['python', 'train.py', '--depth=2', '--fusion=cross']
    """
    macros = {
        "${env}": ["/usr/bin/env"],
        "${interpreter}": ["python"],
        "${program}": [program],
        "${args}": [f"--{name}={value}" for name, value in args.items()],
    }
    words: list[str] = []
    for chunk in command:
        word = _ENVIRONMENT_VARIABLE.sub(lambda match: os.environ.get(match[1], match[1]), str(chunk))
        if word.startswith("${") and word.endswith("}") and word not in macros:
            raise UserError(
                f"The sweep's command has the macro '{word}', which a local sweep does not replace: use "
                f"{', '.join(macros)}, ${{envvar:NAME}}, or run the sweep with W&B."
            )
        words += macros.get(word, [word])
    return words
