"""HO-3D versions 2 and 3 (Hampali et al., CVPR 2020): right hands with objects, 640 × 480.

``train.txt`` and ``evaluation.txt`` list ``sequence/number``; ``{train,evaluation}/{sequence}/meta/{number}.pkl`` is
its annotation and ``rgb/`` has the image, PNG in version 2 and JPEG in version 3. Coordinates are OpenGL's: x right,
y up, z backward, metres, which is the index's world here. The 21 joints are MANO's 16 and five fingertips.
``handPose`` is the whole axis-angle, without a mean pose to be added; ``handTrans`` is MANO's. The meta files of the
evaluation set have the wrist's place and a box; ``evaluation_xyz.json``, published later, has the joints, in the order
of the list. Source: github.com/shreyashampali/ho3d (``vis_HO3D.py``, ``utils/vis_utils.py``, ``pred.py``, ``eval.py``)
and the set's README.txt.
"""

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from tqdm import tqdm

from gesturehand.data.formats.set_format import (
    SetFormat,
    Sources,
    boxes_of_joints,
    read_json_array,
    set_columns,
    state_of,
)
from gesturehand.data.index_build import HAND_TYPES, Columns, no_fits
from gesturehand.errors import UserError
from gesturehand.hand.conventions import PoseForm
from gesturehand.hand.restricted_pickle import load_restricted_pickle
from gesturehand.skeleton import JOINTS_FROM_MANO_AND_TIPS, NUM_JOINTS
from gesturehand.text_file import read_text

Version = Literal[2, 3]
IMAGE_SIZE_PX: Final = (640, 480)
#: From OpenGL's axes to the camera's frame (x right, y down, z forward), and back.
OPENGL: Final = np.diag([1.0, -1.0, -1.0])
_FOLDER: Final = {"train": "train", "test": "evaluation"}
_SUFFIX: Final[dict[Version, str]] = {2: ".png", 3: ".jpg"}
#: Images of the evaluation set, by which the two versions' lists are told apart.
EVALUATION_IMAGES: Final[dict[Version, int]] = {2: 11_524, 3: 20_137}
_REMEDY: Final = "download HO-3D's file again"


class Ho3dFormat(SetFormat):
    """HO-3D's folder: split ``train`` is its training set, ``test`` its evaluation set."""

    sign = "train.txt, evaluation.txt, train/ and evaluation/"
    joints = "ho3d"
    pose_form = PoseForm.FLAT
    version: Version

    def recognises(self, root: Path) -> bool:
        return bool(self.splits(root)) and version_of(root) == self.version

    def check_root(self, root: Path) -> None:
        if not self.splits(root):
            raise self.wrong_folder(root)
        found = version_of(root)
        if found != self.version:
            raise UserError(
                f"'{root}' holds HO-3D v{found}, as its images end with {_SUFFIX[found]}, not v{self.version}: set "
                f"data.format to ho3d_v{found}, or give the other folder."
            )

    def splits(self, root: Path) -> list[str]:
        return [
            split
            for split, folder in _FOLDER.items()
            if (root / f"{folder}.txt").is_file() and any((root / folder).glob("*/meta"))
        ]

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        folder = self._folder(root, split)
        # Meta files are not looked at one by one: there are tens of thousands.
        paths = [root / f"{folder}.txt", *sorted((root / folder).glob("*/meta"))]
        paths += [path for path in (root / "evaluation_xyz.json",) if split == "test" and path.is_file()]
        return {"files": state_of(paths)}

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        folder = self._folder(root, split)
        names = self.listed(root, split)
        count = len(names)
        joints = np.zeros((count, 2, NUM_JOINTS, 3), np.float32)
        valid = np.zeros((count, 2, NUM_JOINTS), bool)
        fits = no_fits(count)
        annotated_box = np.full((count, 4), np.nan, np.float32)
        camera_of: dict[bytes, int] = {}
        camera = np.zeros(count, np.int32)
        bar = tqdm(names, desc=f"{self.title}, {folder}", unit="image", disable=not progress or count < 5000)
        for row, name in enumerate(bar):
            meta = self._meta(root, folder, name)
            matrix = meta.numbers("camMat", (3, 3))
            camera[row] = camera_of.setdefault(matrix.tobytes(), len(camera_of))
            if split == "test":
                corners = meta.numbers("handBoundingBox", (4,))
                annotated_box[row] = [*corners[:2], *(corners[2:] - corners[:2])]
            elif meta.has("handJoints3D"):
                joints[row, 0] = meta.numbers("handJoints3D", (NUM_JOINTS, 3))[list(JOINTS_FROM_MANO_AND_TIPS)]
                valid[row, 0] = True
            if split == "train" and meta.has("handPose"):
                fits["mano_valid"][row, 0] = True
                fits["mano_pose"][row, 0] = meta.numbers("handPose", (48,))
                fits["mano_betas"][row, 0] = meta.numbers("handBeta", (10,))
                fits["mano_trans"][row, 0] = meta.numbers("handTrans", (3,))
        published = root / "evaluation_xyz.json"
        if split == "test" and published.is_file():
            truth = read_json_array(published, (NUM_JOINTS, 3), self.title)
            if len(truth) != count:
                raise UserError(
                    f"'{published}' has {len(truth):,} entries and evaluation.txt {count:,}: use both of one version."
                )
            joints[:, 0], valid[:, 0] = truth[:, list(JOINTS_FROM_MANO_AND_TIPS)], True
        intrinsics = np.array([np.frombuffer(key, np.float64).reshape(3, 3) for key in camera_of])
        box = boxes_of_joints(joints[:, 0] @ OPENGL, valid[:, 0], intrinsics[camera])
        sequences = [name.partition("/")[0] for name in names]
        return set_columns(
            file_name=[f"{folder}/{name.replace('/', '/rgb/')}{_SUFFIX[self.version]}" for name in names],
            image_size_px=np.array(IMAGE_SIZE_PX),
            bbox_px=np.where(np.isnan(annotated_box), box, annotated_box),
            hand_type=np.full(count, HAND_TYPES["right"]),
            frame=np.arange(count),
            camera=camera,
            joints_world=joints,
            joint_valid=valid,
            intrinsics=intrinsics,
            camera_rotation=np.broadcast_to(OPENGL, (len(intrinsics), 3, 3)),
            capture_name=sequences,
            frame_name=[name.rpartition("/")[2] for name in names],
            camera_name=[f"{number}" for number in range(len(intrinsics))],
            **fits,
        )

    def listed(self, root: Path, split: str) -> list[str]:
        """The names in ``train.txt`` or ``evaluation.txt``, in their order.

        Raises:
            UserError: The list cannot be read, is the other version's, or names something else.
        """
        path = root / f"{self._folder(root, split)}.txt"
        try:
            names = read_text(path).split()
        except (OSError, ValueError) as error:
            raise UserError(f"'{path}' cannot be read ({error}): {_REMEDY}.") from None
        strange = next((name for name in names if name.count("/") != 1 or ".." in name), None)
        if strange is not None or not names:
            raise UserError(f"'{path}' lists {strange!r}, not sequence/number on each line: {_REMEDY}.")
        others = {count: version for version, count in EVALUATION_IMAGES.items() if version != self.version}
        if split == "test" and len(names) in others:
            raise UserError(
                f"'{path}' is the list of HO-3D v{others[len(names)]}, and the images are v{self.version}'s: take "
                "list and images of one version."
            )
        return names

    def wrists(self, root: Path, split: str) -> np.ndarray:
        """(N, 3) m, the wrists' places that the meta files give, in the camera's frame, in the order of the list.

        Raises:
            UserError: A meta file is missing or broken.
        """
        folder, places = self._folder(root, split), []
        for name in self.listed(root, split):
            meta = self._meta(root, folder, name)
            places.append(meta.numbers("handJoints3D", (-1, 3))[0])
        return np.array(places) @ OPENGL

    def _folder(self, root: Path, split: str) -> str:
        self.check_split(root, split)
        return _FOLDER[split]

    def _meta(self, root: Path, folder: str, name: str) -> "_Meta":
        sequence, _, number = name.partition("/")
        path = root / folder / sequence / "meta" / f"{number}.pkl"
        if not path.is_file():
            raise UserError(
                f"'{path}' is missing, and {folder}.txt lists '{name}': complete the download, or take the list and "
                "the files of one version."
            )
        return _Meta(path)


class Ho3dV2Format(Ho3dFormat):
    """HO-3D version 2."""

    name = "ho3d_v2"
    title = "HO-3D v2"
    version = 2


class Ho3dV3Format(Ho3dFormat):
    """HO-3D version 3."""

    name = "ho3d_v3"
    title = "HO-3D v3"
    version = 3


class _Meta:
    """An image's annotation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = load_restricted_pickle(path, "an HO-3D", _REMEDY)

    def has(self, key: str) -> bool:
        """Whether a value exists; what could not be annotated is None."""
        return self.content.get(key) is not None

    def numbers(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        value: Any = self.content.get(key)
        try:
            array = np.asarray(value, np.float64).reshape(shape)
        except (TypeError, ValueError, OverflowError):
            array = None
        if value is None or array is None:
            raise UserError(f"'{self.path}' has no {key} of {' x '.join(map(str, shape))} numbers: {_REMEDY}.")
        return array


def version_of(root: Path) -> Version:
    """The version in a folder, by the kind of its images, or by version 3's calibration if there are none."""
    for folder in _FOLDER.values():
        for images in sorted((root / folder).glob("*/rgb")):
            for image in images.iterdir():
                for version, suffix in _SUFFIX.items():
                    if image.suffix.lower() == suffix:
                        return version
    return 3 if (root / "calibration").is_dir() else 2
