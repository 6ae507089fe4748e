"""``gesturehand run …``: the runs, their results and their differences."""

import json as json_module
from pathlib import Path
from typing import Any, Literal

from gesturehand.cli.console import print_table, say, say_deprecated
from gesturehand.errors import UserError
from gesturehand.file_writing import write_bytes
from gesturehand.markdown import write_between_markers
from gesturehand.runs import newest_run, newest_test
from gesturehand.settings import ExistingPath
from gesturehand.text_file import none_for_nan, write_json

#: Widest table in a log file, which has no terminal to fit into.
_WIDTH = 160


def list_(runs: str = "runs", json: bool = False) -> None:
    """Lists all runs, newest first: when, what was trained, the best metric, and whether it has finished.

    The command that began an interrupted run continues it. `gesturehand run show RUN` shows one in detail.

    Args:
        runs: Folder of all runs.
        json: Print JSON instead of a table.
    """
    from gesturehand.evaluation.run_comparison import run_row, runs_table
    from gesturehand.evaluation.run_record import find_runs

    found = find_runs(runs)
    if json:
        _print_json([run_row(run) for run in found])
    elif found:
        print_table(runs_table(found), width=_WIDTH)
    else:
        say(f"There is no run under '{runs}': `gesturehand fit` begins one.")


def show(run: str, runs: str = "runs", json: bool = False) -> None:
    """Shows what a run trained and its results.

    Args:
        run: Folder of the run, its name as `run list` has it, a folder of several (the newest is shown), or latest.
        runs: Folder of all runs.
        json: Print JSON instead of tables.
    """
    from gesturehand.evaluation.run_comparison import run_facts, run_table, side_table
    from gesturehand.evaluation.run_record import find_run

    record = find_run(run, runs)
    facts = run_facts(record)
    if json:
        _print_json(facts)
        return
    print_table(run_table(record.name, facts), width=_WIDTH)
    sides = {
        title: {name: [value] for name, value in facts[key].items() if value is not None}
        for key, title in (("validation", "validation at the best checkpoint"), ("test", "newest test"))
    }
    if any(sides.values()):
        for title, side in sides.items():
            if side:
                print_table(side_table(title, "metric", side, ["value"]), width=_WIDTH)
    else:
        say("It has been neither validated nor tested yet: `gesturehand test --run RUN` tests a run that has finished.")


def compare(names: list[str], runs: str = "runs", out: str | None = None, json: bool = False) -> None:
    """Compares runs: the settings in which they differ, their metrics, and a picture of their curves.

    Args:
        names: Folders of runs, their names as `run list` has them, folders of several (the newest is taken), or latest.
        runs: Folder of all runs.
        out: Picture of the curves, .png, .jpg, .pdf or .svg; <runs>/comparison.png if not given. An existing one is
            replaced.
        json: Print JSON instead of tables.
    """
    from gesturehand.draw.charts import save_curves
    from gesturehand.evaluation.run_comparison import (
        compared_curves,
        run_row,
        runs_table,
        settings_that_differ,
        side_table,
        tested_metrics,
        validation_metrics,
    )
    from gesturehand.evaluation.run_record import find_run

    if len(names) < 2:
        raise UserError("A comparison needs at least two runs: `gesturehand run list` shows their names.")
    picture = Path(out) if out else Path(runs) / "comparison.png"
    if picture.suffix.lower() not in (".png", ".jpg", ".jpeg", ".pdf", ".svg"):
        raise UserError(f"'{picture}' does not end in .png, .jpg, .pdf or .svg: give a picture's name that does.")
    found = [find_run(name, runs) for name in names]
    settings, validated, tested = settings_that_differ(found), validation_metrics(found), tested_metrics(found)
    curves = compared_curves(found)
    if curves:
        save_curves(picture, curves, [run.name for run in found])
    if json:
        content = {"runs": [run_row(run) for run in found], "settings": settings, "validation": validated}
        _print_json({**content, "test": tested, "picture": str(picture) if curves else None})
        return
    letters = [chr(ord("A") + number) if number < 26 else str(number + 1) for number in range(len(found))]
    print_table(runs_table(found, letters), width=_WIDTH)
    for title, heading, side in (
        ("settings that differ", "setting", settings),
        ("validation at the best checkpoint", "metric", validated),
        ("newest test", "metric", tested),
    ):
        if side:
            print_table(side_table(title, heading, side, letters), width=_WIDTH)
    if not settings:
        say("The runs' settings are the same.")
    say(f"Written to {picture}" if curves else "Nothing has been logged yet, so there are no curves.")


def _print_json(content: Any) -> None:
    say(json_module.dumps(none_for_nan(content), indent=2, ensure_ascii=False, default=str))


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
        runs: Where to search for "latest".
        out: Folder for summary.json and the test's pictures; the test's own folder always gets summary.json.
        into: Deprecated; scripts/document_tables.py writes documents.
    """
    from gesturehand.evaluation.summary import (
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
