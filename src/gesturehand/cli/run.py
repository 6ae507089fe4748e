"""``gesturehand run …``: finished and tested runs."""

from pathlib import Path
from typing import Literal

from gesturehand.cli.console import print_table, say, say_deprecated
from gesturehand.file_writing import write_bytes
from gesturehand.json_files import write_json
from gesturehand.markdown import write_between_markers
from gesturehand.runs import newest_run
from gesturehand.settings import ExistingPath


def latest(runs: str = "runs") -> None:
    """Prints the folder of the newest finished run of the second stage; controls and ablations do not count.

    Args:
        runs: Folder to search.
    """
    say(str(newest_run(runs)))


def summary(
    run: ExistingPath | Literal["latest"] = "latest",
    runs: str = "runs",
    out: str | None = None,
    into: str | None = None,
) -> None:
    """Compares a tested run with the mean joints and the mean MANO pose of its training set.

    Args:
        run: Folder of the run, or "latest".
        runs: Where "latest" is searched.
        out: Folder for summary.json and the test's pictures; the test's own folder always gets summary.json.
        into: Deprecated; scripts/document_tables.py writes documents.
    """
    from gesturehand.evaluation.summary import (
        newest_test,
        summarise,
        summary_markdown,
        summary_table,
    )

    tested = newest_test(newest_run(runs) if run == "latest" else Path(run))
    result = summarise(tested)
    folders = [tested, Path(out)] if out else [tested]
    for folder in folders:
        write_json(folder / "summary.json", result)
    if out:
        for picture in tested.glob("*.png"):
            write_bytes(Path(out) / picture.name, picture.read_bytes())
    if into:
        say_deprecated("--into", "summary")
        source = f"<!-- written by `gesturehand run summary --into {into}` -->\n"
        write_between_markers(Path(into), source + summary_markdown(result))
    # A table in a log file has no terminal to fit into.
    print_table(summary_table(result, f"Test: {tested}"), width=140)
    say(f"Written to {folders[-1] / 'summary.json'}")
