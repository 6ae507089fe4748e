"""W&B's parameter specifications as Optuna distributions, as far as people use them.

Source: W&B's documentation of sweep configuration keys, https://docs.wandb.ai/guides/sweeps/sweep-config-keys.
"""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from gesturehand.errors import UserError

#: The keys of each distribution, beside ``distribution`` itself.
_KEYS: Final[dict[str, set[str]]] = {
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


@dataclass(frozen=True)
class Parameter:
    """One parameter of a sweep.

    Attributes:
        name: As in the file.
        kind: Name of the W&B distribution.
        distribution: What Optuna draws; None for a constant.
        value: Turns what Optuna has drawn (None for a constant) into the parameter's value.
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
        parameters: Those of the sweep.
        drawn: What Optuna has drawn, by name; constants are not among them.
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
    if kind not in _KEYS:
        raise UserError(
            f"The sweep's parameter '{name}' has the distribution '{kind}', which a local sweep does not draw from: "
            f"use {', '.join(_KEYS)}, or run the sweep with W&B."
        )
    known = {*_KEYS[kind], "distribution"}
    if unknown := sorted(set(spec) - known):
        raise UserError(
            f"The sweep's parameter '{name}' ({kind}) has the key '{unknown[0]}', which a local sweep does not take: "
            f"use {', '.join(sorted(known))}, or run the sweep with W&B."
        )
    settings = {**_DEFAULTS, **spec}
    if missing := sorted(_KEYS[kind] - settings.keys()):
        raise UserError(f"The sweep's parameter '{name}' ({kind}) lacks {', '.join(missing)}: add it.")
    try:
        return _drawn(name, kind, settings)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise UserError(f"The sweep's parameter '{name}' ({kind}) cannot be drawn: {error}; correct it.") from None


def _inferred(name: str, spec: Mapping[str, Any]) -> str:
    """The distribution that W&B takes where none is named."""
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
    """round(X / q) · q, whole where q is."""
    number = round(value / step) * step
    return int(number) if isinstance(step, int) else float(number)
