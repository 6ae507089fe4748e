"""``gesturehand experiments``: the experiments that come with the package, a line each."""

from typing import Final

from rich.table import Table

from gesturehand.cli.console import print_table, say
from gesturehand.cli.experiment_files import EXPERIMENTS, experiment_names, summary_of

#: How the files of a folder are used; all others are for ``fit``.
_USES: Final = {
    "sweeps": "sweep --file",
    "sets": "data synth --config",
    "slurm": "sbatch",
    "slurm/cluster": "ablation --cluster",
}


def experiments() -> None:
    """Lists the experiments that come with the package, and what each is used with."""
    table = Table(box=None, pad_edge=False)
    for heading in ("experiment", "used with", "what it is"):
        table.add_column(heading, no_wrap=heading != "what it is")
    for name, path in experiment_names().items():
        table.add_row(name, _USES.get(name) or _USES.get(name.partition("/")[0], "fit --config"), summary_of(path))
    print_table(table, width=140)
    say(f"Files of yours with such names, or under {EXPERIMENTS}/, come first. `gesturehand init FOLDER` copies these.")
