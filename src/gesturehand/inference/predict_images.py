"""Prediction on many images, group by group: JSON, meshes and pictures; finished images can be skipped."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from tqdm import tqdm

from gesturehand.data.image_file import UnreadableImageError, read_image
from gesturehand.file_writing import remove_parts, sync_folder, write_bytes
from gesturehand.inference.output_files import OVERLAY_SUFFIX, overlay_png
from gesturehand.inference.pipeline import AHEAD, ahead
from gesturehand.inference.prediction_run import Frame, PredictionRun, Settings
from gesturehand.inference.query import ImageQuery
from gesturehand.inference.result import HandResult, dump
from gesturehand.inference.sources import Sources

#: Number of images in a group, or the number of crops in a batch if that is larger.
_GROUP: Final = 32


class ImageFile(NamedTuple):
    """An image to predict.

    Attributes:
        path: Its file.
        shown: Its name in messages.
        result: The stem of its results' names.
        group: Number of its group. Hands share batches within a group and not between groups: a batch affects the last
            digits of its results, which must not depend on which groups are predicted, where, or in which order.
    """

    path: Path
    shown: str
    result: str
    group: int


class Unreadable(NamedTuple):
    """An image that could not be read.

    Attributes:
        reason: Its name and its problem, as the end of a sentence.
        sentence: The same as a sentence with a remedy.
    """

    reason: str
    sentence: str


class ImagesDone(NamedTuple):
    """The outcome of predicting images.

    Attributes:
        unreadable: The images that could not be read, in order.
        skipped: Number of images that were done before and left as they were.
    """

    unreadable: list[Unreadable]
    skipped: int


class _Result(msgspec.Struct):
    """The keys that are read from an image's JSON."""

    image: str
    hands: list[msgspec.Raw]
    settings_sha256: str = ""


_RESULT: Final = msgspec.json.Decoder(_Result)


def image_files(sources: Sources, batch_size: int) -> list[ImageFile]:
    """The images of the sources, in groups that depend on nothing else.

    Args:
        sources: The inputs.
        batch_size: Crops at a time.
    """
    names, size = sources.output_names(), max(_GROUP, batch_size)
    return [ImageFile(path, str(path), names[path], number // size) for number, path in enumerate(sources.images)]


def predict_images(run: PredictionRun, images: Sequence[ImageFile], *, side_by_side: bool = True) -> ImagesDone:
    """Predicts images and writes the results; images that cannot be read are noted.

    Args:
        run: The call's settings, output and counts.
        images: All images of each group.
        side_by_side: Reading and searching, predicting, and writing have separate threads, so that none waits for the
            disk; otherwise they follow each other, for processes with one core each.

    Raises:
        UserError: Something given cannot be used, or a file cannot be written.
    """
    settings = run.settings
    waiting: deque[tuple[ImageFile, Frame]] = deque()
    unreadable: list[Unreadable] = []
    bar = tqdm(total=len(images), desc="images", unit="image", disable=not settings.progress or len(images) < 2)
    left = _left(run, images) if settings.skip_done else list(images)
    bar.update(len(images) - len(left))

    def queries() -> Iterator[tuple[int, ImageQuery]]:
        for file in left:
            try:
                image = read_image(file.path)
            except UnreadableImageError as error:
                unreadable.append(_unreadable(file, error))
                bar.update()
                continue
            waiting.append((file, _frame(run, file, image)))
            yield file.group, _query(run, file, waiting[-1][1], image)

    def predicted() -> Iterator[tuple[ImageFile, Frame, list[HandResult]]]:
        with stage(queries()) as asked:
            for _, group in groupby(asked, key=lambda entry: entry[0]):
                for hands in run.predictor.predict_many((query for _, query in group), settings.batch_size):
                    yield *waiting.popleft(), hands

    def stage(items: Iterator[Any], count: int = AHEAD) -> AbstractContextManager[Iterator[Any]]:
        return ahead(items, count) if side_by_side else nullcontext(items)

    with bar, stage(predicted(), settings.batch_size) as results:
        for file, frame, hands in results:
            _write(run, file, frame, hands)
            bar.update()
    sync_folder(settings.output)
    return ImagesDone(unreadable, len(images) - len(left))


def _frame(run: PredictionRun, file: ImageFile, image: np.ndarray) -> Frame:
    frame = run.frame(file.path.name, image, file.path)
    return frame._replace(settings_sha256=run.settings_sha256(file.path.name))


def _query(run: PredictionRun, file: ImageFile, frame: Frame, image: np.ndarray) -> ImageQuery:
    boxes = run.settings.boxes
    hands = run.found_hands(image) if boxes is None else run.given_hands(boxes, file.path.name, None, image)
    return frame.query(image, hands, f"'{file.shown}'")


def _write(run: PredictionRun, file: ImageFile, frame: Frame, hands: list[HandResult]) -> None:
    """Writes the files of an image, the JSON last: if it exists, all do."""
    settings = run.settings
    stem = settings.output / file.result
    content = run.content(frame, hands)
    if settings.mesh is not False:
        run.write_meshes(stem, hands)
    if settings.overlay:
        write_bytes(_overlay(stem), overlay_png(run.picture(frame, hands)), one_of_many=True)
    write_bytes(_numbers(stem), (dump(content) + "\n").encode(), one_of_many=True)


def _numbers(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.json")


def _overlay(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}{OVERLAY_SUFFIX}.png")


def _left(run: PredictionRun, images: Iterable[ImageFile]) -> list[ImageFile]:
    """The images that must still be predicted, with all others of their groups; finished ones are counted.

    A group whose only unfinished images are unreadable counts as finished except for these.
    """
    left: list[ImageFile] = []
    for _, members in groupby(images, key=attrgetter("group")):
        group = list(members)
        hands = [_hands_done(run, file) for file in group]
        missing = [file for file, number in zip(group, hands, strict=True) if number is None]
        if missing and (len(missing) == len(group) or any(map(_is_readable, missing))):
            left += group
            continue
        left += missing
        for number in hands:
            if number is not None:
                run.count(number)
    return left


def remove_unfinished(images: Iterable[ImageFile], settings: Settings) -> None:
    """Removes half-written results that killed processes left."""
    stems = [settings.output / file.result for file in images]
    endings = [f".{kind}" for kind in settings.mesh_formats]
    files = [stem.with_name(stem.name + ending) for stem in stems for ending in endings]
    files += [path for stem in stems for path in (_numbers(stem), _overlay(stem))]
    remove_parts(settings.output, (file.name for file in files))


def _hands_done(run: PredictionRun, file: ImageFile) -> int | None:
    """Number of hands of an image whose results all exist, with these settings, and are not older; otherwise None."""
    stem, settings = run.settings.output / file.result, run.settings
    others = [stem.with_name(f"{stem.name}.{kind}") for kind in settings.mesh_formats if settings.mesh is not False]
    others += [_overlay(stem)] if settings.overlay else []
    try:
        if _numbers(stem).stat().st_mtime < file.path.stat().st_mtime:
            return None
        result = _RESULT.decode(_numbers(stem).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    same = (result.image, result.settings_sha256) == (file.path.name, run.settings_sha256(file.path.name))
    return len(result.hands) if same and all(other.is_file() for other in others) else None


def _is_readable(file: ImageFile) -> bool:
    try:
        read_image(file.path)
    except UnreadableImageError:
        return False
    return True


def _unreadable(file: ImageFile, error: UnreadableImageError) -> Unreadable:
    return Unreadable(f"'{file.shown}' {error.detail}", str(error).replace(str(file.path), file.shown))
