"""Images, folders and videos in; JSON, meshes and pictures out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from tqdm import tqdm

from gesturehand.data.image_file import UnreadableImageError, read_image
from gesturehand.detection.detector import MIN_SCORE, SMALLEST_PX
from gesturehand.draw.prediction import PredictionPainter
from gesturehand.errors import UserError
from gesturehand.file_writing import durable_file, make_folder, write_bytes
from gesturehand.inference.boxes import BoxFile, Hand, HandBox, seems_corners
from gesturehand.inference.mesh_files import obj_bytes, ply_bytes
from gesturehand.inference.output_files import OVERLAY_SUFFIX, draw_hands, new_video, overlay_png
from gesturehand.inference.predictor import BATCH_SIZE, HandPredictor
from gesturehand.inference.query import ImageCamera, ImageQuery, Intrinsics, camera_of, intrinsics_matrix
from gesturehand.inference.result import HandResult
from gesturehand.inference.result_json import dump, image_dictionary
from gesturehand.inference.sources import Sources, Video, find_sources
from gesturehand.inference.translation import ASSUMED_FOCAL_OVER_LONGER_SIDE

WHOLE_IMAGE: Final = "No box: the whole image is taken as the hand. Say where it is with --box x,y,w,h or --boxes FILE."
FOUND: Final = "Hands and their sides are looked for. Say where they are with --box x,y,w,h or --boxes FILE."
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
OPEN_HAND: Final = (
    "This network was trained on rendered hands: it is no model of real photos, where it runs and is mostly wrong."
)
OTHER_SIZE: Final = (
    "'{}' changes from {} × {} to {} × {} px at frame {}: every frame is predicted in its own pixels, in which boxes "
    "and intrinsics are taken too, and pictures are fitted into the first one's size."
)
DAMAGED: Final = "'{}' is damaged: {} pieces of it cannot be decoded, and their frames are left out."


@dataclass(frozen=True)
class Settings:
    """What is predicted and written.

    Attributes:
        output: Folder of the results; files of the same names are replaced.
        boxes: Where hands are; looked for, if not given.
        hand: Side of hands whose own is not given; of all hands that are found.
        intrinsics: Of every image; if not given, from its Exif data or assumed.
        min_score: Hands that are found with less certainty are left out.
        max_hands: At most so many are found in an image or frame, the most certain ones.
        smallest_px: Size of the smallest hands that are looked for; None: :data:`SMALLEST_PX` in images, and a tenth of
            the longer side in videos, where time counts.
        batch_size: Crops at a time.
        overlay: Draw pictures.
        mesh: Write OBJ and PLY; None: of images, not of videos.
        progress: Show a progress bar.
    """

    output: Path
    boxes: BoxFile | HandBox | None = None
    hand: Hand | None = None
    intrinsics: Intrinsics = None
    min_score: float = MIN_SCORE
    max_hands: int | None = None
    smallest_px: float | None = None
    batch_size: int = BATCH_SIZE
    overlay: bool = True
    mesh: bool | None = None
    progress: bool = True


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


class _Frame(NamedTuple):
    """An image on its way through the predictor."""

    name: str
    size: tuple[int, int]
    image: np.ndarray | Path
    camera: ImageCamera


def predict_files(
    predictor: HandPredictor,
    inputs: Sequence[str | Path],
    settings: Settings,
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predicts files and writes what was found.

    Args:
        predictor: Predicts.
        inputs: Images, folders of images, videos.
        settings: What is written and where.
        say: Is told once what had to be assumed.

    Raises:
        UserError: Something given cannot serve. Where images of several cannot be read, the others are predicted first.
    """
    sources = find_sources(inputs)
    if isinstance(settings.boxes, BoxFile):
        settings.boxes.check_names({path.name for path in (*sources.images, *sources.videos)})
    _prepare_output(sources, settings.output)
    for sentence in sources.left_out:
        say(sentence)
    run = _Run(predictor, settings, say)
    names = sources.output_names()
    unreadable: list[str] = []
    run.images(sources.images, names, unreadable)
    images = run.frames
    for path in sources.videos:
        run.video(path, names[path])
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(sources.images)} images could not be read (the first: {unreadable[0]}): the "
            f"others' results are in '{settings.output}'."
        )
    return Predicted(images, run.frames - images, run.hands, run.empty, run.last)


def _prepare_output(sources: Sources, output: Path) -> None:
    folders = {path.resolve().parent for path in (*sources.images, *sources.videos)}
    if output.resolve() in folders:
        raise UserError(f"'{output}' holds the images that are predicted: give another folder as --output.")
    make_folder(output)


class _Run:
    def __init__(self, predictor: HandPredictor, settings: Settings, say: Callable[[str], None]) -> None:
        self.predictor = predictor
        self.settings = settings
        self.given = None if settings.intrinsics is None else intrinsics_matrix(settings.intrinsics)
        hand_model = predictor.model.hand_model
        self.painter = PredictionPainter(hand_model.faces.cpu().numpy(), hand_model.num_vertices)
        self.model = {
            "class": type(predictor.model).__name__,
            "checkpoint": str(predictor.checkpoint),
            "hand_model": hand_model.name,
        }
        self.frames = self.hands = self.empty = 0
        self.last: list[HandResult] = []
        self._say = say
        self._said: set[str] = set()
        if predictor.open_hand and not predictor.for_photos:
            self._once(OPEN_HAND)

    def images(self, paths: Sequence[Path], names: dict[Path, str], unreadable: list[str]) -> None:
        """Predicts images; several that cannot be read are noted, a single one is an error."""
        waiting: deque[tuple[Path, _Frame]] = deque()
        bar = tqdm(total=len(paths), desc="images", unit="image", disable=not self.settings.progress or len(paths) < 2)

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
                # The picture is read again where it is drawn: a batch of photos would fill the memory.
                frame, query = self._asked(path.name, None, image, path, f"'{path}'")
                waiting.append((path, frame))
                yield query

        with bar:
            for hands in self.predictor.predict_many(queries(), self.settings.batch_size):
                path, frame = waiting.popleft()
                stem = self.settings.output / names[path]
                content = self._content(frame, hands)
                if self.settings.mesh is not False:
                    self._write_meshes(stem, hands)
                if self.settings.overlay:
                    write_bytes(
                        stem.with_name(f"{stem.name}{OVERLAY_SUFFIX}.png"), overlay_png(self._picture(frame, hands))
                    )
                write_bytes(stem.with_name(f"{stem.name}.json"), (dump(content) + "\n").encode())
                bar.update()

    def video(self, path: Path, name: str) -> None:
        """Predicts a video's frames: one file of JSON lines, one video of overlays."""
        video = Video(path)
        waiting: deque[_Frame] = deque()

        def queries() -> Iterator[ImageQuery]:
            sizes: list[tuple[int, int]] = []
            for number, image in enumerate(video):
                size = (image.shape[1], image.shape[0])
                if size not in sizes:
                    sizes.append(size)
                    if len(sizes) > 1:
                        self._say(OTHER_SIZE.format(path, *sizes[0], *size, number))
                frame, query = self._asked(path.name, number, image, None, f"frame {number} of '{path}'")
                waiting.append(frame)
                yield query
            if video.damaged:
                self._say(DAMAGED.format(path, video.damaged))

        stem = self.settings.output / name
        bar = tqdm(total=video.frames or None, desc=path.name, unit="frame", disable=not self.settings.progress)
        with ExitStack() as opened:
            opened.enter_context(bar)
            file = opened.enter_context(durable_file(stem.with_name(f"{name}.jsonl")))
            if self.settings.overlay:
                overlay = stem.with_name(f"{name}{OVERLAY_SUFFIX}.mp4")
                pictures = opened.enter_context(new_video(overlay, video.fps))
            before = self.frames
            for hands in self.predictor.predict_many(queries(), self.settings.batch_size):
                frame = waiting.popleft()
                file.write(f"{dump(self._content(frame, hands), indent=3)}\n".encode())
                if self.settings.mesh:
                    self._write_meshes(stem / f"{self.frames - before - 1:06d}", hands)
                if self.settings.overlay:
                    pictures.add(self._picture(frame, hands))
                bar.update()
            if self.frames == before:
                raise UserError(f"'{path}' has no frame that can be decoded: convert it to MP4 (H.264), for instance.")

    def _asked(
        self, name: str, number: int | None, image: np.ndarray, file: Path | None, words: str
    ) -> tuple[_Frame, ImageQuery]:
        height, width = image.shape[:2]
        camera = camera_of(self.given, file, width, height)
        if camera.source == "assumed":
            self._once(NO_INTRINSICS)
        hands = self._hands(name, number, image)
        frame = _Frame(
            name if number is None else f"{name}#{number}", (width, height), image if file is None else file, camera
        )
        return frame, ImageQuery(image, hands, camera.intrinsics, words, camera.source)

    def _hands(self, name: str, frame: int | None, image: np.ndarray) -> tuple[HandBox, ...]:
        settings, boxes = self.settings, self.settings.boxes
        if boxes is None:
            self._once(FOUND)
            smallest = settings.smallest_px or (SMALLEST_PX if frame is None else max(image.shape) / 10)
            return self.predictor.find(
                image,
                settings.hand,
                min_score=settings.min_score,
                max_hands=settings.max_hands,
                smallest_px=smallest,
            )
        hands = boxes.of(name, frame) if isinstance(boxes, BoxFile) else [boxes]
        height, width = image.shape[:2]
        for hand in hands:
            if hand.box is not None and seems_corners(hand.box, width, height):
                self._once(CORNERS.format(list(hand.box), name, width, height))
        if any(hand.box is None for hand in hands):
            self._once(WHOLE_IMAGE)
        if self.settings.hand is None and any(hand.hand is None for hand in hands):
            self._once(NO_SIDE.format("a right and a left one" if self.predictor.two_hand else "right ones"))
        return tuple(replace(hand, hand=hand.hand or self.settings.hand) for hand in hands)

    def _content(self, frame: _Frame, hands: list[HandResult]) -> dict[str, object]:
        self.frames += 1
        self.hands += len(hands)
        self.empty += not hands
        self.last = hands
        return image_dictionary(frame.name, frame.size, *frame.camera, hands, self.model)

    def _picture(self, frame: _Frame, hands: list[HandResult]) -> np.ndarray:
        image = read_image(frame.image) if isinstance(frame.image, Path) else frame.image
        return draw_hands(self.painter, image, hands, frame.camera.intrinsics)

    def _write_meshes(self, stem: Path, hands: list[HandResult]) -> None:
        write_bytes(stem.with_name(f"{stem.name}.obj"), obj_bytes(hands))
        write_bytes(stem.with_name(f"{stem.name}.ply"), ply_bytes(hands))

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)
