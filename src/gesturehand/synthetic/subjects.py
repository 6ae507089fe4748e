"""The people of the synthetic set: hand shape, habit and skin."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gesturehand.hand.mano_file import NUM_BETAS
from gesturehand.synthetic.articulation import NUM_ANGLES

FloatArray = npt.NDArray[np.float64]

#: Betas of the open hand are N(0, 1); EANet takes no shape beyond 3 for credible, so subjects stay well inside.
_LARGEST_BETA: Final = 2.5
#: How far a subject's own way of holding the hand is from the table's poses.
_HABIT_DEG: Final = 3.0
#: From light to dark skin in full light, BGR.
_SKIN_BGR: Final = ((170, 200, 238), (140, 178, 228), (115, 155, 212), (92, 130, 186), (74, 105, 155), (60, 86, 130))


@dataclass(frozen=True)
class Subject:
    """One person.

    Attributes:
        number: as in ``data.json``.
        betas: (10,) float32 hand shape, of both hands.
        habit_deg: (21,) offset of this person's every pose, in the order of ``ANGLE_NAMES``.
        skin_bgr: (3,) 0-255, skin in full light.
    """

    number: int
    betas: npt.NDArray[np.float32]
    habit_deg: FloatArray
    skin_bgr: FloatArray


def make_subject(number: int, rng: np.random.Generator) -> Subject:
    """Draws a person at random."""
    betas = np.clip(rng.normal(size=NUM_BETAS), -_LARGEST_BETA, _LARGEST_BETA).astype(np.float32)
    habit = rng.normal(size=NUM_ANGLES) * _HABIT_DEG
    tone = rng.uniform(0, len(_SKIN_BGR) - 1)
    below = min(int(tone), len(_SKIN_BGR) - 2)
    light, dark = np.array(_SKIN_BGR[below], np.float64), np.array(_SKIN_BGR[below + 1], np.float64)
    return Subject(number, betas, habit, light + (tone - below) * (dark - light))
