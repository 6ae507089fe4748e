"""Images, folders, videos, cameras and addresses in; JSON, meshes and pictures out."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder
from gesturehand.inference.boxes import BoxFile
from gesturehand.inference.predict_images import Unreadable, image_files, predict_images, remove_unfinished
from gesturehand.inference.predict_videos import predict_video
from gesturehand.inference.prediction_run import PredictionRun, Settings
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.result import HandResult
from gesturehand.inference.sources import Sources, find_sources


class Predicted(NamedTuple):
    """The numbers of predicted images, videos and hands.

    Attributes:
        images: Number of images.
        frames: Number of videos' frames.
        hands: Number of hands in all of them.
        empty: Number of images and frames without a hand.
        last: The hands of the last image.
        skipped: Number of images that were done before.
    """

    images: int
    frames: int
    hands: int
    empty: int
    last: list[HandResult]
    skipped: int = 0


def predict_files(
    predictor: HandPredictor,
    inputs: Sequence[str | Path],
    settings: Settings,
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predicts files and writes the results.

    Args:
        predictor: The predictor.
        inputs: Images, folders of images, videos; as text also numbers of cameras and addresses.
        settings: The settings of output and prediction.
        say: Called once for each assumption.

    Raises:
        UserError: Something given cannot be used. If some of several images cannot be read, the others are predicted
            first.
    """
    sources = prepare(inputs, settings, say)
    run = PredictionRun(predictor, settings, say)
    images = image_files(sources, settings.batch_size)
    if settings.skip_done:
        remove_unfinished(images, settings)
    done = predict_images(run, images)
    if done.unreadable and len(sources.images) == 1:
        refuse_unreadable(done.unreadable, sources, settings)
    read = run.frames
    names = sources.output_names()
    for source in sources.every[len(sources.images) :]:
        predict_video(run, source, names[source])
    refuse_unreadable(done.unreadable, sources, settings)
    return Predicted(read, run.frames - read, run.hands, run.empty, run.last, done.skipped)


def prepare(inputs: Sequence[str | Path], settings: Settings, say: Callable[[str], None]) -> Sources:
    """Finds the inputs to predict, and makes the folder of the results.

    Args:
        inputs: As for :func:`predict_files`.
        settings: The settings of output and prediction.
        say: Called with a sentence on files that are left out.

    Raises:
        UserError: Something given cannot be used.
    """
    sources = find_sources(inputs)
    if isinstance(settings.boxes, BoxFile):
        settings.boxes.check_names({Path(one.name).name for one in sources.every})
    _prepare_output(sources, settings.output)
    for sentence in sources.left_out:
        say(sentence)
    return sources


def refuse_unreadable(unreadable: Sequence[Unreadable], sources: Sources, settings: Settings) -> None:
    """Raises a UserError that names the images that could not be read, if there are any."""
    if not unreadable:
        return
    if len(sources.images) == 1:
        raise UserError(unreadable[0].sentence)
    raise UserError(
        f"{len(unreadable)} of {len(sources.images)} images could not be read (the first: {unreadable[0].reason}): the "
        f"others' results are in '{settings.output}'."
    )


def _prepare_output(sources: Sources, output: Path) -> None:
    # Unlike Path.resolve, this also names a link that leads to itself.
    folders = {os.path.dirname(os.path.realpath(path)) for path in (*sources.images, *sources.videos)}  # noqa: PTH120
    if os.path.realpath(output) in folders:
        raise UserError(f"'{output}' holds the images that are predicted: give another folder as --output.")
    make_folder(output)
