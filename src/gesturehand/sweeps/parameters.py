"""W&B's parameter specifications as Optuna distributions.

Source: W&B's documentation of sweep configuration keys, https://docs.wandb.ai/guides/sweeps/sweep-config-keys.
"""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from gesturehand.errors import UserError

#: The keys of each distribution, beside ``distribution`` itself.
_KEYS: Final[dict[str, frozenset[str]]] = {
    "constant": frozenset({"value"}),
    "categorical": frozenset({"values"}),
    "categorical_w_probabilities": frozenset({"values", "probabilities"}),
    "int_uniform": frozenset({"min", "max"}),
    **{
        prefix + name: frozenset({"min", "max", *(["q"] if prefix else [])})
        for prefix in ("", "q_")
        for name in ("uniform", "log_uniform", "log_uniform_values")
    },
    "inv_log_uniform": frozenset({"min", "max"}),
    "inv_log_uniform_values": frozenset({"min", "max"}),
    **{
        prefix + name: frozenset({"mu", "sigma", *(["q"] if prefix else [])})
        for prefix in ("", "q_")
        for name in ("normal", "log_normal")
    },
    "beta": frozenset({"a", "b"}),
    "q_beta": frozenset({"a", "b", "q"}),
}
_OPTIONAL: Final = {"q": 1, "mu": 0.0, "sigma": 1.0}
#: Quantiles that Optuna chooses where a distribution has no counterpart of its own; 0 and 1 may be infinitely far.
_QUANTILES: Final = FloatDistribution(1e-6, 1 - 1e-6)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a sweep.

    Attributes:
        path: Its keys from the outermost in; one but for nested parameters.
        kind: Name of the W&B distribution.
        distribution: What Optuna draws; None for a constant.
        value: From what Optuna has drawn (None for a constant) to the parameter's value.
        grid: All values, or None where there is no end of them.
    """

    path: tuple[str, ...]
    kind: str
    distribution: BaseDistribution | None
    value: Callable[[Any], Any]
    grid: tuple[Any, ...] | None

    @property
    def name(self) -> str:
        """The path, joined by dots."""
        return ".".join(self.path)


def read_parameters(specs: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[Parameter]:
    """Parameters in the order of the file; ``parameters`` inside a parameter nests.

    Args:
        specs: The sweep's ``parameters``.
        path: Of the parameter that these are inside of.

    Raises:
        UserError: A key or value that W&B does not know, or one is missing; the message names it.
    """
    found: list[Parameter] = []
    for name, spec in specs.items():
        own = (*path, str(name))
        if not isinstance(spec, Mapping):
            raise UserError(
                f"The sweep's parameter '{'.'.join(own)}' is no mapping: write value, values, or min and max."
            )
        if "parameters" in spec:
            _refuse_unknown(own, spec, {"parameters"})
            found += read_parameters(spec["parameters"], own)
        else:
            found.append(_parameter(own, spec))
    return found


def arguments(parameters: list[Parameter], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial's command gets: the values by outermost key; nested parameters are dictionaries.

    Args:
        parameters: Of the sweep.
        drawn: What Optuna has drawn, by the parameters' names; constants have none.
    """
    result: dict[str, Any] = {}
    for parameter in parameters:
        place = result
        for key in parameter.path[:-1]:
            place = place.setdefault(key, {})
        place[parameter.path[-1]] = parameter.value(drawn.get(parameter.name))
    return result


def grid_points(parameters: list[Parameter]) -> list[dict[str, Any]]:
    """Every combination of the grid, as Optuna would have drawn it.

    Raises:
        UserError: A parameter has no end of values.
    """
    searched = [parameter for parameter in parameters if parameter.distribution is not None]
    for parameter in searched:
        if parameter.grid is None:
            raise UserError(
                f"The sweep's parameter '{parameter.name}' ({parameter.kind}) has no end of values for method grid: "
                "list values, or use method random or bayes."
            )
    names = [parameter.name for parameter in searched]
    return [dict(zip(names, point, strict=True)) for point in itertools.product(*(p.grid or () for p in searched))]


def _parameter(path: tuple[str, ...], spec: Mapping[str, Any]) -> Parameter:
    name = ".".join(path)
    kind = spec.get("distribution") or _inferred(name, spec)
    if kind == "categorical" and "probabilities" in spec:
        kind = "categorical_w_probabilities"
    if kind not in _KEYS:
        raise UserError(f"The sweep's parameter '{name}' has the unknown distribution '{kind}': use one of W&B's.")
    _refuse_unknown(path, spec, {*_KEYS[kind], "distribution"})
    settings = {**_OPTIONAL, **spec}
    missing = sorted(_KEYS[kind] - settings.keys())
    if missing:
        raise UserError(f"The sweep's parameter '{name}' ({kind}) lacks {', '.join(missing)}: add it.")
    try:
        return Parameter(path, kind, *_drawn(kind, settings))
    except (TypeError, ValueError) as error:
        raise UserError(f"The sweep's parameter '{name}' ({kind}) cannot be drawn: {error}; correct it.") from None


def _inferred(name: str, spec: Mapping[str, Any]) -> str:
    """The distribution that W&B takes where none is named."""
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "mu" in spec:
        return "normal"
    if {"min", "max"} <= spec.keys():
        whole = all(isinstance(spec[key], int) and not isinstance(spec[key], bool) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    raise UserError(f"The sweep's parameter '{name}' says no values: write value, values, or min and max.")


def _refuse_unknown(path: tuple[str, ...], spec: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(spec) - known)
    if unknown:
        raise UserError(
            f"The sweep's parameter '{'.'.join(path)}' has the key '{unknown[0]}', which does not go with its "
            f"distribution: it takes {', '.join(sorted(known))}."
        )


def _drawn(
    kind: str, spec: Mapping[str, Any]
) -> tuple[BaseDistribution | None, Callable[[Any], Any], tuple[Any, ...] | None]:
    """Optuna's distribution, the way to the value, and the grid of what Optuna draws."""
    if kind == "constant":
        return None, lambda _: spec["value"], None
    if kind == "categorical":
        # Optuna stores only plain values; a list or dictionary goes in as JSON.
        plain = (bool, int, float, str, type(None))
        choices = [value if isinstance(value, plain) else json.dumps(value) for value in spec["values"]]
        values = {(type(choice), choice): value for choice, value in zip(choices, spec["values"], strict=True)}
        return CategoricalDistribution(choices), lambda x: values[type(x), x], tuple(choices)
    if kind == "categorical_w_probabilities":
        options, shares = list(spec["values"]), np.array(spec["probabilities"], float)
        if len(options) != len(shares) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
            raise ValueError("probabilities must be one for each value, and sum to 1")
        bounds = shares.cumsum()[:-1]
        return _QUANTILES, lambda u: options[int(np.searchsorted(bounds, u, side="right"))], None
    if kind == "int_uniform":
        low, high = spec["min"], spec["max"]
        return IntDistribution(low, high), int, tuple(range(low, high + 1))
    if kind == "uniform":
        return FloatDistribution(spec["min"], spec["max"]), float, None
    if kind in ("log_uniform_values", "inv_log_uniform_values"):
        # 1/X is log-uniform exactly where X is.
        return FloatDistribution(spec["min"], spec["max"], log=True), float, None
    if kind in ("log_uniform", "inv_log_uniform"):
        sign = -1 if kind.startswith("inv") else 1
        low, high = sorted((math.exp(sign * spec["min"]), math.exp(sign * spec["max"])))
        return FloatDistribution(low, high, log=True), float, None
    if kind.startswith("q_"):
        step, quantile = spec["q"], _quantile(kind.removeprefix("q_"), spec)
        return _QUANTILES, lambda u: _rounded(quantile(u), step), _steps(kind, spec)
    quantile = _quantile(kind, spec)
    return _QUANTILES, lambda u: float(quantile(u)), None


def _quantile(kind: str, spec: Mapping[str, Any]) -> Callable[[float], float]:
    """The quantile function of a distribution."""
    if kind in ("normal", "log_normal"):
        normal = stats.norm(spec["mu"], spec["sigma"])
        return normal.ppf if kind == "normal" else lambda u: math.exp(normal.ppf(u))
    if kind == "beta":
        return stats.beta(spec["a"], spec["b"]).ppf
    low, high = float(spec["min"]), float(spec["max"])
    if kind == "log_uniform_values":
        low, high = math.log(low), math.log(high)
    if not low <= high:
        raise ValueError(f"min {spec['min']} is above max {spec['max']}")
    return lambda u: low + u * (high - low) if kind == "uniform" else math.exp(low + u * (high - low))


def _rounded(value: float, step: float) -> float | int:
    """round(X / q) · q, whole where q is."""
    number = round(value / step) * step
    return int(number) if isinstance(step, int) else float(number)


def _steps(kind: str, spec: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Quantiles in the middle of every value that a rounded uniform distribution takes."""
    if kind != "q_uniform":
        return None
    low, high, step = spec["min"], spec["max"], spec["q"]
    numbers = range(round(low / step), round(high / step) + 1)
    edges = [min(max((number + half) * step, low), high) for number in numbers for half in (-0.5, 0.5)]
    middles = [(a + b) / 2 for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return tuple(float(np.clip((m - low) / ((high - low) or 1), _QUANTILES.low, _QUANTILES.high)) for m in middles)
