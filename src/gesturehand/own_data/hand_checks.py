"""Checks of other people's hands before anything is written; each refusal is one sentence that names the entry."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import numpy as np

from gesturehand.data.plausibility import (
    Implausible,
    better_order,
    implausible_camera,
    implausible_fit,
    implausible_pixels,
    implausible_size,
    right_bend,
)
from gesturehand.errors import UserError
from gesturehand.own_data.entries import HandEntry

#: fx, fy, cx, cy, px.
Intrinsics = tuple[float, float, float, float]
#: This many hands in the image plane reveal a joint order; foreshortening can give a few of them any proportions.
_HANDS_FOR_ORDER_2D: Final = 20
#: Two hands of one side are the same if no joint is further apart than this share of the hand.
_SAME_SHARE: Final = 0.02
#: A bend that reveals the side of a hand, and the number and share of clear ones that must be backwards.
_CLEAR_BEND: Final = 0.15
_FEWEST_BACKWARDS: Final = 3
_MOST_BACKWARDS: Final = 0.7
#: A box whose longer side is at most this was given in fractions of the image.
_SMALLEST_BOX_PX: Final = 2.0
#: A box may be this many times its image's side, because a hand may extend beyond the edge.
_LARGEST_BOX: Final = 2.0


def check_hand(hand: HandEntry, intrinsics: Intrinsics, size: tuple[int, int]) -> None:
    """Checks a hand against its image, its camera and the proportions of hands.

    Args:
        hand: The hand as it was read.
        intrinsics: Intrinsics of its image's camera.
        size: Width and height of its image, px.

    Raises:
        UserError: Something about it is impossible.
    """
    found: list[Iterable[Implausible]] = [implausible_camera(intrinsics[:2], intrinsics[2:], size)]
    if hand.joints_2d is not None:
        found.append(implausible_pixels(hand.joints_2d, np.isfinite(hand.joints_2d).all(-1), size))
    if hand.joints_relative is not None:
        found.append(implausible_size(hand.joints_relative, np.isfinite(hand.joints_relative).all(-1)))
    if hand.joints_3d is not None:
        valid = np.isfinite(hand.joints_3d).all(-1)
        found.append(implausible_size(hand.joints_3d, valid))
        if hand.joints_2d is None:
            found.append(implausible_pixels(projected(hand.joints_3d, intrinsics), valid, size))
    if hand.box is not None:
        found.append(_implausible_box(hand.box, size))
    if hand.mano is not None:
        pose, betas, trans = (np.array(hand.mano[name]) for name in ("pose", "shape", "trans"))
        found.append(implausible_fit(pose, betas, trans))
    problem = next(chain.from_iterable(found), None)
    if problem is not None:
        raise UserError(
            f"The {hand.side} hand of '{hand.image}' has {problem.kind} ({problem.detail}): {problem.remedy}."
        )


def check_order(entries: Sequence[HandEntry]) -> None:
    """Compares all hands' proportions with those of a hand in other joint orders.

    Raises:
        UserError: They are those of a hand in another project's order.
    """
    for key, fewest in (("joints_3d", 1), ("joints_relative", 1), ("joints_2d", _HANDS_FOR_ORDER_2D)):
        hands = [joints for entry in entries if (joints := getattr(entry, key)) is not None]
        if len(hands) < fewest:
            continue
        joints = np.stack(hands)
        order = better_order(joints, np.isfinite(joints).all(-1))
        if order is not None:
            raise UserError(
                f"The bones of {key} are those of hands in {order}: give the order of FreiHAND, MediaPipe and OpenPose "
                "(wrist, then thumb, index, middle, ring, pinky, each from the palm to the tip)."
            )


def check_distinct(name: str, hands: Sequence[HandEntry]) -> None:
    """Checks that no two of an image's hands of one side are the same.

    Raises:
        UserError: They have the same joints or the same box, or nothing tells them apart.
    """
    for place, hand in enumerate(hands):
        for other in hands[:place]:
            if other.side == hand.side and _same_place(other, hand):
                raise UserError(f"The image '{name}' has the same {hand.side} hand twice: remove one of the entries.")


def _same_place(one: HandEntry, other: HandEntry) -> bool:
    for key in ("joints_2d", "joints_3d"):
        a, b = getattr(one, key), getattr(other, key)
        if a is not None and b is not None:
            both = np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
            # Two hands may touch; all their joints do not coincide.
            return bool(both.any()) and bool(np.abs(a - b)[both].max() <= _SAME_SHARE * np.ptp(a[both], axis=0).max())
    return one.box == other.box


def check_sides(entries: Sequence[HandEntry]) -> None:
    """Checks the side of hands with 3D joints against the direction in which their fingers bend.

    Raises:
        UserError: Most of them bend backwards: sides are exchanged, or the frame is a mirrored one.
    """
    bends = []
    for entry in entries:
        joints = entry.joints_3d if entry.joints_relative is None else entry.joints_relative
        if joints is not None:
            bend = right_bend(joints)
            bends.append(bend if entry.side == "right" else -bend)
    clear = [bend for bend in bends if abs(bend) >= _CLEAR_BEND]
    backwards = sum(bend < 0 for bend in clear)
    if backwards >= _FEWEST_BACKWARDS and backwards > _MOST_BACKWARDS * len(clear):
        raise UserError(
            f"The fingers of {backwards} of {len(clear)} hands bend backwards, as they do if right and left are "
            "exchanged or an axis is mirrored: give --swap_hands=true if the file calls right hands left (as older "
            "versions of MediaPipe do on images that are not mirrored), or check the "
            "frame (x right, y down, z forward)."
        )


def _implausible_box(box: tuple[float, float, float, float], size: tuple[int, int]) -> Iterator[Implausible]:
    x, y, width, height = box
    shown = f"{[float(f'{number:g}') for number in box]} in an image of {size[0]} × {size[1]} px"
    if max(width, height) <= _SMALLEST_BOX_PX:
        yield Implausible("a box too small for a hand", shown, "give pixels, not fractions of the image")
    elif x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        yield Implausible("a box outside the image", shown, "give x, y, width and height in pixels of the image")
    elif max(width / size[0], height / size[1]) > _LARGEST_BOX:
        yield Implausible("a box larger than its image", shown, "give x, y, width and height in pixels of the image")


def projected(joints: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """(21, 3), camera frame, in any unit → (21, 2) px."""
    with np.errstate(over="ignore", invalid="ignore"):
        return joints[:, :2] / joints[:, 2:] * intrinsics[:2] + np.array(intrinsics[2:])
