"""Answers a visitor's file with the hands in it, and keeps their files while the visit lasts."""

import os
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from gesturehand.data.image_file import IMAGE_FORMATS, read_image
from gesturehand.errors import UserError
from gesturehand.file_writing import write_bytes
from gesturehand.inference.joint_angles import articulation_of_model
from gesturehand.inference.output_files import (
    OVERLAY_SUFFIX,
    MeshFormat,
    drawn_hands,
    mesh_bytes,
    overlay_png,
    parse_formats,
)
from gesturehand.inference.predict_videos import predict_video
from gesturehand.inference.prediction_run import PredictionRun, Settings
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.result import HandResult, dump
from gesturehand.inference.sources import VIDEO_SUFFIXES
from gesturehand.inference.video import Video

#: The mesh files that a page offers; its viewer shows the GLB.
_MESHES: Final[tuple[MeshFormat, ...]] = ("obj", "glb")
#: The most hands that a page shows; the most certain ones are kept.
_MOST_HANDS: Final = 20
#: A second of film counts as no more frames than this, whatever its rate.
_MOST_FPS: Final = 60
#: First bytes of films from browsers' cameras, and of other films whose names do not show what they are.
_FILM_STARTS: Final = ((4, b"ftyp"), (0, b"\x1aE\xdf\xa3"))
_IMAGE_BRANDS: Final = (b"hei", b"hev", b"mif1", b"msf1", b"avi", b"crx")


class VisitEndedError(Exception):
    """The visitor left, or asked something else, while an answer was being made."""


@dataclass
class Visit:
    """A visitor's last question.

    Attributes:
        folder: Where its results are written; nobody else writes there.
        answer: The answer, once it is known.
    """

    folder: Path
    answer: Any = field(default=None)


class Visits:
    """The visits of an app, by the names of their sessions. Its methods may be called by several threads at once.

    Args:
        root: Folder of all results, which the caller removes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}

    def ask(self, session: str) -> Visit:
        """A new question from a visitor, in an empty folder; the files of the last one are removed."""
        # Nobody can guess the folder's name and thus ask for another visitor's files.
        visit = Visit(self._root / secrets.token_urlsafe(16))
        visit.folder.mkdir(parents=True)
        with self._lock:
            last = self._visits.get(session)
            self._visits[session] = visit
        _remove(last)
        return visit

    def check(self, session: str, visit: Visit) -> None:
        """Does nothing as long as the visitor waits for this answer.

        Raises:
            VisitEndedError: Nobody waits for it any more. Files written meanwhile are removed.
        """
        with self._lock:
            current = self._visits.get(session) is visit
        if not current:
            _remove(visit)
            raise VisitEndedError

    def last(self, session: str) -> Visit | None:
        """The last question of a visitor."""
        with self._lock:
            return self._visits.get(session)

    def end(self, session: str) -> None:
        """Removes everything that is kept for a visitor."""
        with self._lock:
            visit = self._visits.pop(session, None)
        _remove(visit)


def _remove(visit: Visit | None) -> None:
    if visit is not None:
        shutil.rmtree(visit.folder, ignore_errors=True)


class MeshFiles(NamedTuple):
    """The meshes of one photo or frame.

    Attributes:
        obj: The OBJ file.
        glb: The GLB file.
    """

    obj: Path
    glb: Path


@dataclass(frozen=True)
class Answer:
    """The result for a photo or video.

    Attributes:
        folder: Folder of its files.
        stem: The stem of the files' names.
        hands: Hands in the photo, or in each frame of the video.
        tracks: Numbers of the tracks of each frame's hands; None for a photo.
        numbers: The JSON, or a video's JSON lines.
        pictures: A photo's overlays: meshes, and joints with boxes.
        film: A video's overlay.
        assumed: Nothing is known about the camera, so that distances are a guess.
    """

    folder: Path
    stem: str
    hands: list[list[HandResult]]
    tracks: list[list[int]] | None
    numbers: Path
    pictures: tuple[Path, Path] | None
    film: Path | None
    assumed: bool

    @property
    def first(self) -> int:
        """The first frame with a hand; 0 if there is none."""
        return next((number for number, hands in enumerate(self.hands) if hands), 0)


class Answerer:
    """Answers visitors, several at once.

    Args:
        predictor: The predictor.
        max_seconds: Longest video.

    Raises:
        UserError: A package that this requires is not installed.
    """

    def __init__(self, predictor: HandPredictor, max_seconds: float) -> None:
        self.predictor = predictor
        self.max_seconds = max_seconds
        self.articulation = articulation_of_model(predictor.model.hand_model)
        # Loaded now rather than by the first two visitors at once; missing packages are reported now, too.
        _ = predictor.detector, parse_formats(",".join(_MESHES))

    def __call__(
        self, path: Path, folder: Path, min_score: float, progress: Callable[[int, int], None] | None = None
    ) -> Answer:
        """Answers one question.

        Args:
            path: The visitor's photo or video.
            folder: Folder of the results.
            min_score: Leave out hands with a lower score.
            progress: Called with the number of a video's finished frames and of all; any exception from it ends the
                work.

        Raises:
            UserError: The file cannot be used; the message says why, and names the file without its folder.
        """
        try:
            if _is_video(path):
                return self._video(path, folder, min_score, progress)
            return self._photo(path, folder, min_score)
        except UserError as error:
            raise UserError(str(error).replace(str(path), path.name)) from error

    def _photo(self, path: Path, folder: Path, min_score: float) -> Answer:
        settings = Settings(folder, min_score=min_score, max_hands=_MOST_HANDS)
        run = PredictionRun(self.predictor, settings, _say_nothing)
        image = read_image(path, remedy=f"take another one ({IMAGE_FORMATS})")
        frame = run.frame(path.name, image, path)
        query = frame.query(image, run.found_hands(image), f"'{path.name}'")
        hands = next(self.predictor.predict_many([query]))
        numbers = folder / f"{path.stem}.json"
        write_bytes(numbers, (dump(run.content(frame, hands)) + "\n").encode())
        pictures = run.painter.over_image(image, drawn_hands(hands), frame.camera.intrinsics)
        files = tuple(folder / f"{path.stem}{OVERLAY_SUFFIX}_{what}.png" for what in ("mesh", "joints"))
        for file, picture in zip(files, pictures, strict=True):
            write_bytes(file, overlay_png(picture))
        assumed = frame.camera.source == "assumed"
        return Answer(folder, path.stem, [hands], None, numbers, (files[0], files[1]), None, assumed)

    def _video(self, path: Path, folder: Path, min_score: float, progress: Callable[[int, int], None] | None) -> Answer:
        length = Video(path).length()
        if length.seconds > self.max_seconds:
            raise UserError(
                f"'{path.name}' lasts {length.seconds:.1f} seconds, more than {self.max_seconds:g}: cut it shorter."
            )
        if length.frames > _MOST_FPS * self.max_seconds:
            raise UserError(
                f"'{path.name}' has {length.frames} frames, more than {_MOST_FPS * self.max_seconds:.0f}: cut it "
                "shorter."
            )
        hands: list[list[HandResult]] = []
        tracks: list[list[int]] = []

        def tell(found: list[HandResult], numbers: Sequence[int] | None) -> None:
            hands.append(found)
            tracks.append(list(numbers or ()))
            if progress is not None:
                progress(len(hands), max(length.frames, len(hands)))

        settings = Settings(folder, min_score=min_score, max_hands=_MOST_HANDS, progress=False)
        predict_video(PredictionRun(self.predictor, settings, _say_nothing, tell), path, path.stem)
        numbers, film = folder / f"{path.stem}.jsonl", folder / f"{path.stem}{OVERLAY_SUFFIX}.mp4"
        return Answer(folder, path.stem, hands, tracks, numbers, None, film, True)

    def meshes(self, answer: Answer, frame: int) -> MeshFiles:
        """The mesh files of a photo or of a video's frame, written when they are first asked for."""
        stem = answer.folder / (answer.stem if answer.tracks is None else f"{answer.stem}_{frame:06d}")
        files = MeshFiles(*(stem.with_name(f"{stem.name}.{kind}") for kind in _MESHES))
        for kind, file in zip(_MESHES, files, strict=True):
            if not file.exists():
                write_bytes(file, mesh_bytes(answer.hands[frame], kind))
        return files


def _is_video(path: Path) -> bool:
    """Whether a file is a video, by its name or, if that does not tell, by its first bytes."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    film = any(start[place:].startswith(magic) for place, magic in _FILM_STARTS)
    return film and not start[8:].startswith(_IMAGE_BRANDS)


def _say_nothing(sentence: str) -> None:
    """Ignores sentences about command-line options; the page has its own words."""


def remove_empty(folder: Path) -> None:
    """Removes the empty files in a folder, which Gradio leaves behind at every question."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and not entry.stat().st_size:
                Path(entry.path).unlink(missing_ok=True)
