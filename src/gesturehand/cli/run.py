"""``gesturehand run …``: what finished and tested runs say."""

import shutil
import sys
from pathlib import Path

from rich.console import Console

from gesturehand.runs import newest_run, write_json


def latest(runs: str = "runs") -> None:
    """Prints the folder of the newest finished run of the second stage; controls and ablations do not count.

    Args:
        runs: Folder to search.
    """
    Console().print(str(newest_run(runs)), soft_wrap=True, highlight=False)


def summary(run: str = "latest", runs: str = "runs", out: str | None = None, into: str | None = None) -> None:
    """Compares a tested run with the mean joints and the mean MANO pose of its training set.

    Args:
        run: Folder of the run, or "latest".
        runs: Where "latest" is searched.
        out: Folder for summary.json and the test's pictures; the test's own folder always gets summary.json.
        into: Document whose table between "<!-- summary:begin -->" and "<!-- summary:end -->" is replaced.
    """
    from gesturehand.evaluation.summary import (
        newest_test,
        summarise,
        summary_markdown,
        summary_table,
        write_between_markers,
    )

    tested = newest_test(newest_run(runs) if run == "latest" else Path(run))
    result = summarise(tested)
    folders = [tested, Path(out)] if out else [tested]
    for folder in folders:
        write_json(folder / "summary.json", result)
    if out:
        for picture in tested.glob("*.png"):
            shutil.copyfile(picture, Path(out) / picture.name)
    if into:
        source = f"<!-- written by `gesturehand run summary --into {into}` -->\n"
        write_between_markers(Path(into), source + summary_markdown(result))
    # A table in a log file has no terminal to fit into.
    Console(width=None if sys.stdout.isatty() else 140).print(summary_table(result, f"Test: {tested}"))
    Console().print(f"Written to {folders[-1] / 'summary.json'}", soft_wrap=True, highlight=False)
