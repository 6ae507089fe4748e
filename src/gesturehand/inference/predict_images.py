"""Many images in; JSON, meshes and pictures out, group by group, with what is done left out on request."""

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

#: Images of a group, or as many as crops of a batch.
_GROUP: Final = 32


class ImageFile(NamedTuple):
    """An image that is predicted.

    Attributes:
        path: Its file.
        shown: As messages name it.
        result: The stem of its results' names.
        group: Number of its group. Hands of one group share batches and those of two do not: a batch decides on the
            last digits of its results, which must not depend on which groups are predicted, where, or after which.
    """

    path: Path
    shown: str
    result: str
    group: int


class Unreadable(NamedTuple):
    """An image that could not be read.

    Attributes:
        reason: Its name and what is wrong with it, as the end of a sentence.
        sentence: The same as a sentence with a remedy.
    """

    reason: str
    sentence: str


class ImagesDone(NamedTuple):
    """The outcome of predicting images.

    Attributes:
        unreadable: Those that could not be read, in order.
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
    """The images of what is to be predicted, in groups that depend on nothing else.

    Args:
        sources: What is to be predicted.
        batch_size: Crops at a time.
    """
    names, size = sources.output_names(), max(_GROUP, batch_size)
    return [ImageFile(path, str(path), names[path], number // size) for number, path in enumerate(sources.images)]


def predict_images(run: PredictionRun, images: Sequence[ImageFile], *, side_by_side: bool = True) -> ImagesDone:
    """Predicts images and writes what is found; those that cannot be read are noted.

    Args:
        run: What is asked, written and counted.
        images: All images of each group.
        side_by_side: Images are read and searched, predicted, and written in a thread each, so that none waits for the
            disk; otherwise one after the other, for processes that have one core each.

    Raises:
        UserError: Something asked for cannot serve, or a file cannot be written.
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
    """Writes the files of an image, the JSON last: where it is, all are."""
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
    """The images that are still to be predicted, with all others of their groups; those that are done are counted.

    A group in which only unreadable images are left counts as done apart from these.
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
    """Removes what killed processes left half-written of images' results."""
    stems = [settings.output / file.result for file in images]
    endings = [f".{kind}" for kind in settings.mesh_formats]
    files = [stem.with_name(stem.name + ending) for stem in stems for ending in endings]
    files += [path for stem in stems for path in (_numbers(stem), _overlay(stem))]
    remove_parts(settings.output, (file.name for file in files))


def _hands_done(run: PredictionRun, file: ImageFile) -> int | None:
    """How many hands an image has whose results are all there, of these settings, and not older than it; else None."""
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
