"""Each set's definition of a hand's 21 joints on MANO's model, and the forms in which sets write pose and position.

In every set that was fitted with MANO the 16 joints are those of MANO's posed skeleton, and the five fingertips are
vertices of the posed mesh, which differ between sets. People and landmark networks mark other places, which lie beside
a model's joints. A network's joints are converted to the definition of its sample's set
(:meth:`gesturehand.hand.layer.HandModel.joints_as_defined`) before losses and metrics compare them.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Literal

from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    INTERHAND_TIP_VERTICES,
    NUM_JOINTS,
    SMPLX_TIP_VERTICES,
    Side,
)

Tips = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class JointDefinition:
    """A set's joints on a hand model.

    Attributes:
        name: Name of the set.
        tips: Fingertip vertices of MANO's mesh by side, thumb … pinky.
        open_hand_tips: The same on the open hand, whose vertices are not MANO's.
        source: Source of the definition.
        open_hand_offsets_mm: 21 offsets from the open hand's joints, in the directions of
            :func:`~gesturehand.hand.joint_offsets.joint_directions`; None if there are none. On MANO's model they are
            not known.
    """

    name: str
    tips: dict[Side, Tips]
    open_hand_tips: dict[Side, Tips]
    source: str
    open_hand_offsets_mm: tuple[tuple[float, float, float], ...] | None = None

    def tips_on(self, num_vertices: int) -> dict[Side, Tips]:
        """The fingertip vertices on a mesh with this number of vertices: MANO's own, or the open hand's."""
        return self.tips if num_vertices == NUM_MANO_VERTICES else self.open_hand_tips

    def lacks_offsets_on(self, num_vertices: int) -> bool:
        """Whether the definition moves joints, but not on a mesh with so many vertices."""
        return self.open_hand_offsets_mm is not None and num_vertices == NUM_MANO_VERTICES

    def offsets_on(self, num_vertices: int) -> tuple[tuple[float, float, float], ...]:
        """The offsets, mm, on a mesh with so many vertices; zeros where they are not known."""
        known = None if self.lacks_offsets_on(num_vertices) else self.open_hand_offsets_mm
        return ((0.0, 0.0, 0.0),) * NUM_JOINTS if known is None else known


NUM_MANO_VERTICES: Final = 778


def _of_both(tips: Tips) -> dict[Side, Tips]:
    return {"right": tips, "left": tips}


#: Position in this tuple, counted from 1, is what a batch holds; 0 is the hand model's own fingertips (``tips``).
JOINT_DEFINITIONS: Final = (
    JointDefinition(
        "freihand",
        _of_both((744, 320, 443, 555, 672)),
        _of_both(SMPLX_TIP_VERTICES),
        "github.com/lmb-freiburg/freihand, utils/mano_utils.py (kpId2vertices) and utils/model.py (_calc_coords)",
    ),
    JointDefinition(
        "ho3d",
        _of_both((744, 333, 444, 555, 672)),
        _of_both((744, 320, 444, 554, 671)),
        "github.com/shreyashampali/ho3d, setup_mano.py (the lines it writes into MANO's lbs.py) and vis_HO3D.py",
    ),
    JointDefinition(
        "dexycb",
        {"right": EANET_TIP_VERTICES, "left": INTERHAND_TIP_VERTICES},
        {"right": EANET_TIP_VERTICES, "left": INTERHAND_TIP_VERTICES},
        "github.com/hassony2/manopth, manolayer.py, the layer that github.com/NVlabs/dex-ycb-toolkit poses hands with",
    ),
    JointDefinition(
        "mediapipe",
        _of_both(EANET_TIP_VERTICES),
        _of_both(EANET_TIP_VERTICES),
        "scripts/joint_offsets.py with a network that was trained on rendered hands alone, on photographs with "
        "MediaPipe's joints (docs/openphoto.md)",
        (
            (-3.1, -1.9, 4.2),
            *((-0.3, -12.5, 10.2), (0.0, 2.0, 0.0), (0.0, -3.5, 0.0), (0.0, -9.6, 0.0)),
            *((-2.8, -9.5, 6.4), (-0.4, 2.7, 3.9), (0.2, 3.2, 3.8), (0.6, -5.6, 0.5)),
            *((1.7, -6.0, 9.2), (2.4, 1.8, 4.5), (1.5, 1.4, 4.4), (1.8, -5.3, 0.5)),
            *((1.7, -5.8, 9.1), (0.6, 1.8, 1.4), (0.2, 3.3, 2.3), (1.4, -5.4, -0.2)),
            *((2.1, -7.5, 4.7), (0.0, 1.5, 2.7), (0.6, 5.0, 0.5), (1.6, -0.2, -0.7)),
        ),
    ),
)


#: Names of the definitions.
DefinitionName = Literal["freihand", "ho3d", "dexycb", "mediapipe"]


def definition_number(name: str | None) -> int:
    """A definition's number in a batch: its place in :data:`JOINT_DEFINITIONS` from 1, 0 for None."""
    return 0 if name is None else [definition.name for definition in JOINT_DEFINITIONS].index(name) + 1


class PoseForm(IntFlag):
    """The form of 48 numbers of pose and 3 of place. Without a flag: InterHand2.6M's, axis-angle and MANO's ``trans``.

    The first three numbers turn the root in every form.

    Attributes:
        FLAT: The fingers' axis-angle is whole; without the flag it is relative to the mean pose.
        COMPONENTS: The fingers are 45 coefficients of the model's principal components, relative to the mean pose.
        ROOT_PLACE: The place is that of the root joint (the wrist), not MANO's ``trans``.
    """

    FLAT = 1
    COMPONENTS = 2
    ROOT_PLACE = 4
