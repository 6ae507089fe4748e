"""Hand and arm as one mesh to draw."""

import numpy as np
import numpy.typing as npt

from gesturehand.synthetic.arm import CLOTH, FIRST_CLOTH_RING, HAND, SKIN, Arm, limb_surface
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.capture import CapturedHand
from gesturehand.synthetic.clothes import Cloth
from gesturehand.synthetic.render import Mesh

FloatArray = npt.NDArray[np.float64]


def limb_mesh(
    hand: CapturedHand, arm: Arm, place: int, hands: int, camera: DomeCamera, albedo: FloatArray, cloth: Cloth
) -> Mesh:
    """Hand and arm as one mesh, camera frame.

    Args:
        hand: as captured.
        arm: behind it.
        place: of the hand among the hands of the picture.
        hands: how many these are.
        camera: that sees them.
        albedo: (V,) factor on the shade, of the hand's vertices and all rings of the arm but the wrist's.
        cloth: of the sleeve.

    Returns:
        The mesh. Its materials: the hands, their arms' skin, all sleeves; so 2 x hands + 1 in a picture.
    """
    surface, material = limb_surface(hand.side)
    row = np.zeros(3, np.int64)
    row[[HAND, SKIN, CLOTH]] = place, hands + place, 2 * hands
    vertices = camera.to_camera(np.concatenate([hand.vertices, arm.rings.reshape(-1, 3)]))
    around = np.arange(arm.rings.shape[1]) * 0.011
    woven = cloth.shade_at(np.broadcast_to(around, arm.rings.shape[:2]), arm.along_m[:, None])
    is_cloth = np.arange(len(arm.along_m))[:, None] >= FIRST_CLOTH_RING
    tube = np.where(
        is_cloth, 0.45 + 0.55 * np.clip(woven, 0.2, 2.0), albedo[-arm.rings[..., 0].size :].reshape(woven.shape)
    )
    return Mesh(vertices, surface, row[material], np.concatenate([albedo[: len(hand.vertices)], tube.ravel()]))
