"""Joints by the names that other tools give them: ``INDEX_FINGER_PIP``, ``forefinger2``, ``l_thumb4``, ``kp_7``."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gesturehand.skeleton import FINGERS, JOINT_NAMES, NUM_JOINTS, SIDES, Side

#: A name's parts: capitals, words (with or without a capital in front) and numbers.
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES: Final[dict[str, Side]] = {"right": "right", "r": "right", "left": "left", "l": "left"}
_FINGERS: Final = {
    **{finger: finger for finger in FINGERS},
    **dict.fromkeys(("fore", "pointer"), "index"),
    **dict.fromkeys(("mid", "long"), "middle"),
    **dict.fromkeys(("little", "pinkie", "small", "baby"), "pinky"),
}
#: Anatomical names, from the palm to the tip; the thumb has one joint fewer between knuckle and tip, and one before it.
_PLACES: Final = {"mcp": 1, "pip": 2, "dip": 3, "tip": 4}
_THUMB_PLACES: Final = {"cmc": 1, "mcp": 2, "ip": 3, "tip": 4}
#: Parts without a meaning: "finger", "joint 7", "landmark_7".
_FILLING: Final = {"finger", "joint", "j", "kp", "kpt", "keypoint", "landmark", "lm", "point", "pt", "p", "hand", "the"}


class NamedJoint(NamedTuple):
    """The meaning of a name.

    Attributes:
        side: The side of its hand, or None.
        joint: Number among :data:`~gesturehand.skeleton.JOINT_NAMES`.
    """

    side: Side | None
    joint: int


def read_joint_names(names: Sequence[str]) -> list[NamedJoint]:
    """The joints that a tool's names mean.

    Numbers alone are places in the papers' order, counted from 0, or from 1 if none is 0; likewise numbers within a
    finger.

    Args:
        names: Names of one hand's joints, or of both hands'.

    Raises:
        ValueError: A name means no joint, two of them mean the same one, or they are numbers and not 21 of them; its
            text begins with the name, quoted.

    Example:
        >>> read_joint_names(["WRIST", "l_thumb4", "RingFingerDIP"])[1:]
        [NamedJoint(side='left', joint=4), NamedJoint(side=None, joint=15)]
        >>> [joint for _, joint in read_joint_names([f"kp{k}" for k in range(1, 22)])][:3]
        [0, 1, 2]
    """
    parts = [_parts(name) for name in names]
    numbers = [int(part) for own in parts for part in own if part.isdigit()]
    first = 0 if 0 in numbers else 1
    # Some name the thumb's joints as those of the other fingers.
    like_others = any("thumb" in own and not {"pip", "dip"}.isdisjoint(own) for own in parts)
    thumb = _PLACES if like_others else _THUMB_PLACES
    read: list[NamedJoint] = []
    for name, own in zip(names, parts, strict=True):
        side = next((_SIDES[part] for part in own if part in _SIDES), None)
        told = [part for part in own if part not in _SIDES and part not in _FILLING]
        # The hand itself is its wrist.
        joint = 0 if not told and "hand" in own else _joint(told, first, thumb)
        if joint is None or NamedJoint(side, joint) in read:
            raise ValueError(f"'{name}'")
        read.append(NamedJoint(side, joint))
    for side in (*SIDES, None):
        # A number only means a place among all joints.
        numbered = [name for name, own, joint in zip(names, parts, read, strict=True) if _numbered(own, joint, side)]
        if numbered and len(numbered) != NUM_JOINTS:
            raise ValueError(f"'{numbered[-1]}' ({len(numbered)} joints are numbered, and a hand has {NUM_JOINTS})")
    return read


def side_in(text: str) -> Side | None:
    """The hand that a name belongs to ("Left", "right_hand", "hand-L"); None if it names neither, or both."""
    found = {_SIDES[part] for part in _parts(text) if part in _SIDES}
    # Written as one word: "lefthand".
    found |= {side for side in SIDES if f"{side}hand" in text.lower()}
    return found.pop() if len(found) == 1 else None


def _parts(name: str) -> list[str]:
    parts = [part.lower() for part in _PARTS.findall(name)]
    # "forefinger" and "thumbtip" are one word to the pattern.
    return [piece for part in parts for piece in _pieces(part)]


def _pieces(part: str) -> list[str]:
    for ending in ("finger", *_PLACES, "cmc"):
        if part.endswith(ending) and part != ending and part[: -len(ending)] in _FINGERS:
            return [part[: -len(ending)], ending]
    for word in ("left", "right"):
        if part.startswith(word) and part[len(word) :] in (*_FINGERS, "wrist", "hand"):
            return [word, part[len(word) :]]
    return [part]


def _numbered(parts: Sequence[str], joint: NamedJoint, side: Side | None) -> bool:
    told = [part for part in parts if part not in _SIDES and part not in _FILLING]
    return joint.side == side and len(told) == 1 and told[0].isdigit()


def _joint(parts: Sequence[str], first: int, thumb: Mapping[str, int]) -> int | None:
    """A joint's number, from parts without sides and filler; ``first`` is the number that counting starts at."""
    if parts in (["wrist"], ["wrist", "0"], ["root"], ["carpus"]):
        return 0
    if len(parts) == 1 and parts[0].isdigit():
        number = int(parts[0]) - first
        return number if 0 <= number < NUM_JOINTS else None
    fingers = [_FINGERS[part] for part in parts if part in _FINGERS]
    others = [part for part in parts if part not in _FINGERS]
    if len(fingers) != 1 or len(others) != 1:
        return None
    (finger,), (place,) = fingers, others
    number = (thumb if finger == "thumb" else _PLACES).get(place, 0)
    if place.isdigit():
        number = int(place) + (1 - first)
    return JOINT_NAMES.index(f"{finger}{number}") if 1 <= number <= 4 else None
