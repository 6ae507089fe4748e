"""The plan of a synthetic set, before anything is drawn: its settings, and every captured frame with its hands."""

import csv
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, fine_index, vocabulary
from gesturehand.skeleton import SIDES, Side
from gesturehand.splits import SPLITS, Split
from gesturehand.synthetic.cameras import CAMERA_NAMES

#: Captures and subjects have different numbers, so that code which confuses them finds nothing.
_FIRST_CAPTURE: Final = 100
_FIRST_FRAME: Final = 1000
#: InterHand2.6M's 5 fps release keeps every sixth frame of a sequence.
_FRAME_STEP: Final = 6
#: InterHand2.6M's names of sequences without a gesture of the vocabulary.
_ROM_NAMES: Final = {"right": "ROM03_RT_No_Occlusion", "left": "ROM03_LT_No_Occlusion"}
_TWO_HAND_NAMES: Final = ("0261_dh_fingergun", "0389_dh_nontouchROM")


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A separate random generator for one purpose within a set.

    Args:
        seed: of the set, not negative.
        purpose: the purpose of the numbers.
        numbers: which subject, capture, frame … they are for, not negative.

    Example:
        >>> a, b = generator(0, "subject", 3), generator(0, "subject", 3)
        >>> bool(a.random() == b.random() != generator(0, "capture", 3).random())
        True
    """
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *numbers])


@dataclass(frozen=True)
class SetSettings:
    """Settings of a set; they decide everything that is in it.

    Attributes:
        subjects: Numbers of people in train, val and test, as "[8, 2, 4]"; no person is in two splits.
        frames: Captured frames in train, val and test; a split with 0 is left out.
        views: Cameras that see each captured frame, 1 to 12, minus those that only the test split uses.
        wrist_cone_deg: Largest rotation of the wrist away from palm or back facing the (first) camera, 0 to 180; 180
            allows every orientation.
        gestures: Fine classes to show, as "[fist, a_okay]"; all 35 if not given.
        left_share: Share of left hands among frames with one hand.
        two_hand_share: Share of frames with both hands (hand type "interacting", no gesture label).
        rom_share: Share of range-of-motion frames (no gesture label).
        without_fit_share: Share of frames without a MANO fit and with some invalid joints.
        outside_share: Share of one-hand frames in which the hand is partly outside the image.
        test_only_cameras: Cameras that only the test split uses, in addition to all others.
        seed: The same seed gives the same set, whatever the number of processes; not negative.

    Raises:
        UserError: a value is out of range, or a gesture or camera is unknown.
    """

    subjects: tuple[int, int, int] = (8, 2, 4)
    frames: tuple[int, int, int] = (5600, 350, 1120)
    views: int = 1
    wrist_cone_deg: float = 35.0
    gestures: Sequence[str] | None = None
    left_share: float = 0.5
    two_hand_share: float = 0.0
    rom_share: float = 0.0
    without_fit_share: float = 0.02
    outside_share: float = 0.0
    test_only_cameras: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("subjects", "frames", "gestures", "test_only_cameras"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))
        for name in ("subjects", "frames"):
            value = getattr(self, name)
            if len(value) != len(SPLITS) or min(value) < 0:
                raise UserError(f"{name} must be three numbers, for train, val and test, and is {list(value)}.")
        for split, people, count in zip(SPLITS, self.subjects, self.frames, strict=True):
            if count and not people:
                raise UserError(
                    f"subjects gives {split} nobody, but frames gives it {count} frames: give it a subject."
                )
        if not any(self.frames):
            raise UserError("frames asks for no frame at all: give at least one split some.")
        if not 0 <= self.wrist_cone_deg <= 180:
            raise UserError(f"wrist_cone_deg must lie between 0 and 180 and is {self.wrist_cone_deg}.")
        for gesture in self.gestures or ():
            fine_index(gesture)
        for name in (field.name for field in fields(self) if field.name.endswith("_share")):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must lie between 0 and 1 and is {getattr(self, name)}.")
        if self.two_hand_share + self.rom_share > 1:
            raise UserError(
                f"two_hand_share and rom_share are {self.two_hand_share} and {self.rom_share}: together at most 1."
            )
        self._check_cameras()
        if self.seed < 0:
            raise UserError(f"seed must not be negative and is {self.seed}.")

    def _check_cameras(self) -> None:
        unknown = [name for name in self.test_only_cameras if name not in CAMERA_NAMES]
        if unknown:
            raise UserError(
                f"There is no camera '{unknown[0]}': choose test_only_cameras from {', '.join(CAMERA_NAMES)}."
            )
        shared = len(CAMERA_NAMES) - len(set(self.test_only_cameras))
        if not 1 <= self.views <= shared:
            raise UserError(f"views must be between 1 and {shared}, the training splits' cameras, and is {self.views}.")

    def cameras(self, split: str) -> tuple[str, ...]:
        """Names of the cameras that a split uses."""
        return tuple(name for name in CAMERA_NAMES if split == "test" or name not in self.test_only_cameras)

    def as_json(self) -> dict[str, Any]:
        """Plain values, the same for the same set."""
        return {name: list(value) if isinstance(value, list | tuple) else value for name, value in asdict(self).items()}


#: Name of the benchmark; any change in the output of these settings needs a new version.
BENCHMARK: Final = "openhand-v1"


@dataclass(frozen=True)
class BenchmarkSettings(SetSettings):
    """The same settings with the benchmark's defaults: wrists over the sphere, all kinds of frames, and subjects and
    cameras that only the test split has.
    """

    subjects: tuple[int, int, int] = (16, 4, 8)
    frames: tuple[int, int, int] = (10500, 1050, 3150)
    wrist_cone_deg: float = 180.0
    two_hand_share: float = 0.1
    rom_share: float = 0.1
    without_fit_share: float = 0.03
    outside_share: float = 0.05
    test_only_cameras: Sequence[str] = ("400053", "400063", "410053")


OPENHAND_V1: Final = BenchmarkSettings()


@dataclass(frozen=True)
class PlannedFrame:
    """One captured frame: the same moment, seen by one or more cameras.

    Attributes:
        split: train, val or test.
        subject: number of the person.
        capture: number of the recording session; a subject has one.
        seq_name: InterHand2.6M's name of the sequence.
        frame_idx: number of the frame, unique within the capture.
        sides: the hands in view.
        fine: class of each hand's gesture, -1 for any other movement.
        phase: place within the sequence, 0 to 1.
        cameras: names of the cameras; the wrist's orientation is drawn relative to the first one.
        has_fit: whether a MANO fit is written and every joint is valid.
        partly_outside: whether part of the hand should lie outside the first camera's image.
        image_id: number of the first camera's image; the others' follow.
    """

    split: Split
    subject: int
    capture: int
    seq_name: str
    frame_idx: int
    sides: tuple[Side, ...]
    fine: tuple[int, ...]
    phase: float
    cameras: tuple[str, ...]
    has_fit: bool
    partly_outside: bool
    image_id: int

    @property
    def labelled(self) -> bool:
        """Whether the sequence's name carries a gesture of the vocabulary."""
        return len(self.sides) == 1 and self.fine != (NO_GESTURE,)


def make_plan(settings: SetSettings) -> list[PlannedFrame]:
    """Plans all captured frames of a set.

    Labelled frames are spread evenly over the gestures, within each gesture over the subjects, and for each subject
    over the two hands. A subject belongs to one split.
    """
    names = settings.gestures or vocabulary().fine
    gestures = [fine_index(name) for name in names]
    planned: list[PlannedFrame] = []
    first_subject = 0
    for number, split in enumerate(SPLITS):
        people = range(first_subject, first_subject + settings.subjects[number])
        first_subject += settings.subjects[number]
        rng = np.random.default_rng([settings.seed, 1, number])
        planned += _in_sequences(split, _shots(settings.frames[number], people, gestures, settings), settings, rng)
    return planned


@dataclass(frozen=True, order=True)
class _Shot:
    """A frame that has no place in its sequence yet."""

    subject: int
    seq_name: str
    sides: tuple[Side, ...]
    fine: tuple[int, ...]


def _shots(count: int, people: range, gestures: list[int], settings: SetSettings) -> list[_Shot]:
    left_share = settings.left_share
    two_hand, rom = round(settings.two_hand_share * count), round(settings.rom_share * count)
    shots = []
    for i in range(count - two_hand - rom):
        which, turn = i % len(gestures), i // len(gestures)
        person = (turn + which) % len(people)
        repeat, start = turn // len(people), which // len(people) + person
        side = SIDES[_takes(repeat + start, left_share)]
        fine = gestures[which]
        names = [name for name, index in vocabulary().fine_of_sequence.items() if index == fine]
        name = names[(2 * person + SIDES.index(side)) % len(names)]
        number = sequence_numbers()[name] + 100 * SIDES.index(side)
        shots.append(_Shot(people[person], f"{number:04d}_{name}", (side,), (fine,)))
    for i in range(rom):
        side = SIDES[_takes(i // len(people), left_share)]
        shots.append(_Shot(people[i % len(people)], _ROM_NAMES[side], (side,), (NO_GESTURE,)))
    for i in range(two_hand):
        name = _TWO_HAND_NAMES[i // len(people) % len(_TWO_HAND_NAMES)]
        shown = fine_index("fake_gun") if name.endswith("fingergun") else NO_GESTURE
        shots.append(_Shot(people[i % len(people)], name, SIDES, (shown, shown)))
    return sorted(shots)


def _takes(count: int, share: float) -> bool:
    """Whether the next item of a series takes part, if a share of them does, evenly spread."""
    return int((count + 1) * share) > int(count * share)


def _in_sequences(
    split: Split, shots: list[_Shot], settings: SetSettings, rng: np.random.Generator
) -> list[PlannedFrame]:
    views, cameras = settings.views, settings.cameras(split)
    without_fit = set(rng.choice(len(shots), round(settings.without_fit_share * len(shots)), replace=False).tolist())
    single = [i for i, shot in enumerate(shots) if len(shot.sides) == 1]
    outside = set(rng.choice(single, round(settings.outside_share * len(single)), replace=False).tolist())
    lengths: dict[tuple[int, str], int] = {}
    for shot in shots:
        key = shot.subject, shot.seq_name
        lengths[key] = lengths.get(key, 0) + 1
    place: dict[tuple[int, str], int] = {}
    frame_of: dict[int, int] = {}
    planned = []
    for i, shot in enumerate(shots):
        key = shot.subject, shot.seq_name
        k = place[key] = place.get(key, -1) + 1
        frame_of[shot.subject] = frame_of.get(shot.subject, _FIRST_FRAME) + _FRAME_STEP
        planned.append(
            PlannedFrame(
                split=split,
                subject=shot.subject,
                capture=_FIRST_CAPTURE + shot.subject,
                seq_name=shot.seq_name,
                frame_idx=frame_of[shot.subject],
                sides=shot.sides,
                fine=shot.fine,
                phase=float((k + rng.random()) / lengths[key]),
                cameras=tuple(cameras[c] for c in rng.permutation(len(cameras))[:views]),
                has_fit=i not in without_fit,
                partly_outside=i in outside,
                image_id=i * views,
            )
        )
    return planned


@cache
def sequence_numbers() -> dict[str, int]:
    """The number that InterHand2.6M gives a sequence name's right-hand recording; the left hand's is 100 more."""
    table = (files("gesturehand.assets") / "sequence_numbers.csv").read_text(encoding="utf-8")
    return {row["sequence"]: int(row["number"]) for row in csv.DictReader(table.splitlines())}
