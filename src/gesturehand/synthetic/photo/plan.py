"""The plan of a photo-like set: its settings, and the dome's plan with lenses in place of the dome's cameras."""

import hashlib
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from gesturehand.data.image_file import IMAGE_FORMATS, image_suffixes, look_at_image, read_image
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE
from gesturehand.settings import ExistingPath
from gesturehand.splits import Split
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.plan import PlannedFrame, SetSettings, generator, make_plan

#: The shorter side of a photograph after it is scaled down; pieces of it fill pictures of half that side or less.
_SHORTER_PX: Final = 600
#: Smaller photographs would only give blurred backgrounds.
_SMALLEST_PX: Final = 64
#: With at least this many photographs, every split has its own.
_ENOUGH_TO_SPLIT: Final = 10
#: Smallest and largest side of a picture; in between, everything is drawn to scale.
_IMAGE_PX: Final = (96, 512)


@cache
def photographs_in(folder: str) -> tuple[str, ...]:
    """Names of the photographs in a folder, sorted; subfolders are not searched.

    Raises:
        UserError: it is not a folder, holds no photograph, or holds one that cannot be read or is too small.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UserError(f"backgrounds: '{folder}' is not a folder: name one that holds photographs.")
    suffixes = image_suffixes()
    names = sorted(p.name for p in root.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith("."))
    if not names:
        raise UserError(f"backgrounds: '{folder}' holds no photograph: put some {IMAGE_FORMATS} files into it.")
    for name in names:
        if min(look_at_image(root / name)) < _SMALLEST_PX:
            raise UserError(f"'{root / name}' is smaller than {_SMALLEST_PX} pixels: take it out of the backgrounds.")
    return tuple(names)


@cache
def photographs_digest(folder: str) -> dict[str, Any]:
    """The number of photographs in a folder, and a hash of their names and contents.

    Raises:
        UserError: as :func:`photographs_in`.
    """
    digest = hashlib.sha256()
    names = photographs_in(folder)
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        with (Path(folder) / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return {"photographs": len(names), "sha256": digest.hexdigest()}


def photographs_of(folder: str, split: Split) -> tuple[str, ...]:
    """Names of the photographs that a split uses: each has its own, unless there are too few.

    The first of every ten photographs goes to the test split and the second to the validation split.
    """
    names = photographs_in(folder)
    if len(names) < _ENOUGH_TO_SPLIT:
        return names
    place = {"test": (0,), "val": (1,), "train": tuple(range(2, 10))}[split]
    return tuple(name for number, name in enumerate(names) if number % 10 in place)


def read_photograph(path: Path) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR, scaled down to a shorter side of 600 px if it is larger.

    Raises:
        UserError: it is missing or damaged.
    """
    image = np.ascontiguousarray(read_image(path, remedy="take it out of the backgrounds")[..., ::-1])
    scale = _SHORTER_PX / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True)
class PhotoSettings:
    """Settings of a photo-like set; they decide everything that is in it.

    Attributes:
        subjects: Numbers of people in train, val and test, as "[600, 60, 120]"; no person is in two splits.
        frames: Pictures in train, val and test; a split with 0 is left out.
        backgrounds: Folder of photographs, without hands if possible, pieces of which are put behind the hands; made-up
            ones if not given. With ten or more, every split has its own.
        backgrounds_licence: Terms of those photographs, which go into the set's data card.
        image_px: Side of the pictures.
        gestures: Fine classes to show with a label, as "[fist, a_okay]"; all 35 if not given.
        left_share: Share of pictures whose main hand is a left one.
        two_hand_share: Share of pictures with a second hand (hand type "interacting", no gesture label).
        clasped_share: Share of the pictures with a second hand in which the palms lie together or the fingers are
            interlaced.
        rom_share: Share of one-hand pictures with any other pose (no gesture label).
        fist_share: Share of these poses, apart from grips, that are fists, some with one or two stretched fingers,
            and half of them seen end on.
        outside_share: Share of one-hand pictures in which the hand is partly outside.
        upright_share: Share of pictures in which the hand points up, more or less; in the others it points anywhere.
        solid_share: Share of pictures with a box, ball or cylinder, in the hand or near it.
        occluder_share: Share of pictures with something flat in front of the hand.
        seed: The same seed gives the same set, whatever the number of processes; not negative.

    Raises:
        UserError: a value is out of range, a gesture is unknown, or the folder holds no photograph or has no licence.
    """

    subjects: tuple[int, int, int] = (600, 60, 120)
    frames: tuple[int, int, int] = (30000, 1500, 3000)
    image_px: int = 224
    gestures: tuple[str, ...] | None = None
    left_share: float = 0.5
    two_hand_share: float = 0.28
    clasped_share: float = 0.0
    rom_share: float = 0.4
    fist_share: float = 0.0
    outside_share: float = 0.06
    upright_share: float = 0.75
    solid_share: float = 0.33
    occluder_share: float = 0.25
    backgrounds: ExistingPath | None = None
    backgrounds_licence: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self.of_the_plan()
        smallest, largest = _IMAGE_PX
        if not smallest <= self.image_px <= largest:
            raise UserError(f"image_px must lie between {smallest} and {largest} and is {self.image_px}.")
        for name in (field.name for field in fields(self) if field.name.endswith("_share")):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must lie between 0 and 1 and is {getattr(self, name)}.")
        if self.backgrounds is None:
            if self.backgrounds_licence is not None:
                raise UserError("backgrounds_licence is given without photographs: name their folder as backgrounds.")
            return
        photographs_in(self.backgrounds)
        if not (self.backgrounds_licence or "").strip():
            raise UserError("backgrounds are somebody's photographs: give their terms as backgrounds_licence.")

    def of_the_plan(self) -> SetSettings:
        """The settings of a dome's set with the same people, hands and gestures."""
        return SetSettings(
            subjects=self.subjects,
            frames=self.frames,
            wrist_cone_deg=180.0,
            gestures=self.gestures,
            left_share=self.left_share,
            two_hand_share=self.two_hand_share,
            rom_share=self.rom_share,
            without_fit_share=0.0,
            outside_share=self.outside_share,
            seed=self.seed,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values, the same for the same set; photographs are described by their contents, not by their place."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        if self.backgrounds is not None:
            values["backgrounds"] = photographs_digest(self.backgrounds)
        for name in ("clasped_share", "fist_share"):
            if not values[name]:
                # A set that was written before this share existed is the same set.
                del values[name]
        return {"kind": "photo", **values}


#: Name of the set; any change in the output of these settings needs a new version.
OPENPHOTO: Final = "openphoto-v1"
#: The set with made-up backgrounds; only the backgrounds may differ, if the user gives photographs.
OPENPHOTO_V1: Final = PhotoSettings()


#: Focal lengths in sides of the picture: from a phone at arm's length (field of view 56°) over webcams to long
#: lenses and small pieces of large pictures (12°).
LENSES: Final = {
    "400000": 0.94,
    "400001": 1.25,
    "400002": 1.67,
    "400003": 2.24,
    "400004": 3.1,
    "400005": 4.7,
}
#: InterHand2.6M's name of a sequence in which two hands touch each other.
_TWO_HAND_NAME: Final = "0390_dh_touchROM"


def make_photo_plan(settings: PhotoSettings) -> list[PlannedFrame]:
    """Plans all pictures of a set; a picture's phase is its place among its gesture's pictures by one person."""
    return [_with_lens(frame, settings.seed) for frame in make_plan(settings.of_the_plan())]


def _with_lens(frame: PlannedFrame, seed: int) -> PlannedFrame:
    lens = str(generator(seed, "lens", frame.capture, frame.frame_idx).choice(list(LENSES)))
    if len(frame.sides) == 1:
        return replace(frame, cameras=(lens,))
    return replace(frame, cameras=(lens,), seq_name=_TWO_HAND_NAME, fine=(NO_GESTURE,) * 2)


@cache
def photo_cameras(image_px: int) -> dict[str, DomeCamera]:
    """The lenses as cameras by name; the world is their camera frame."""
    middle = np.full(2, (image_px - 1) / 2, np.float32)
    return {
        name: DomeCamera(
            name=name,
            width=image_px,
            height=image_px,
            focal_px=np.full(2, sides * image_px, np.float32),
            princpt_px=middle,
            rotation=np.eye(3, dtype=np.float32),
            position_mm=np.zeros(3, np.float32),
        )
        for name, sides in LENSES.items()
    }
