"""Extras: which optional parts are installed, and what each that is missing would give."""

from collections.abc import Iterator

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from gesturehand.doctor.finding import Finding
from gesturehand.doctor.versions import compared, requirements_of
from gesturehand.extras import EXTRAS, install


def extras(distribution: str = "gesturehand") -> Iterator[Finding]:
    """A finding for every extra; one that is missing is no fault.

    Args:
        distribution: Whose metadata say what an extra installs.
    """
    asked = requirements_of(distribution)
    for name, use in EXTRAS.items():
        own = [one for one in asked if one.marker is not None and _belongs(one.marker, name)]
        found = [compared(requirement) for requirement in own]
        missing = [one.name for one in found if one.value.startswith("not installed")]
        wrong = [f"{one.name} {one.value}" for one in found if one.state != "ok" and one.name not in missing]
        if not own:
            yield Finding(name, "not among this installation's extras", "warning", f"{install(name)} --upgrade")
        elif missing:
            yield Finding(name, f"not installed ({', '.join(missing)})", remedy=f"{install(name)} gives {use}")
        elif wrong:
            yield Finding(name, ", ".join(wrong), "warning", install(name))
        else:
            yield Finding(name, "installed")


def _belongs(marker: Marker, extra: str) -> bool:
    """Whether a requirement is an extra's and not everybody's."""
    return marker.evaluate({"extra": str(canonicalize_name(extra))}) and not marker.evaluate({"extra": ""})
