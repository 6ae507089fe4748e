"""What a synthetic set consists of, before anything is drawn: every captured frame, its hands, cameras and flags."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import numpy as np

from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, fine_index, vocabulary
from gesturehand.skeleton import SIDES, Side
from gesturehand.synthetic.cameras import CAMERA_NAMES

Split = Literal["train", "val", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "val", "test")

#: Captures are numbered apart from subjects, so that code which mixes up the two finds nothing.
_FIRST_CAPTURE: Final = 100
_FIRST_FRAME: Final = 1000
#: InterHand2.6M's 5 fps release keeps every sixth frame of a sequence.
_FRAME_STEP: Final = 6
#: InterHand2.6M's names of sequences without a gesture of the vocabulary.
_ROM_NAMES: Final = {"right": "ROM03_RT_No_Occlusion", "left": "ROM03_LT_No_Occlusion"}
_TWO_HAND_NAMES: Final = ("0261_dh_fingergun", "0389_dh_nontouchROM")


@dataclass(frozen=True)
class PlannedFrame:
    """One captured frame: the same moment, seen by one or more cameras.

    Attributes:
        split: train, val or test.
        subject: number of the person.
        capture: number of the recording session; a subject has one.
        seq_name: InterHand2.6M's name of the sequence.
        frame_idx: number of the frame, unique within the capture.
        sides: the hands to be seen.
        fine: class of each hand's gesture, -1 for any movement.
        phase: place within the sequence, 0 to 1.
        cameras: names; the wrist's orientation is drawn as the first one sees it.
        has_fit: whether a MANO fit is written and every joint is valid.
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
    image_id: int

    @property
    def labelled(self) -> bool:
        """Whether the sequence's name carries a gesture of the vocabulary."""
        return len(self.sides) == 1 and self.fine != (NO_GESTURE,)


def make_plan(
    *,
    subjects: Sequence[int],
    frames: Sequence[int],
    views: int,
    gestures: Sequence[str] | None,
    left_share: float,
    two_hand_share: float,
    without_fit_share: float,
    rom_share: float,
    seed: int,
) -> list[PlannedFrame]:
    """Plans all captured frames of a set; the arguments are those of ``write_synthetic_set``.

    Labelled frames are spread evenly over the gestures, within a gesture over the subjects, and for each of these over
    the two hands. A subject belongs to one split.

    Raises:
        UserError: an argument is out of range or a gesture is unknown.
    """
    _check(subjects, frames, views, left_share, two_hand_share, without_fit_share, rom_share)
    fine = [fine_index(name) for name in gestures] if gestures else list(range(len(vocabulary().fine)))
    planned: list[PlannedFrame] = []
    first_subject = 0
    for number, split in enumerate(SPLITS):
        people = range(first_subject, first_subject + subjects[number])
        first_subject += subjects[number]
        rng = np.random.default_rng([seed, 1, number])
        shots = _shots(frames[number], people, fine, left_share, two_hand_share, rom_share)
        planned += _in_sequences(split, shots, views, without_fit_share, rng)
    return planned


@dataclass(frozen=True, order=True)
class _Shot:
    """A frame before it has a place in its sequence."""

    subject: int
    seq_name: str
    sides: tuple[Side, ...]
    fine: tuple[int, ...]


def _shots(
    count: int, people: range, gestures: list[int], left_share: float, two_hand_share: float, rom_share: float
) -> list[_Shot]:
    two_hand, rom = round(two_hand_share * count), round(rom_share * count)
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
    """Spreads a share evenly over counted things."""
    return int((count + 1) * share) > int(count * share)


def _in_sequences(
    split: Split, shots: list[_Shot], views: int, without_fit_share: float, rng: np.random.Generator
) -> list[PlannedFrame]:
    without_fit = set(rng.choice(len(shots), round(without_fit_share * len(shots)), replace=False).tolist())
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
                cameras=tuple(CAMERA_NAMES[c] for c in rng.permutation(len(CAMERA_NAMES))[:views]),
                has_fit=i not in without_fit,
                image_id=i * views,
            )
        )
    return planned


@cache
def sequence_numbers() -> dict[str, int]:
    """The number that InterHand2.6M gives a sequence name's right-hand recording; the left hand's is 100 more."""
    table = (files("gesturehand.assets") / "sequence_numbers.csv").read_text(encoding="utf-8")
    return {row["sequence"]: int(row["number"]) for row in csv.DictReader(table.splitlines())}


def _check(
    subjects: Sequence[int],
    frames: Sequence[int],
    views: int,
    left_share: float,
    two_hand_share: float,
    without_fit_share: float,
    rom_share: float,
) -> None:
    for name, value in (("subjects", subjects), ("frames", frames)):
        if len(value) != len(SPLITS) or min(value) < 0:
            raise UserError(f"{name} must be three numbers, for train, val and test, and is {list(value)}.")
    for split, people, count in zip(SPLITS, subjects, frames, strict=True):
        if count and not people:
            raise UserError(f"subjects gives {split} nobody, but frames gives it {count} frames: give it a subject.")
    if not 1 <= views <= len(CAMERA_NAMES):
        raise UserError(f"views must be between 1 and {len(CAMERA_NAMES)}, the dome's cameras, and is {views}.")
    shares = {
        "left_share": left_share,
        "two_hand_share": two_hand_share,
        "without_fit_share": without_fit_share,
        "rom_share": rom_share,
    }
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError(f"{name} must lie between 0 and 1 and is {share}.")
    if two_hand_share + rom_share > 1:
        raise UserError(f"two_hand_share and rom_share are {two_hand_share} and {rom_share}: together at most 1.")
