"""The common part of predicting images and videos: settings, messages, counts and output."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from gesturehand import __version__
from gesturehand.camera import ASSUMED_FOCAL_OVER_LONGER_SIDE
from gesturehand.data.image_file import read_image
from gesturehand.detection.detector import MIN_SCORE, SMALLEST_PX, check_detection
from gesturehand.draw.hands import PredictionPainter
from gesturehand.file_writing import write_bytes
from gesturehand.inference.boxes import BoxFile, Hand, HandBox, seems_corners
from gesturehand.inference.output_files import DEFAULT_FORMATS, MeshFormat, drawn_hands, mesh_bytes
from gesturehand.inference.predictor import BATCH_SIZE, HandPredictor
from gesturehand.inference.query import ImageCamera, ImageQuery, Intrinsics, camera_of, intrinsics_matrix
from gesturehand.inference.result import HandResult, image_dictionary
from gesturehand.inference.tracks import DETECT_EVERY
from gesturehand.settings import check_range

WHOLE_IMAGE: Final = "No box: the whole image is taken as the hand. Say where it is with --box x,y,w,h or --boxes FILE."
FOUND: Final = "Hands and their sides are being detected. To give them yourself, use --box x,y,w,h or --boxes FILE."
NO_SIDE: Final = "No side: hands are taken as {}. Give --hand right or --hand left."
NO_INTRINSICS: Final = (
    "No intrinsics and no focal length in the Exif data: it is taken as "
    f"{ASSUMED_FOCAL_OVER_LONGER_SIDE:g} × the image's longer side, so the depth in cam_t is a guess. Give "
    "--intrinsics fx,fy,cx,cy for metres."
)
CORNERS: Final = (
    "The box {} of '{}' sticks out of the image's {} × {} px and would lie inside if it were two corners: boxes are x, "
    "y, width, height."
)
OPEN_HAND: Final = "This network was trained on rendered hands only: on real photos it runs, but is mostly wrong."


@dataclass(frozen=True)
class Settings:
    """What is predicted and written.

    Attributes:
        output: Folder of the results; files of the same names are replaced.
        boxes: Where hands are; if not given, they are detected.
        side: Side of hands whose own is not given, and of all detected hands.
        intrinsics: Intrinsics of every image; if not given, from its Exif data or assumed.
        min_score: Leave out detected hands with a lower score.
        max_hands: Keep at most this many detected hands per image or frame, the most certain ones.
        smallest_px: Size of the smallest hands to detect; None: :data:`SMALLEST_PX` in images, and a tenth of the
            longer side in videos, where time counts.
        batch_size: Crops at a time.
        overlay: Draw pictures.
        mesh: Write meshes; None: for images, not for videos.
        mesh_formats: The written ones of :data:`~gesturehand.inference.output_files.MESH_FORMATS`.
        y_up: Meshes are turned by 180° about x, so that y points up; GLB always is.
        smooth: Smooth the hands of videos.
        detect_every: Frames of a video from one search for hands to the next.
        skip_done: Skip images that were predicted with the same network and settings.
        progress: Show a progress bar.
    """

    output: Path
    boxes: BoxFile | HandBox | None = None
    side: Hand | None = None
    intrinsics: Intrinsics = None
    min_score: float = MIN_SCORE
    max_hands: int | None = None
    smallest_px: float | None = None
    batch_size: int = BATCH_SIZE
    overlay: bool = True
    mesh: bool | None = None
    mesh_formats: tuple[MeshFormat, ...] = DEFAULT_FORMATS
    y_up: bool = False
    smooth: bool = True
    detect_every: int = DETECT_EVERY
    skip_done: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        """Checks the numbers, also those that the given files will not need.

        Raises:
            UserError: One is out of its range.
        """
        check_detection(min_score=self.min_score, max_hands=self.max_hands, smallest_px=self.smallest_px)
        check_range("", 1, whole=True, batch_size=self.batch_size, detect_every=self.detect_every)


class Frame(NamedTuple):
    """An image, or a video's frame, on its way through the predictor.

    Attributes:
        name: Its name in the results.
        size: Width and height, px.
        image: The image to draw on; None if it is not drawn.
        camera: Its intrinsics.
        tracks: Numbers of the tracks of a video's hands, if known before the prediction.
        settings_sha256: Digest of the network and the settings of an image.
    """

    name: str
    size: tuple[int, int]
    image: np.ndarray | Path | None
    camera: ImageCamera
    tracks: tuple[int, ...] | None = None
    settings_sha256: str | None = None

    def query(self, image: np.ndarray, hands: tuple[HandBox, ...], words: str) -> ImageQuery:
        """The query to the predictor; ``words`` name the image in errors."""
        return ImageQuery(image, hands, self.camera.intrinsics, words, self.camera.source)


class PredictionRun:
    """One call of ``predict``.

    Args:
        predictor: The predictor.
        settings: The settings of output and prediction.
        say: Called once for each assumption.
        tell: Called with the hands of every image and frame, and a frame's tracks, before they are written; any
            exception from it ends the run.

    Attributes:
        painter: Draws the hands.
        frames: Number of images and frames so far.
        hands: Number of hands in them.
        empty: Number of images and frames without a hand.
        last: The hands of the last one.
    """

    def __init__(
        self,
        predictor: HandPredictor,
        settings: Settings,
        say: Callable[[str], None],
        tell: Callable[[list[HandResult], Sequence[int] | None], None] | None = None,
    ) -> None:
        self.predictor = predictor
        self.settings = settings
        self.say = say
        self._tell = tell
        self.frames = self.hands = self.empty = 0
        self.last: list[HandResult] = []
        self._given = None if settings.intrinsics is None else intrinsics_matrix(settings.intrinsics)
        hand_model = predictor.model.hand_model
        self._model = {
            "class": type(predictor.model).__name__,
            "checkpoint": str(predictor.checkpoint),
            "hand_model": hand_model.name,
        }
        self._said: set[str] = set()
        if predictor.open_hand and not predictor.for_photos:
            self.once(OPEN_HAND)

    def frame(self, name: str, image: np.ndarray, file: Path | None = None) -> Frame:
        """An image or frame with its camera.

        Args:
            name: Its name in the results.
            image: (H, W, 3) uint8 RGB.
            file: The image file that it comes from, if any: it is drawn from there, since a batch of photos would fill
                the memory.
        """
        height, width = image.shape[:2]
        camera = camera_of(self._given, file, width, height)
        if camera.source == "assumed":
            self.once(NO_INTRINSICS)
        drawn = None if not self.settings.overlay else image if file is None else file
        return Frame(name, (width, height), drawn, camera)

    def found_hands(self, image: np.ndarray) -> tuple[HandBox, ...]:
        """Hands of an image whose boxes are not given."""
        self.once(FOUND)
        return self.predictor.find(
            image,
            self.settings.side,
            min_score=self.settings.min_score,
            max_hands=self.settings.max_hands,
            smallest_px=SMALLEST_PX if self.settings.smallest_px is None else self.settings.smallest_px,
        )

    def given_hands(
        self, boxes: BoxFile | HandBox, name: str, frame: int | None, image: np.ndarray
    ) -> tuple[HandBox, ...]:
        """Hands of an image or frame whose boxes are given.

        Args:
            boxes: The boxes.
            name: Name of the image's or video's file.
            frame: Number of the frame.
            image: (H, W, 3).
        """
        hands = boxes.of(name, frame) if isinstance(boxes, BoxFile) else [boxes]
        height, width = image.shape[:2]
        for hand in hands:
            if hand.box is not None and seems_corners(hand.box, width, height):
                self.once(CORNERS.format(list(hand.box), name, width, height))
        if any(hand.box is None for hand in hands):
            self.once(WHOLE_IMAGE)
        if self.settings.side is None and any(hand.side is None for hand in hands):
            self.once(NO_SIDE.format("a right and a left one" if self.predictor.two_hand else "right ones"))
        return tuple(replace(hand, side=hand.side or self.settings.side) for hand in hands)

    def content(self, frame: Frame, hands: list[HandResult], tracks: Sequence[int] | None = None) -> dict[str, object]:
        """The text to write for an image or frame, which is counted."""
        self.count(len(hands))
        self.last = hands
        if self._tell is not None:
            self._tell(hands, tracks)
        return image_dictionary(
            frame.name, frame.size, *frame.camera, hands, self._model, tracks, frame.settings_sha256
        )

    def count(self, hands: int) -> None:
        """Counts an image or frame with the given number of hands."""
        self.frames += 1
        self.hands += hands
        self.empty += not hands

    def settings_sha256(self, name: str) -> str:
        """SHA-256 of everything but the image on which its numbers and meshes depend: network, settings, its boxes.

        Anything that changes only the last digits is left out: engine, device and batch size.

        Args:
            name: Name of the image's file.
        """
        boxes = self.settings.boxes
        given = boxes.of(name) if isinstance(boxes, BoxFile) else [boxes]
        digest = self._asked.copy()
        digest.update(repr(given).encode())
        return digest.hexdigest()

    @cached_property
    def _asked(self) -> Any:
        """The digest of everything that is the same for all images."""
        settings = self.settings
        asked = (
            *(__version__, self.predictor.sha256, settings.side, settings.min_score, settings.max_hands),
            *(settings.smallest_px, settings.y_up, None if self._given is None else self._given.tolist()),
        )
        return hashlib.sha256(repr(asked).encode())

    @cached_property
    def painter(self) -> PredictionPainter:
        """Created only if something is drawn, since closing the meshes takes a moment."""
        hand_model = self.predictor.model.hand_model
        return PredictionPainter(hand_model.faces.cpu().numpy(), hand_model.num_vertices)

    def picture(self, frame: Frame, hands: list[HandResult], tracks: Sequence[int] | None = None) -> np.ndarray:
        """The overlay of a frame that is drawn."""
        return self.painter(_image_of(frame), drawn_hands(hands, tracks), frame.camera.intrinsics)

    def write_meshes(self, stem: Path, hands: list[HandResult]) -> None:
        """Writes a file of each format."""
        for kind in self.settings.mesh_formats:
            content = mesh_bytes(hands, kind, y_up=self.settings.y_up)
            write_bytes(stem.with_name(f"{stem.name}.{kind}"), content, one_of_many=True)

    def once(self, text: str) -> None:
        """Says a sentence unless it has been said already."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)


def introduction(predictor: HandPredictor) -> str:
    """The network, device and engine in one line."""
    return f"Weights: {predictor.checkpoint}, on {predictor.device}, by {predictor.engine_name}"


def _image_of(frame: Frame) -> np.ndarray:
    image = read_image(frame.image) if isinstance(frame.image, Path) else frame.image
    assert image is not None
    return image
