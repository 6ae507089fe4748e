"""What a synthetic set consists of, before anything is drawn: every captured frame, its hands, cameras and flags."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np

from gesturehand.gestures import NO_GESTURE, fine_index, vocabulary
from gesturehand.skeleton import SIDES, Side
from gesturehand.splits import SPLITS, Split
from gesturehand.synthetic.settings import SetSettings

#: Captures have other numbers than subjects, so that code which confuses the two finds nothing.
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
        sides: the hands in view.
        fine: class of each hand's gesture, -1 for any movement.
        phase: place within the sequence, 0 to 1.
        cameras: names; the wrist's orientation is drawn as the first one sees it.
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
    """A frame before it has a place in its sequence."""

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
    """Whether the next of a series takes part, if a share of them does, evenly spread."""
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
