"""``gesturehand experiments``: the experiments that come with the package, and the files that their names stand for."""

import difflib
import os
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Final

from gesturehand.errors import UserError
from gesturehand.suggestions import did_you_mean_path

#: The folder of experiments in the repository and beside a user's own files; names of experiments may omit it.
EXPERIMENTS: Final = "experiments"
#: Suffixes of the files that are listed; an experiment's name may omit them.
_SUFFIXES: Final = (".yaml", ".sbatch")
_CONFIG_OPTIONS: Final = ("--config", "-c")
#: The use of the files of a folder; all others are for ``fit``.
_USES: Final = {
    "sweeps": "sweep --file",
    "sets": "data synth --config",
    "slurm": "sbatch",
    "slurm/cluster": "ablation --cluster",
}


def travelling_folder(name: str) -> Path:
    """A folder that lies beside the package in the repository, and inside the package if that is installed (setup.py).

    Args:
        name: ``experiments`` or ``notebooks``.
    """
    assets = Path(str(files("gesturehand.assets")))
    installed = assets / name
    return installed if installed.is_dir() else assets.parents[2] / name


def experiment_names() -> dict[str, Path]:
    """Files of the experiments that come with the package, by name: ``demo/finetune``."""
    folder = travelling_folder(EXPERIMENTS)
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def find_experiment(name: str) -> Path | None:
    """The file that a name stands for; a file on disk takes precedence over one of the package.

    Args:
        name: A path, or the name of an experiment, with or without the leading ``experiments/`` and the trailing
            ``.yaml``.

    Returns:
        A path, relative if the name is; None if there is no such file.
    """
    bare = name.removeprefix(f"{EXPERIMENTS}/")
    for path in (name, f"{name}.yaml", f"{EXPERIMENTS}/{bare}", f"{EXPERIMENTS}/{bare}.yaml"):
        # False, and no error, for text that cannot be a path.
        if os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112
            return Path(path)
    return experiment_names().get(Path(bare).as_posix().removesuffix(".yaml"))


def summary_of(experiment: Path) -> str:
    """The first sentence of the comment that an experiment begins with, on one line."""
    lines = experiment.read_text(encoding="utf-8").splitlines()
    comment = [line for line in lines if not line.startswith("#!")]
    end = next((number for number, line in enumerate(comment) if not line.startswith("# ")), len(comment))
    text = " ".join(line.removeprefix("# ") for line in comment[:end])
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]


def expand_configs(words: list[str], tell: Callable[[str], object]) -> list[str]:
    """Replaces names of experiments after ``--config`` with the files that they stand for.

    Args:
        words: A command line.
        tell: Called with a sentence for each name that was replaced.

    Raises:
        UserError: There is no such file and no such experiment.
    """
    expanded: list[str] = []
    expects_config = False
    for word in words:
        option, has_value, value = word.partition("=")
        if expects_config:
            expanded.append(_file_of(word, tell))
        elif option in _CONFIG_OPTIONS and has_value:
            expanded.append(f"{option}={_file_of(value, tell)}")
        else:
            expanded.append(word)
        expects_config = not expects_config and word in _CONFIG_OPTIONS
    return expanded


def _file_of(name: str, tell: Callable[[str], object]) -> str:
    found = find_experiment(name)
    if found is not None:
        if str(found) != name:
            tell(f"Experiment: {found}")
        return str(found)
    if not name or re.search(r"[\n:{=]", name):
        return name  # the parser takes settings in place of a file
    near = difflib.get_close_matches(name.removeprefix(f"{EXPERIMENTS}/"), experiment_names(), n=1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    end = did_you_mean_path(name, f"{meant}`gesturehand experiments` lists them.")
    raise UserError(f"There is no file '{name}' and no experiment of that name: {end}")


def experiments() -> None:
    """Lists the experiments that come with the package, and the command that each is for."""
    from rich.table import Table

    from gesturehand.cli.console import print_table, say

    table = Table(box=None, pad_edge=False)
    for heading in ("experiment", "used with", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for name, path in experiment_names().items():
        table.add_row(name, _USES.get(name) or _USES.get(name.partition("/")[0], "fit --config"), summary_of(path))
    print_table(table, width=140)
    say(
        f"Your own files of these names, also under {EXPERIMENTS}/, come first. `gesturehand init FOLDER` copies these."
    )
