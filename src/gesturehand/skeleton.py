"""Joint names, joint orders, bones and fingertips: every table of the hand's skeleton, once.

Three orders are in use in this field:

- **MANO's 16** joints, which have rotations: wrist, index 1–3, middle 1–3, pinky 1–3, ring 1–3, thumb 1–3.
- **the 21** joints in which papers report errors and in which this library keeps every tensor: wrist, thumb 1–4,
  index 1–4, middle 1–4, ring 1–4, pinky 1–4, where 4 is the fingertip.
- **InterHand2.6M's 42**: the right hand's 21, then the left hand's, each tip first within a finger and wrist last.

A permutation named ``A_FROM_B`` is applied as ``in_order_a = in_order_b[..., A_FROM_B, :]``.
"""

from typing import Final, Literal, TypeAlias

Side = Literal["right", "left"]
SIDES: Final[tuple[Side, Side]] = ("right", "left")

FINGERS: Final = ("thumb", "index", "middle", "ring", "pinky")

#: The 21 joints, in the papers' order.
JOINT_NAMES: Final = ("wrist", *(f"{finger}{k}" for finger in FINGERS for k in (1, 2, 3, 4)))
NUM_JOINTS: Final = 21

#: MANO's 16 rotating joints, in MANO's order (pinky before ring, thumb last).
MANO_JOINT_NAMES: Final = (
    "wrist",
    *(f"{finger}{k}" for finger in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3)),
)
MANO_PARENTS: Final = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
NUM_MANO_JOINTS: Final = 16

#: InterHand2.6M's 21 joints of one hand, in its order. The left hand's follow the right hand's.
INTERHAND_JOINT_NAMES: Final = (*(f"{finger}{k}" for finger in FINGERS for k in (4, 3, 2, 1)), "wrist")

#: From MANO's 16 joints followed by the five fingertips (thumb, index, middle, ring, pinky).
JOINTS_FROM_MANO_AND_TIPS: Final = tuple(
    (*MANO_JOINT_NAMES, *(f"{finger}4" for finger in FINGERS)).index(name) for name in JOINT_NAMES
)
#: From InterHand2.6M's order within one hand.
JOINTS_FROM_INTERHAND: Final = tuple(INTERHAND_JOINT_NAMES.index(name) for name in JOINT_NAMES)
#: To InterHand2.6M's order within one hand.
INTERHAND_FROM_JOINTS: Final = tuple(JOINT_NAMES.index(name) for name in INTERHAND_JOINT_NAMES)
#: For each of MANO's 16 rotations, the joint (of the 21) about which it turns.
JOINT_OF_MANO_ROTATION: Final = tuple(JOINT_NAMES.index(name) for name in MANO_JOINT_NAMES)

#: Parent of each of the 21 joints; the wrist has none.
JOINT_PARENTS: Final = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
#: The 20 bones as (parent, child) pairs of the 21 joints.
BONES: Final = tuple((parent, child) for child, parent in enumerate(JOINT_PARENTS) if parent >= 0)

WRIST: Final = JOINT_NAMES.index("wrist")
#: The five fingertips, thumb … pinky.
TIPS: Final = slice(4, None, 4)
#: The joint on which EANet's and IntagHand's evaluation aligns.
MIDDLE_MCP: Final = JOINT_NAMES.index("middle1")

#: Names of fingertip vertices, the keys of ``TIP_VERTICES``.
Tips: TypeAlias = Literal["eanet", "smplx", "interhand"]
#: Fingertip vertices of a MANO mesh (thumb … pinky), as in EANet's evaluation. The choice changes MPJPE.
EANET_TIP_VERTICES: Final = (745, 317, 444, 556, 673)
#: Fingertip vertices of smplx's ``mano`` vertex set.
SMPLX_TIP_VERTICES: Final = (744, 320, 443, 554, 671)
#: Fingertip vertices of EANet's losses and InterHand2.6M's regressor, with another vertex for the middle finger.
INTERHAND_TIP_VERTICES: Final = (745, 317, 445, 556, 673)
TIP_VERTICES: Final[dict[str, tuple[int, ...]]] = {
    "eanet": EANET_TIP_VERTICES,
    "smplx": SMPLX_TIP_VERTICES,
    "interhand": INTERHAND_TIP_VERTICES,
}
