"""What a synthetic set is made of, the settings of the benchmark ``openhand-v1``, and the random numbers of a seed."""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from gesturehand.errors import UserError
from gesturehand.gestures import fine_index
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import CAMERA_NAMES


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A generator of its own for a purpose within a set.

    Args:
        seed: of the set, not negative.
        purpose: what the numbers are for.
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
        subjects: numbers of people in train, val and test; nobody is in two splits.
        frames: captured frames in train, val and test; a split without frames is left out.
        views: cameras that see each captured frame.
        wrist_cone_deg: largest turn of the wrist away from palm or back facing the (first) camera; at 180 every
            orientation is equally likely.
        gestures: fine classes to show; all 35 if None.
        left_share: share of left hands among one-hand frames.
        two_hand_share: share of frames with both hands, which have no gesture label.
        rom_share: share of range-of-motion frames, which have no gesture label.
        without_fit_share: share of frames without a MANO fit and with some invalid joints.
        outside_share: share of one-hand frames in which part of the hand lies outside the first camera's image.
        test_only_cameras: names of cameras that only the test split uses, beside all others.
        seed: not negative.

    Raises:
        UserError: a value is out of range, or a gesture or camera is unknown.
    """

    subjects: Sequence[int] = (8, 2, 4)
    frames: Sequence[int] = (5600, 350, 1120)
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


#: Name of the benchmark; any change of what these settings give needs a new version.
BENCHMARK: Final = "openhand-v1"
#: The benchmark: wrists over the sphere, all kinds of frames, subjects and cameras that only the test split has.
OPENHAND_V1: Final = SetSettings(
    subjects=(16, 4, 8),
    frames=(10500, 1050, 3150),
    wrist_cone_deg=180.0,
    two_hand_share=0.1,
    rom_share=0.1,
    without_fit_share=0.03,
    outside_share=0.05,
    test_only_cameras=("400053", "400063", "410053"),
)
