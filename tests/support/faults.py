"""Marks for variants of people's files and habits, which ``make variants`` collects for docs/robustness.md."""

from collections.abc import Iterable
from typing import Any

import pytest


def fault(kind: str, variant: str, outcome: str) -> pytest.MarkDecorator:
    """The mark of a test of one variant."""
    return pytest.mark.fault(kind=kind, variant=variant, outcome=outcome)


def faults(kind: str, outcome: str, variants: Iterable[Iterable[Any]], within: str = "") -> list[Any]:
    """A test's parameters: for each variant its name, which goes into the mark and the test's name, and its values.

    Args:
        kind: The kind of fault that the variants belong to.
        outcome: The outcome of each of them.
        variants: Name and values of each.
        within: A prefix of the names in the marks.
    """
    return [
        pytest.param(*values, id=variant, marks=fault(kind, f"{within}{variant}", outcome))
        for variant, *values in variants
    ]
