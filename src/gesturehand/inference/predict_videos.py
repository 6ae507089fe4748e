"""Prediction on videos: a line of JSON per frame, meshes and a film, while frames are still being read and tracked."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file, sync_folder
from gesturehand.inference.output_files import OVERLAY_SUFFIX, new_video
from gesturehand.inference.pipeline import ahead, first_interrupt
from gesturehand.inference.prediction_run import FOUND, Frame, PredictionRun
from gesturehand.inference.query import ImageQuery
from gesturehand.inference.result import HandResult, dump
from gesturehand.inference.smoothing import HandSmoother, smooth_both_ways
from gesturehand.inference.sources import AddressVideo, Camera, Stream
from gesturehand.inference.tracks import BoxTracks, HandTracker
from gesturehand.inference.video import Video

OTHER_SIZE: Final = (
    "'{}' changes from {} × {} to {} × {} px at frame {}: every frame is predicted in its own pixels, in which boxes "
    "and intrinsics are taken too, and pictures are fitted into the first one's size."
)
DAMAGED: Final = "'{}' is damaged: {} pieces of it cannot be decoded, and their frames are left out."
UNTIL: Final = "'{}' is predicted until Ctrl-C, which ends the files."

Predicted = tuple[Frame, Sequence[int], list[HandResult]]


def predict_video(run: PredictionRun, source: Path | Stream, name: str) -> None:
    """Predicts a video's frames: one file of JSON lines, one film of overlays.

    Args:
        run: What is written, and counted.
        source: A video file, or a source that is predicted until Ctrl-C.
        name: Name of the results.

    Raises:
        UserError: It cannot be read, or has no frames.
    """
    settings, title = run.settings, source.name
    shown = source.name if isinstance(source, Stream) else str(source)
    stem = settings.output / name
    with ExitStack() as opened:
        video: Video | Camera | AddressVideo
        if isinstance(source, Stream):
            video = source.open()
            opened.enter_context(first_interrupt(video.stop))
            run.say(UNTIL.format(shown))
        else:
            video = Video(source)
        bar = opened.enter_context(
            tqdm(total=video.frames or None, desc=title, unit="frame", disable=not settings.progress)
        )
        file = opened.enter_context(durable_file(stem.with_name(f"{name}.jsonl")))
        if settings.overlay:
            overlay = stem.with_name(f"{name}{OVERLAY_SUFFIX}.mp4")
            pictures = opened.enter_context(new_video(overlay, video.fps))
        waiting = max(2, settings.batch_size // 2)
        images = opened.enter_context(ahead(iter(video)))
        asked = opened.enter_context(ahead(_asked(run, images, Path(title).name, shown), waiting))
        predicted = opened.enter_context(
            ahead(_predicted(run, asked, video.fps, live=isinstance(source, Stream)), waiting)
        )
        sizes: list[tuple[int, int]] = []
        number = -1
        for number, (frame, tracks, hands) in enumerate(predicted):
            if frame.size not in sizes:
                sizes.append(frame.size)
                if len(sizes) > 1:
                    run.say(OTHER_SIZE.format(shown, *sizes[0], *frame.size, number))
            file.write(f"{dump(run.content(frame, hands, tracks), indent=3)}\n".encode())
            if settings.mesh:
                run.write_meshes(stem / f"{number:06d}", hands)
            if settings.overlay:
                pictures.add(run.picture(frame, hands, tracks))
            bar.update()
        if settings.mesh and number >= 0:
            sync_folder(stem)
        if video.damaged:
            run.say(DAMAGED.format(shown, video.damaged))
        if number < 0:
            remedy = "try again" if isinstance(source, Stream) else "convert it to MP4 (H.264), for instance"
            raise UserError(f"'{shown}' has no frame that can be decoded: {remedy}.")


def _asked(
    run: PredictionRun, images: Iterator[np.ndarray], name: str, shown: str
) -> Iterator[tuple[Frame, ImageQuery]]:
    """The places of each frame's hands."""
    settings, tracker = run.settings, None
    if settings.boxes is None:
        run.once(FOUND)
        tracker = HandTracker(
            run.predictor.detector,
            settings.side,
            upright=run.predictor.upright,
            min_score=settings.min_score,
            max_hands=settings.max_hands,
            smallest_px=settings.smallest_px,
            detect_every=settings.detect_every,
        )
    for number, image in enumerate(images):
        frame = run.frame(f"{name}#{number}", image)
        if tracker is not None:
            found = tracker(image)
            hands = tuple(one.hand for one in found)
            frame = frame._replace(tracks=tuple(one.track for one in found))
        elif settings.boxes is not None:
            hands = run.given_hands(settings.boxes, name, number, image)
        yield frame, frame.query(image, hands, f"frame {number} of '{shown}'")


def _predicted(
    run: PredictionRun, asked: Iterator[tuple[Frame, ImageQuery]], fps: float, *, live: bool
) -> Iterator[Predicted]:
    """The network's predictions for each frame, smoothed along the tracks."""
    waiting: deque[Frame] = deque()

    def queries() -> Iterator[ImageQuery]:
        for frame, query in asked:
            waiting.append(frame)
            yield query

    box_tracks = BoxTracks()

    def seen() -> Iterator[tuple[Frame, list[int], list[HandResult]]]:
        for hands in run.predictor.predict_many(queries(), run.settings.batch_size):
            frame = waiting.popleft()
            yield frame, box_tracks(hands) if frame.tracks is None else list(frame.tracks), hands

    hand_model = run.predictor.posed_hand
    if not run.settings.smooth:
        yield from seen()
    elif live:  # later frames are not waited for
        smoother = HandSmoother(hand_model, fps)
        for number, (frame, tracks, hands) in enumerate(seen()):
            yield frame, tracks, smoother(number, tracks, hands)
    else:
        yield from smooth_both_ways(hand_model, fps, seen())
