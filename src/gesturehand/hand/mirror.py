"""Makes a left hand of a right one and the reverse, and repairs the official left hand."""

import warnings
from dataclasses import replace
from typing import Final

import numpy as np

from gesturehand.errors import UserError
from gesturehand.hand.mano_file import ManoData

#: Signs of a vector's components when space is mirrored in x.
_VECTOR: Final = np.array([-1.0, 1.0, 1.0])
#: Signs of an axis-angle vector's components, which is a pseudo-vector.
_AXIS_ANGLE: Final = np.array([1.0, -1.0, -1.0])

#: Below this sum of absolute differences, metres, two sets of shape directions count as the same.
_SAME_SHAPEDIRS: Final = 1.0


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


_MIRRORED: Final = ", mirrored"

#: How far growth along x and growth along y and z must agree, or disagree, for the sign of one hand's shape directions
#: to be known. The open hand's agree by 0.92, and by −0.92 with the official error.
_CLEAR_AGREEMENT: Final = 0.5


def repair_lone_left_shapedirs(left: ManoData) -> ManoData:
    """Corrects the official left hand where there is no right one to compare it with.

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
