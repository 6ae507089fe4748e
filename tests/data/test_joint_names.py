"""Joints under other tools' names."""

import pytest
from set_files import MMPOSE_NAMES

from gesturehand.data.joint_names import NamedJoint, read_joint_names, side_in
from gesturehand.skeleton import INTERHAND_JOINT_NAMES, JOINT_NAMES

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_ANATOMY = {"thumb": ("cmc", "mcp", "ip", "tip")}
_MEDIAPIPE = (
    "WRIST",
    *(
        f"{finger}{'' if finger == 'thumb' else '_finger'}_{place}".upper().replace("PINKY_FINGER", "PINKY")
        for finger in _FINGERS
        for place in _ANATOMY.get(finger, ("mcp", "pip", "dip", "tip"))
    ),
)
SPELLINGS = {
    "this library's": JOINT_NAMES,
    "MediaPipe's": _MEDIAPIPE,
    "mmpose's": MMPOSE_NAMES,
    "words joined": tuple(name.title().replace("_", "") for name in _MEDIAPIPE),
    "lower case with blanks": tuple(name.lower().replace("_", " ") for name in _MEDIAPIPE),
    "numbers from 0": tuple(str(k) for k in range(21)),
    "key points from 1": tuple(f"kp_{k}" for k in range(1, 22)),
    "landmarks from 0": tuple(f"landmark-{k:02d}" for k in range(21)),
    "fingers from 0": ("wrist", *(f"{finger}_{k}" for finger in _FINGERS for k in range(4))),
    "the thumb as other fingers": ("wrist", *(f"{f}_{p}" for f in _FINGERS for p in ("mcp", "pip", "dip", "tip"))),
    "the little finger": ("carpus", *(name.replace("pinky", "little") for name in JOINT_NAMES[1:])),
}


@pytest.mark.parametrize("names", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_the_21_in_order(names):
    assert read_joint_names(names) == [NamedJoint(None, k) for k in range(21)]


@pytest.mark.parametrize(
    "pattern", ["{side}_{name}", "{name}_{side}", "{letter}_{name}", "{name}.{letter}", "{side}{name}"]
)
def test_sides_of_42(pattern):
    names = [
        pattern.format(side=side, name=name, letter=side[0])
        for side in ("right", "left")
        for name in INTERHAND_JOINT_NAMES
    ]
    wanted = [NamedJoint(side, JOINT_NAMES.index(name)) for side in ("right", "left") for name in INTERHAND_JOINT_NAMES]
    assert read_joint_names(names) == wanted


@pytest.mark.parametrize("name", ["nose", "thumb5", "index", "left_eye", "21", "index_middle1", "", "x"])
def test_names_that_are_not_joints_are_reported(name):
    with pytest.raises(ValueError, match=f"'{name}'"):
        read_joint_names(["0", name])


def test_a_joint_twice_is_named():
    with pytest.raises(ValueError, match="'pinky4'"):
        read_joint_names(["little_tip", "pinky4"])


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Left", "left"),
        ("right_hand", "right"),
        ("hand-L", "left"),
        ("lefthand", "left"),
        ("HandRight", "right"),
        ("hand", None),
        ("left or right", None),
        ("", None),
        ("bright", None),
    ],
)
def test_side_in_a_name(text, side):
    assert side_in(text) == side
