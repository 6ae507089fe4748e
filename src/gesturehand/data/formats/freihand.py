"""FreiHAND (Zimmermann et al., ICCV 2019): right hands in crops of 224 px, each on four backgrounds.

``training_{K,xyz,mano}.json`` have an entry for each of N samples; image i of the 4 N in ``training/rgb`` shows
sample i mod N. ``evaluation_{K,xyz,mano}.json`` belong to ``evaluation/rgb``; ``xyz`` and ``mano`` were published
later than the images, and may be missing. Joints are in metres, in the camera's frame (x right, y down, z forward)
and in the papers' order. ``mano`` has 61 numbers: 48 are the pose, axis-angle relative to the mean pose, and 10 the
shape; the last three, the middle knuckle's place in pixels and a scale, are not used, since the annotated wrist says
where the hand is. Source: github.com/lmb-freiburg/freihand, ``utils/fh_utils.py``, ``utils/model.py`` and
``view_samples.py``.
"""

from pathlib import Path
from typing import Final

import numpy as np

from gesturehand.data.formats.set_format import (
    SetFormat,
    Sources,
    boxes_of_joints,
    read_json_array,
    set_columns,
    state_of,
)
from gesturehand.data.index_build import HAND_TYPES, Columns
from gesturehand.errors import UserError
from gesturehand.hand.conventions import PoseForm
from gesturehand.skeleton import NUM_JOINTS, WRIST

IMAGE_SIDE_PX: Final = 224
#: The backgrounds of a training sample, in the order of their images; ``data.cameras`` chooses among them.
BACKGROUNDS: Final = ("gs", "hom", "sample", "auto")
#: The beginning of the names of a split's files.
_PREFIX: Final = {"train": "training", "test": "evaluation"}
#: The box of an image without annotated joints: the crop, wider than the box by a quarter, is then the whole image.
_WHOLE_IMAGE_BOX: Final = (IMAGE_SIDE_PX * 0.1, IMAGE_SIDE_PX * 0.1, IMAGE_SIDE_PX * 0.8, IMAGE_SIDE_PX * 0.8)


class FreiHandFormat(SetFormat):
    """FreiHAND's folder: split ``train`` is its training set, ``test`` its evaluation set."""

    name = "freihand"
    title = "FreiHAND"
    sign = "training_xyz.json, training_K.json and training/rgb/"
    joints = "freihand"
    pose_form = PoseForm.ROOT_PLACE

    def recognises(self, root: Path) -> bool:
        return any((root / f"{prefix}_K.json").is_file() for prefix in _PREFIX.values())

    def check_root(self, root: Path) -> None:
        if not self.recognises(root):
            raise self.wrong_folder(root)

    def splits(self, root: Path) -> list[str]:
        return [split for split, prefix in _PREFIX.items() if (root / f"{prefix}_K.json").is_file()]

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        prefix = self._prefix(root, split)
        paths = [root / f"{prefix}_{kind}.json" for kind in ("K", "xyz", "mano")]
        paths.append(root / prefix / "rgb")  # whose time changes while a download continues
        return {"files": state_of(path for path in paths if path.exists()), "mano": [int(mano_fits)]}

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        prefix = self._prefix(root, split)
        intrinsics = read_json_array(root / f"{prefix}_K.json", (3, 3), self.title)
        count = len(intrinsics)
        valid = np.zeros((count, 2, NUM_JOINTS), bool)
        joints = np.zeros((count, 2, NUM_JOINTS, 3), np.float32)
        fits: dict[str, np.ndarray] = {}
        # The evaluation set's images may exist without its annotations.
        if split == "train" or (root / f"{prefix}_xyz.json").is_file():
            joints[:, 0] = self._as_many(root / f"{prefix}_xyz.json", (NUM_JOINTS, 3), count)
            valid[:, 0] = True
            if mano_fits and (split == "train" or (root / f"{prefix}_mano.json").is_file()):
                fits = _fits(self._mano(root / f"{prefix}_mano.json", count), joints[:, 0, WRIST])
        box = boxes_of_joints(joints[:, 0], valid[:, 0], intrinsics)
        box = np.where(valid[:, 0, :1], box, np.array(_WHOLE_IMAGE_BOX, np.float32))
        versions = _versions(root / prefix / "rgb", count) if split == "train" else [0]
        number = np.concatenate([np.arange(count) + version * count for version in versions])
        sample = number % count
        return set_columns(
            file_name=[f"{prefix}/rgb/{image:08d}.jpg" for image in number.tolist()],
            annotation_id=number,
            image_size_px=np.array([IMAGE_SIDE_PX, IMAGE_SIDE_PX]),
            bbox_px=box[sample],
            hand_type=np.full(len(number), HAND_TYPES["right"]),
            frame=sample,
            camera=np.arange(len(number)),
            joints_world=joints,
            joint_valid=valid,
            intrinsics=intrinsics[sample],
            capture_name=[prefix] * count,
            frame_name=[f"{row:08d}" for row in range(count)],
            camera_name=[BACKGROUNDS[version] for version in versions for _ in range(count)],
            **fits,
        )

    def _prefix(self, root: Path, split: str) -> str:
        self.check_split(root, split)
        return _PREFIX[split]

    def _as_many(self, path: Path, entry: tuple[int, ...], count: int) -> np.ndarray:
        array = read_json_array(path, entry, self.title)
        if len(array) != count:
            raise UserError(
                f"'{path}' has {len(array):,} entries and {path.name.partition('_')[0]}_K.json {count:,}: download "
                "both again, from one release."
            )
        return array

    def _mano(self, path: Path, count: int) -> np.ndarray:
        if not path.is_file():
            raise UserError(
                f"'{path}' is missing: complete the download of FreiHAND, or go without fits with "
                "--data.mano_fits=false."
            )
        return self._as_many(path, (61,), count)


def _fits(mano: np.ndarray, wrist: np.ndarray) -> dict[str, np.ndarray]:
    """(N, 61) and the wrists (N, 3) as columns of right hands."""
    columns = {
        "mano_valid": np.ones((len(mano), 1), bool),
        "mano_pose": mano[:, None, :48],
        "mano_betas": mano[:, None, 48:58],
        "mano_trans": wrist[:, None],
    }
    return {name: np.concatenate([array, np.zeros_like(array)], 1) for name, array in columns.items()}


def _versions(images: Path, count: int) -> list[int]:
    """The backgrounds whose images exist; all of them if there are no images at all, since annotations do not need any.

    Raises:
        UserError: The images of one end before its last sample.
    """
    there = []
    for version, name in enumerate(BACKGROUNDS):
        first, last = (images / f"{number:08d}.jpg" for number in (version * count, (version + 1) * count - 1))
        if first.is_file() and not last.is_file():
            raise UserError(
                f"'{last}' is missing, the last of the {count:,} images with background '{name}': complete the "
                "download of FreiHAND."
            )
        if first.is_file():
            there.append(version)
    return there or list(range(len(BACKGROUNDS)))
