"""Marks of what people's files and habits break, which ``make variants`` collects for docs/robustness.md."""

from collections.abc import Iterable
from typing import Any

import pytest


def fault(kind: str, variant: str, outcome: str) -> pytest.MarkDecorator:
    """The mark of a test of one variant."""
    return pytest.mark.fault(kind=kind, variant=variant, outcome=outcome)


def faults(kind: str, outcome: str, variants: Iterable[Iterable[Any]], within: str = "") -> list[Any]:
    """A test's parameters: of each variant its name, which goes into the mark and into the test's, and its values.

    Args:
        kind: What the variants are variants of.
        outcome: What happens with each of them.
        variants: Name and values of each.
        within: What is put in front of the names in the marks.
    """
    return [
        pytest.param(*values, id=variant, marks=fault(kind, f"{within}{variant}", outcome))
        for variant, *values in variants
    ]
