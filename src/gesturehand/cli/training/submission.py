"""The archive for a set's server, at the end of a test that was asked for one."""

from pathlib import Path
from typing import Any, Final

from gesturehand.callbacks.evaluation_report import PREDICTIONS_FILE
from gesturehand.cli.console import say
from gesturehand.cli.submission import print_scores
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.formats.registry import format_of
from gesturehand.errors import UserError
from gesturehand.inference.submission import score_submission, submission_form, write_submission
from gesturehand.json_files import none_for_nan, write_json

ARCHIVE: Final = "pred.zip"
SCORES_FILE: Final = "submission.json"


def check_submission(data: Any) -> None:
    """Refuses a test of which no archive can be made, before it runs.

    Args:
        data: Settings of the data.

    Raises:
        UserError: The set has no server, or not all of its evaluation images are tested.
    """
    submission_form(format_of(data.root, data.format).name)
    filters = ("test_subset", "captures", "cameras", "subjects", "gestures")
    given = [name for name in filters if data[name] is not None]
    if data.test_split != "test" or given:
        raise UserError(
            "--submission is of all evaluation images: set data.test_split to test"
            f"{' and leave out data.' + ', data.'.join(given) if given else ''}."
        )


def write_and_score(folder: Path, data: InterHandDataModule) -> None:
    """Writes ``pred.zip`` of a test's predictions and, where the annotations are there, the server's numbers.

    Args:
        folder: The test's, with its predictions.
        data: What was tested on.
    """
    archive = folder / ARCHIVE
    count = write_submission(folder / PREDICTIONS_FILE, data.root, archive, data.format)
    say(f"{archive}: {count:,} hands; check it with `gesturehand submission check --archive {archive}`", aside=True)
    if all((Path(data.root) / f"evaluation_{kind}.json").is_file() for kind in ("xyz", "verts")):
        scores = score_submission(archive, data.root, data.format)
        write_json(folder / SCORES_FILE, none_for_nan(scores))
        print_scores(scores)
