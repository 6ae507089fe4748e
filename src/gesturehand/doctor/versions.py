"""Versions of this library, Python and the required libraries, against their allowed ranges; and the optional parts."""

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from gesturehand.doctor.finding import Examination, Finding, examined_apart
from gesturehand.errors import brief
from gesturehand.extras import EXTRAS, install

_PACKAGE: Final = "gesturehand"
#: Distributions that are listed one by one, and the module that each installs; of the others only faults are listed.
MODULES: Final = {
    "torch": "torch",
    "torchvision": "torchvision",
    "pytorch-lightning": "pytorch_lightning",
    "torchmetrics": "torchmetrics",
    "timm": "timm",
    "smplx": "smplx",
    "albumentations": "albumentations",
    "opencv-python-headless": "cv2",
}
#: Importing all of them takes seconds; on a cold network file system it takes minutes.
_PATIENCE_S: Final = 300.0


def versions() -> Iterator[Finding]:
    """Findings on Python, on every library that this one needs, on the providers of ``cv2``, and on imports."""
    own = metadata.metadata(_PACKAGE)
    yield Finding(_PACKAGE, own["Version"])
    asked = own["Requires-Python"] or ""
    good = SpecifierSet(asked).contains(platform.python_version(), prereleases=True)
    value = f"{platform.python_version()} ({asked}), {platform.python_implementation()}"
    yield Finding.judged("Python", value, good, f"make an environment with Python {asked}", "problem")
    yield Finding("platform", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield Finding("environment", "a virtual environment" if sys.prefix != sys.base_prefix else "the system's Python")
    needed = [one for one in requirements_of(_PACKAGE) if one.marker is None or one.marker.evaluate({"extra": ""})]
    others = 0
    for requirement in needed:
        finding = compared(requirement)
        if canonicalize_name(requirement.name) in MODULES or finding.state != "ok":
            yield finding
        else:
            others += 1
    yield Finding("other libraries", f"{others} in the required range")
    yield from pairs()
    yield from providers_of_cv2()
    yield from examined_apart(__name__, "imports", _PATIENCE_S)


def requirements_of(distribution: str) -> list[Requirement]:
    """The requirements of an installed distribution, from its metadata; nothing if it is not installed."""
    try:
        return [Requirement(line) for line in metadata.requires(distribution) or ()]
    except metadata.PackageNotFoundError:
        return []


def installed_version(distribution: str) -> str | None:
    """The version of a distribution; None if it is not installed, or so damaged that it has none."""
    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, KeyError):
        return None


def compared(requirement: Requirement) -> Finding:
    """Compares an installed version with the required range."""
    installed, asked = installed_version(requirement.name), str(requirement.specifier) or "any version"
    remedy = f"pip install '{requirement.name}{requirement.specifier}'"
    if installed is None:
        return Finding(requirement.name, f"not installed ({asked})", "problem", remedy)
    good = requirement.specifier.contains(installed, prereleases=True)
    return Finding.judged(requirement.name, f"{installed} ({asked})", good, remedy, "problem")


def pairs() -> Iterator[Finding]:
    """Whether torchvision is built for the torch that is installed; each of its releases names one."""
    vision, torch = installed_version("torchvision"), installed_version("torch")
    if vision is None or torch is None:
        return
    asked = next((one for one in requirements_of("torchvision") if canonicalize_name(one.name) == "torch"), None)
    if asked is None:
        return
    good = asked.specifier.contains(torch, prereleases=True)
    found = f"torchvision {vision} is built for torch{asked.specifier}, and torch is {torch}"
    remedy = f"pip install 'torchvision=={vision}' 'torch{asked.specifier}', from one package index"
    yield Finding.judged("torch and torchvision", "go together" if good else found, good, remedy, "problem")


def providers_of_cv2() -> Iterator[Finding]:
    """The distributions that install ``cv2``: all of OpenCV's write the same folder, and the last one wins."""
    names = sorted(set(metadata.packages_distributions().get("cv2", [])))
    provided = ", ".join(f"{name} {installed_version(name)}" for name in names) or "no distribution"
    if len(names) > 1:
        yield Finding(
            "cv2 is provided by",
            f"{provided}: they overwrite each other's files",
            "warning",
            f"pip uninstall -y {' '.join(names)} && pip install opencv-python-headless",
        )
    else:
        yield Finding("cv2 is provided by", provided)


def imports() -> Examination:
    """Imports the libraries that are listed one by one; any exception is a finding."""
    failed = False
    for distribution, module in MODULES.items():
        yield f"import {module}"
        try:
            imported = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name == module:
                failed = True  # a missing installation is reported with its version
                continue
            failed = True
            yield _not_imported(distribution, module, error)
        except BaseException as error:  # a broken library may raise anything
            failed = True
            yield _not_imported(distribution, module, error)
        else:
            yield from _its_own_version(distribution, module, getattr(imported, "__version__", None))
    if not failed:
        yield Finding("imports", "all of them can be imported")


def _not_imported(distribution: str, module: str, error: BaseException) -> Finding:
    return Finding(
        f"import {module}", brief(error), "problem", f"pip install --force-reinstall --no-deps {distribution}"
    )


def _its_own_version(distribution: str, module: str, own: object) -> Examination:
    """A module with another version than its distribution comes from elsewhere: a folder or another package."""
    installed = installed_version(distribution)
    if not isinstance(own, str) or installed is None:
        return
    # Builds for a kind of device add a word to the version, and OpenCV's package a number.
    said, noted = own.partition("+")[0], installed.partition("+")[0]
    if noted != said and not noted.startswith(f"{said}."):
        yield Finding(
            f"import {module}",
            f"is version {own}, and {distribution} is {installed}: another package or a folder comes first",
            "warning",
            f"pip install --force-reinstall --no-deps {distribution}",
        )


def extras(distribution: str = "gesturehand") -> Iterator[Finding]:
    """A finding for every extra; a missing one is not a fault.

    Args:
        distribution: The distribution whose metadata list what an extra installs.
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
    """Whether a requirement belongs only to an extra."""
    return marker.evaluate({"extra": str(canonicalize_name(extra))}) and not marker.evaluate({"extra": ""})
