"""Images, folders, videos, cameras and addresses in; JSON, meshes and pictures out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from gesturehand.data.image_file import UnreadableImageError, read_image
from gesturehand.errors import UserError
from gesturehand.file_writing import make_folder, sync_folder, write_bytes
from gesturehand.inference.boxes import BoxFile
from gesturehand.inference.output_files import OVERLAY_SUFFIX, overlay_png
from gesturehand.inference.pipeline import ahead
from gesturehand.inference.predict_videos import predict_video
from gesturehand.inference.prediction_run import Frame, PredictionRun, Settings
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.query import ImageQuery
from gesturehand.inference.result import HandResult
from gesturehand.inference.result_json import dump
from gesturehand.inference.sources import Sources, find_sources
from gesturehand.inference.streams import Stream


class Predicted(NamedTuple):
    """What was done.

    Attributes:
        images: Number of images.
        frames: Number of videos' frames.
        hands: Number of hands in all of them.
        empty: Number of images and frames without a hand.
        last: The hands of the last image.
    """

    images: int
    frames: int
    hands: int
    empty: int
    last: list[HandResult]


def predict_files(
    predictor: HandPredictor,
    inputs: Sequence[str | Path],
    settings: Settings,
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predicts files and writes what was found.

    Args:
        predictor: Predicts.
        inputs: Images, folders of images, videos; as text also numbers of cameras and addresses.
        settings: What is written and where.
        say: Is told once what had to be assumed.

    Raises:
        UserError: Something given cannot serve. Where images of several cannot be read, the others are predicted first.
    """
    sources = find_sources(inputs)
    if isinstance(settings.boxes, BoxFile):
        settings.boxes.check_names({Path(one.name).name for one in sources.every})
    _prepare_output(sources, settings.output)
    for sentence in sources.left_out:
        say(sentence)
    run = PredictionRun(predictor, settings, say)
    names = sources.output_names()
    unreadable: list[str] = []
    _predict_images(run, sources.images, names, unreadable)
    images = run.frames
    for source in sources.every[len(sources.images) :]:
        predict_video(run, source, names[source])
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(sources.images)} images could not be read (the first: {unreadable[0]}): the "
            f"others' results are in '{settings.output}'."
        )
    return Predicted(images, run.frames - images, run.hands, run.empty, run.last)


def _prepare_output(sources: Sources, output: Path) -> None:
    if output.resolve() in {path.resolve().parent for path in (*sources.images, *sources.videos)}:
        raise UserError(f"'{output}' holds the images that are predicted: give another folder as --output.")
    make_folder(output)


def _predict_images(
    run: PredictionRun, paths: Sequence[Path], names: dict[Path | Stream, str], unreadable: list[str]
) -> None:
    """Predicts images; several that cannot be read are noted, a single one is an error."""
    settings = run.settings
    waiting: deque[tuple[Path, Frame]] = deque()
    bar = tqdm(total=len(paths), desc="images", unit="image", disable=not settings.progress or len(paths) < 2)

    def queries() -> Iterator[ImageQuery]:
        for path in paths:
            try:
                image = read_image(path)
            except UnreadableImageError as error:
                if len(paths) == 1:
                    raise
                unreadable.append(f"'{path}' {error.detail}")
                bar.update()
                continue
            frame, boxes = run.frame(path.name, image, path), settings.boxes
            hands = run.found_hands(image) if boxes is None else run.given_hands(boxes, path.name, None, image)
            waiting.append((path, frame))
            yield frame.query(image, hands, f"'{path}'")

    def predicted() -> Iterator[tuple[Path, Frame, list[HandResult]]]:
        with ahead(queries()) as asked:
            for hands in run.predictor.predict_many(asked, settings.batch_size):
                yield *waiting.popleft(), hands

    # Images are read and searched, predicted, and written in a thread each, so that none waits for the disk.
    with bar, ahead(predicted(), settings.batch_size) as results:
        for path, frame, hands in results:
            stem = settings.output / names[path]
            content = run.content(frame, hands)
            if settings.mesh is not False:
                run.write_meshes(stem, hands)
            if settings.overlay:
                picture = overlay_png(run.picture(frame, hands))
                write_bytes(stem.with_name(f"{stem.name}{OVERLAY_SUFFIX}.png"), picture, one_of_many=True)
            write_bytes(stem.with_name(f"{stem.name}.json"), (dump(content) + "\n").encode(), one_of_many=True)
            bar.update()
    sync_folder(settings.output)
