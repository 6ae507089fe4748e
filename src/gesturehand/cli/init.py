"""``gesturehand init``: a user's own folder to start from."""

import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from gesturehand.cli.console import say
from gesturehand.cli.experiments import EXPERIMENTS, travelling_folder
from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder


def init(folder: str) -> None:
    """Copies the experiments, the notebooks and a Makefile into a folder to start from. It overwrites nothing.

    Args:
        folder: The folder, which is created if it does not exist.
    """
    target = Path(folder)
    sources = {name: travelling_folder(name) for name in (EXPERIMENTS, "notebooks")}
    sources["Makefile"] = Path(str(files("gesturehand.assets") / "starter.mk"))
    for name in sources:
        if (target / name).exists() or (target / name).is_symlink():
            raise UserError(f"'{target / name}' is already there and is not overwritten: choose another folder.")
    make_folder(target)
    # Everything or nothing, whatever happens meanwhile.
    with tempfile.TemporaryDirectory(prefix=".init-", dir=target) as complete:
        for name, source in sources.items():
            _copy(source, Path(complete, name))
        for name in sources:
            Path(complete, name).rename(target / name)
    say(f"Written to '{target}': {EXPERIMENTS}/, notebooks/ and a Makefile.")
    say(f"Next, in '{target}': `make demo`, or `gesturehand fit --config demo/pretrain` after `make data`.")


def _copy(source: Path, target: Path) -> None:
    """Copies a file or a folder's visible files; installed files may be read-only, but the copies are not."""
    for path in [source] if source.is_file() else sorted(source.rglob("[!._]*")):
        copy = target / path.relative_to(source)
        if path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
