"""Each set's definition of a hand's 21 joints on MANO's model, and the forms in which sets write pose and position.

In every set here the 16 joints are those of MANO's posed skeleton, and the five fingertips are vertices of the posed
mesh, which differ between sets. A network's joints are converted to the definition of its sample's set
(:meth:`gesturehand.hand.layer.HandModel.joints_as_defined`) before losses and metrics compare them.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from gesturehand.skeleton import EANET_TIP_VERTICES, INTERHAND_TIP_VERTICES, SMPLX_TIP_VERTICES, Side

Tips = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class JointDefinition:
    """The fingertips of a set.

    Attributes:
        name: Name of the set.
        tips: Fingertip vertices of MANO's mesh by side, thumb … pinky.
        open_hand_tips: The same on the open hand, whose vertices are not MANO's.
        source: Source of the definition.
    """

    name: str
    tips: dict[Side, Tips]
    open_hand_tips: dict[Side, Tips]
    source: str

    def tips_on(self, num_vertices: int) -> dict[Side, Tips]:
        """The fingertip vertices on a mesh with this number of vertices: MANO's own, or the open hand's."""
        return self.tips if num_vertices == NUM_MANO_VERTICES else self.open_hand_tips


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
)


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
