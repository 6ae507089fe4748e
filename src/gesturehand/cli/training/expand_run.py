"""``--run FOLDER`` on the command line: an earlier run's config and checkpoint."""

from collections.abc import Callable
from pathlib import Path

from gesturehand.errors import UserError
from gesturehand.runs import CONFIG_FILE, best_checkpoint, newest_run
from gesturehand.suggestions import did_you_mean_path, nearest


def expand_run(words: list[str], tell: Callable[[str], object] = lambda _: None) -> list[str]:
    """Replaces ``--run FOLDER`` by its config and best checkpoint; later words override the config's.

    Args:
        words: The command line, the subcommand first.
        tell: Called with a sentence that says which run is the latest.

    Raises:
        UserError: There is no such run, or it has no config.
    """
    for place, word in enumerate(words):
        name, has_value, value = word.partition("=")
        if name != "--run":
            continue
        if not has_value and place + 1 == len(words):
            raise UserError("--run needs the folder of a run, or 'latest'.")
        value = value if has_value else words[place + 1]
        rest = words[1:place] + words[place + (1 if has_value else 2) :]
        run = Path(value)
        if value == "latest":
            run = newest_run("runs")
            tell(f"Run: {run}")
        config = run / CONFIG_FILE
        if not config.is_file():
            remedy = "give the folder of a run under runs/."
            near = "latest" if nearest(value, ["latest"]) else ""
            meant = f"did you mean '{near}'?" if near else remedy if run.is_dir() else did_you_mean_path(run, remedy)
            raise UserError(f"The run '{run}' has no {CONFIG_FILE}: {meant}")
        # What comes of it is kept inside the run's own folder.
        location = [f"--runs={run.parent}", f"--name={run.name}"]
        return [words[0], f"--config={config}", f"--ckpt_path={best_checkpoint(run)}", *location, *rest]
    return words
