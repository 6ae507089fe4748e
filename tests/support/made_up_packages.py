"""Distributions that are made up: their metadata in a folder that comes first on the path."""

import importlib
from pathlib import Path


def make_distribution(folder: Path, name: str, version: str, *files: str, requires: tuple[str, ...] = ()) -> None:
    """Installs a made-up distribution in a folder: its metadata, and its files, which are empty."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    lines += [f"Requires-Dist: {line}\n" for line in requires]
    (info / "METADATA").write_text("".join(lines))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in (*files, f"{info.name}/METADATA")))
    # A folder that changes twice within a tick of the clock would look unchanged.
    importlib.invalidate_caches()
