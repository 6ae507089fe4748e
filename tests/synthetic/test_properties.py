"""Whatever the seed: what the files claim is so."""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gesturehand.data.files import image_path
from gesturehand.data.index import read_index
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, SIDES
from gesturehand.synthetic.set_writer import mask_path
from gesturehand.synthetic.writer import write_synthetic_set

HANDS = {side: open_hand(side) for side in SIDES}


@settings(
    phases=[Phase.explicit, Phase.generate],
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**31 - 1), views=st.integers(1, 2), cone=st.sampled_from([0.0, 35.0, 90.0, 180.0]))
def test_a_written_set_keeps_its_word(seed, views, cone):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        write_synthetic_set(
            root,
            subjects=(2, 0, 1),
            frames=(10, 0, 6),
            views=views,
            wrist_cone_deg=cone,
            two_hand_share=0.2,
            rom_share=0.2,
            outside_share=0.2,
            without_fit_share=0.3,
            test_only_cameras=["400053"],
            seed=seed,
            processes=1,
            progress=False,
        )
        for split in ("train", "test"):
            check_split(root, split)


def check_split(root: Path, split: str) -> None:
    index = read_index(root, split)
    of_frame = index.joint_valid_frame[index.frame]
    # Valid in an image means valid in the frame and inside the image; somewhere the two flags differ.
    assert not (index.joint_valid_image & ~of_frame).any()
    assert (index.joint_valid_image != of_frame).any()
    joints = index.joints_world[index.frame].astype(np.float64)
    rotation, translation = index.camera_rotation[index.camera], index.camera_translation[index.camera]
    inside = np.einsum("nij,nhkj->nhki", rotation, joints) + translation[:, None, None]
    pixels = np.einsum("nij,nhkj->nhki", index.intrinsics[index.camera], inside)
    pixels = pixels[..., :2] / pixels[..., 2:]
    claimed = np.asarray(index.joint_valid_image)
    limit = index.image_size_px[:, None, None] - 1
    in_image = ((pixels > -0.01) & (pixels < limit + 0.01)).all(-1)
    assert in_image[claimed].all()
    # A frame with a fit has every joint, and each joint inside the image is claimed.
    complete = index.mano_valid[index.frame]
    assert of_frame[complete].all()
    strictly = ((pixels > 0.01) & (pixels < limit - 0.01)).all(-1)
    assert claimed[strictly & complete[..., None]].all()

    for frame, hand in np.argwhere(index.mano_valid):
        data = HANDS[SIDES[hand]]
        rotvec = index.mano_pose[frame, hand].astype(np.float64)
        rotvec[3:] += data.hands_mean
        matrices = Rotation.from_rotvec(rotvec.reshape(16, 3)).as_matrix()
        betas = index.mano_betas[frame, hand].astype(np.float64)
        vertices, skeleton = skin(data, matrices[None], betas[None], index.mano_trans[frame, hand][None])
        every = np.concatenate([skeleton[0], vertices[0, list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
        assert np.linalg.norm(every - index.joints_world[frame, hand], axis=1).max() < 1e-4

    for row in range(len(index)):
        name = index.file_name[row].decode()
        image = cv2.imread(str(image_path(root, split, name)))
        mask = cv2.imread(str(mask_path(root, split, name)), cv2.IMREAD_UNCHANGED)
        assert image.shape[1::-1] == tuple(index.image_size_px[row])
        assert mask.shape == image.shape[:2]
        # A hand is clearly brighter than the dark dome.
        assert mask.any()
        assert image[mask > 0].mean() > 15
