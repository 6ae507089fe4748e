"""Errors by skin tone: the individual typology angle of a palm or of a rendered person, its groups, and their means."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy import stats

from gesturehand.skeleton import JOINT_NAMES

FloatArray = npt.NDArray[np.float64]

#: The groups of Chardon, Cretois and Hourseau (*Skin colour typology and suntanning pathways*, 1991), from light to
#: dark: each begins above its angle, degrees, so that a hand at an angle belongs to the darker group.
TONE_GROUPS: Final = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -np.inf,
}
#: Corners of the palm, in order around it.
_PALM: Final = tuple(JOINT_NAMES.index(name) for name in ("wrist", "index1", "middle1", "ring1", "pinky1"))
#: A palm with fewer pixels is not informative.
_LEAST_PIXELS: Final = 25
_RESAMPLES: Final = 2000


def typology_angle(rgb: npt.ArrayLike) -> FloatArray:
    """The individual typology angle, arctan((L* − 50) / b*), of sRGB colours.

    Args:
        rgb: (..., 3), 0 to 255.

    Returns:
        (...) degrees, the lighter the higher; NaN if b* is not above 0, as it always is for skin in white light.

    Example:
        >>> typology_angle([[224, 172, 138], [90, 56, 37]]).round().tolist()
        [44.0, -52.0]
    """
    colours = np.asarray(rgb, np.float32) / 255
    lab = cv2.cvtColor(colours.reshape(-1, 1, 3), cv2.COLOR_RGB2LAB).reshape(colours.shape).astype(np.float64)
    lightness, yellow = lab[..., 0], lab[..., 2]
    angle = np.degrees(np.arctan2(lightness - 50, yellow))
    return np.asarray(np.where(yellow > 0, angle, np.nan))


def palm_angle(image: npt.NDArray[np.uint8], joints_2d: npt.ArrayLike) -> float:
    """The typology angle of a palm, or a hand's back: the median over the pixels between its knuckles and wrist.

    It measures the colour of the picture: light, shade and white balance can shift it by more than one group.

    Args:
        image: (H, W, 3) uint8 RGB.
        joints_2d: (21, 2) px, in the papers' order.

    Returns:
        Degrees; NaN if fewer than 25 pixels, or fewer than half of them, have an angle.
    """
    inside = np.zeros(image.shape[:2], np.uint8)
    corners = np.asarray(joints_2d, np.float64)[list(_PALM)]
    cv2.fillPoly(inside, [np.round(corners).astype(np.int32)], 1)
    if not inside.any():
        return float("nan")
    angles = typology_angle(image[inside > 0])
    known = angles[np.isfinite(angles)]
    return float(np.median(known)) if len(known) >= max(_LEAST_PIXELS, len(angles) / 2) else float("nan")


def tone_group(angle: float) -> str | None:
    """The group of a typology angle, degrees; None for NaN.

    Example:
        >>> [tone_group(angle) for angle in (60, 55, 0, -31)]
        ['very light', 'light', 'brown', 'dark']
    """
    return next((name for name, above in TONE_GROUPS.items() if angle > above), None)


def mean_with_interval(values: Sequence[float], people: Sequence[Hashable]) -> tuple[float, float, float]:
    """The mean over hands, and its 95 % interval by resampling people (percentiles of the bootstrap).

    Hands of one person are not independent, so people are drawn, each with all their hands.

    Args:
        values: One value per hand.
        people: The person of each hand.

    Returns:
        Mean, lower and upper end; the ends are NaN with fewer than two people.
    """
    numbers = {person: number for number, person in enumerate(dict.fromkeys(people))}
    own = np.array([numbers[person] for person in people])
    sums, counts = np.bincount(own, np.asarray(values, np.float64)), np.bincount(own).astype(np.float64)
    mean = float(sums.sum() / counts.sum())
    if len(numbers) < 2:
        return mean, float("nan"), float("nan")
    drawn = stats.bootstrap(
        (sums, counts),
        lambda total, count, axis: total.sum(axis) / count.sum(axis),
        n_resamples=_RESAMPLES,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return mean, float(drawn.low), float(drawn.high)


def errors_by_tone(
    angles: Sequence[float], errors: Mapping[str, Sequence[float]], people: Sequence[Hashable]
) -> list[dict[str, Any]]:
    """Means of errors by skin tone.

    Args:
        angles: Typology angle of each hand, degrees, NaN if not known.
        errors: Errors by name, one per hand.
        people: The person of each hand.

    Returns:
        For each group with hands, from light to dark, and last for hands without an angle: ``group`` (None for these),
        ``hands``, ``people``, and by each error's name (mean, lower, upper end of the 95 % interval).
    """
    groups = [tone_group(angle) for angle in angles]
    rows = []
    for name in (*TONE_GROUPS, None):
        own = [place for place, group in enumerate(groups) if group == name]
        if own:
            whose = [people[place] for place in own]
            means = {kind: mean_with_interval([values[k] for k in own], whose) for kind, values in errors.items()}
            rows.append({"group": name, "hands": len(own), "people": len(set(whose)), **means})
    return rows
