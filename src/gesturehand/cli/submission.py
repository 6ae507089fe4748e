"""``gesturehand submission``: the archives that FreiHAND's and HO-3D's servers accept."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rich.table import Table

from gesturehand.cli.console import print_table, say
from gesturehand.errors import UserError

if TYPE_CHECKING:
    from gesturehand.data.datamodule import InterHandDataModule

ARCHIVE: Final = "pred.zip"
SCORES_FILE: Final = "submission.json"
_FOR = Literal["freihand", "ho3d_v2", "ho3d_v3"]


def write(predictions: str, data: str, out: str = "pred.zip", format: str | None = None) -> None:
    """Writes the archive for a set's evaluation server from a test's predictions on its evaluation images.

    Args:
        predictions: predictions.npz of `gesturehand test --save_predictions true`, or one in the same format.
        data: The set's folder, with the evaluation images that were predicted.
        out: Archive to write, .zip.
        format: The set's format, freihand, ho3d_v2 or ho3d_v3; recognised by its files if not given.
    """
    from gesturehand.inference.submission import write_submission

    if Path(out).suffix.lower() != ".zip":
        raise UserError(f"'{out}' does not end in .zip: give an archive's name that does.")
    count = write_submission(predictions, data, Path(out), format)
    say(f"{out}: {count:,} hands")


def check(archive: str, format: _FOR | None = None, data: str | None = None) -> None:
    """Checks an archive before it is uploaded: its files, numbers of hands and points, unit, order and frame.

    Args:
        archive: The .zip.
        format: The server's set: freihand, ho3d_v2 or ho3d_v3; may be left out if data is given.
        data: The set's folder, for the number of its evaluation images; the published number if not given.
    """
    from gesturehand.data.formats.registry import format_of
    from gesturehand.data.index import read_index
    from gesturehand.inference.submission import read_submission, remark_on, submission_form

    count: int | None = None
    name: str | None = format
    if data is not None:
        name = format_of(data, format).name
        count = len(read_index(data, "test", mano_fits=False, set_format=name))
    if name is None:
        raise UserError("Nothing says whose server it is for: give --format freihand, ho3d_v2 or ho3d_v3, or --data.")
    form = submission_form(name)
    submission = read_submission(archive, form, count)
    points = submission.vertices.shape[1]
    say(f"{archive}: {len(submission.joints):,} hands with 21 joints and {points} vertices, as {form.title} wants them")
    remark = remark_on(submission)
    if remark:
        say(remark, aside=True)


def score(archive: str, data: str, format: str | None = None, out: str | None = None) -> None:
    """Scores an archive as the set's server does, if the set's evaluation annotations exist.

    Args:
        archive: The .zip.
        data: The set's folder, with evaluation_xyz.json and evaluation_verts.json.
        format: The set's format; recognised by its files if not given.
        out: JSON file for the numbers.
    """
    from gesturehand.inference.submission import score_submission
    from gesturehand.text_file import none_for_nan, write_json

    scores = score_submission(archive, data, format)
    if out:
        write_json(Path(out), none_for_nan(scores))
    print_scores(scores)


def print_scores(scores: dict[str, float]) -> None:
    """Prints a server's numbers as a table."""
    from gesturehand.evaluation.published_scores import PUBLISHED_SCORES

    table = Table(title="As the set's server scores", caption="errors in mm")
    table.add_column("number")
    table.add_column("", justify="right")
    table.add_column("what")
    for name, value in scores.items():
        table.add_row(name, "–" if value != value else f"{value:.3f}", PUBLISHED_SCORES[name])
    print_table(table, width=120)


def check_submission(data: Any) -> None:
    """Refuses a test from which no archive can be made, before it runs.

    Args:
        data: Settings of the data.

    Raises:
        UserError: The set has no server, or not all of its evaluation images are tested.
    """
    from gesturehand.data.formats.registry import format_of
    from gesturehand.inference.submission import submission_form

    submission_form(format_of(data.root, data.format).name)
    filters = ("test_subset", "captures", "cameras", "subjects", "gestures")
    given = [name for name in filters if data[name] is not None]
    if data.test_split != "test" or given:
        raise UserError(
            "--submission is of all evaluation images: set data.test_split to test"
            f"{' and leave out data.' + ', data.'.join(given) if given else ''}."
        )


def write_and_score(folder: Path, data: "InterHandDataModule") -> None:
    """Writes ``pred.zip`` from a test's predictions and, if the annotations exist, the server's numbers.

    Args:
        folder: The test's folder, with its predictions.
        data: The data that was tested.
    """
    from gesturehand.callbacks.evaluation_report import PREDICTIONS_FILE
    from gesturehand.inference.submission import score_submission, write_submission
    from gesturehand.text_file import none_for_nan, write_json

    archive = folder / ARCHIVE
    count = write_submission(folder / PREDICTIONS_FILE, data.root, archive, data.format)
    say(f"{archive}: {count:,} hands; check it with `gesturehand submission check --archive {archive}`", aside=True)
    if all((Path(data.root) / f"evaluation_{kind}.json").is_file() for kind in ("xyz", "verts")):
        scores = score_submission(archive, data.root, data.format)
        write_json(folder / SCORES_FILE, none_for_nan(scores))
        print_scores(scores)
