"""DexYCB (Chao et al., CVPR 2021): ten people grasping objects, seen by eight cameras, right or left hand, 640 × 480.

``{subject}/{sequence}/{serial}/labels_*.npz`` has ``pose_m`` (1, 51), the root's axis-angle, 45 coefficients of
MANO's principal components relative to the mean pose, and MANO's ``trans``; and ``joint_3d`` (1, 21, 3). Both are in
metres, in that camera's frame (x right, y down, z forward), in the papers' order; 0 and -1 where no hand is
annotated. The shape is in ``calibration/mano_*/mano.yml``, the side in ``{sequence}/meta.yml``, the intrinsics in
``calibration/intrinsics``. The splits are those of the four official setups. Source: github.com/NVlabs/dex-ycb-toolkit,
``dex_ycb_toolkit/dex_ycb.py``, ``layers/mano_layer.py``, ``hpe_eval.py`` and its README.
"""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from tqdm import tqdm

from gesturehand.data.formats.set_format import (
    SetFormat,
    Sources,
    boxes_of_joints,
    read_yaml_file,
    set_columns,
    state_of,
)
from gesturehand.data.index_build import HAND_TYPES, Columns
from gesturehand.errors import UserError
from gesturehand.hand.conventions import PoseForm
from gesturehand.skeleton import NUM_JOINTS, SIDES

IMAGE_SIZE_PX: Final = (640, 480)
#: Dates that the ten people's folders begin with, in the official order.
SUBJECT_DATES: Final = (
    "20200709", "20200813", "20200820", "20200903", "20200908",
    "20200918", "20200928", "20201002", "20201015", "20201022",
)  # fmt: skip
#: The eight cameras, in the official order.
SERIALS: Final = (
    "836212060125", "839512060362", "840412060917", "841412060263",
    "932122060857", "932122060861", "932122061900", "932122062010",
)  # fmt: skip
SEQUENCES_OF_SUBJECT: Final = 100
_ALL: Final = tuple(range(10))
_CAMERAS: Final = tuple(range(8))
_EVERY: Final = tuple(range(SEQUENCES_OF_SUBJECT))
_SUBJECT: Final = re.compile(r"(\d{8})-.+")


class Setup(NamedTuple):
    """Which people, cameras and sequences (in the order of their names) a split has."""

    subjects: tuple[int, ...]
    cameras: tuple[int, ...]
    sequences: tuple[int, ...]


#: Official setups: in s0 nothing is unseen, in s1 the people are, in s2 the cameras, in s3 the objects.
SETUPS: Final = {
    "s0_train": Setup(_ALL, _CAMERAS, tuple(i for i in _EVERY if i % 5 != 4)),
    "s0_val": Setup((0, 1), _CAMERAS, tuple(i for i in _EVERY if i % 5 == 4)),
    "s0_test": Setup(_ALL[2:], _CAMERAS, tuple(i for i in _EVERY if i % 5 == 4)),
    "s1_train": Setup((0, 1, 2, 3, 4, 5, 9), _CAMERAS, _EVERY),
    "s1_val": Setup((6,), _CAMERAS, _EVERY),
    "s1_test": Setup((7, 8), _CAMERAS, _EVERY),
    "s2_train": Setup(_ALL, _CAMERAS[:6], _EVERY),
    "s2_val": Setup(_ALL, (6,), _EVERY),
    "s2_test": Setup(_ALL, (7,), _EVERY),
    "s3_train": Setup(_ALL, _CAMERAS, tuple(i for i in _EVERY if i // 5 not in (3, 7, 11, 15, 19))),
    "s3_val": Setup(_ALL, _CAMERAS, tuple(i for i in _EVERY if i // 5 in (3, 19))),
    "s3_test": Setup(_ALL, _CAMERAS, tuple(i for i in _EVERY if i // 5 in (7, 11, 15))),
}


class DexYcbFormat(SetFormat):
    """DexYCB's folder; ``train``, ``val`` and ``test`` are those of s0, and ``s1_train`` … name the other setups'."""

    name = "dexycb"
    title = "DexYCB"
    sign = "20200709-subject-01/ … 20201022-subject-10/ and calibration/"
    joints = "dexycb"
    pose_form = PoseForm.COMPONENTS

    def recognises(self, root: Path) -> bool:
        return (root / "calibration" / "intrinsics").is_dir() and bool(_subjects(root))

    def check_root(self, root: Path) -> None:
        if not _subjects(root):
            raise self.wrong_folder(root)
        if not (root / "calibration").is_dir():
            raise UserError(f"'{root / 'calibration'}' is missing: download DexYCB's calibration too.")

    def splits(self, root: Path) -> list[str]:
        there = set(_subjects(root))
        return [name for name in ("train", "val", "test") if set(SETUPS[f"s0_{name}"].subjects) <= there]

    def has_split(self, root: Path, split: str) -> bool:
        return split in self.splits(root) or split in SETUPS

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        folders = [root / sequence for sequence in self._sequences(root, split)]
        # A camera's folder changes with its files; the files are not looked at one by one.
        paths = [path for folder in folders for path in (folder / "meta.yml", *(folder / serial for serial in SERIALS))]
        paths += sorted((root / "calibration").glob("*/*.yml"))
        return {"files": state_of(path for path in paths if path.exists())}

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        setup = _setup(split)
        calibration = _Calibration(root)
        rows = _Rows()
        sequences = self._sequences(root, split)
        bar = tqdm(
            sequences, desc=f"{self.title}, {split}", unit="sequence", disable=not progress or len(sequences) < 50
        )
        for sequence in bar:
            side, betas, frames = calibration.sequence(sequence)
            subject = SUBJECT_DATES.index(sequence[:8]) + 1
            for camera in setup.cameras:
                folder = root / sequence / SERIALS[camera]
                if not folder.is_dir():
                    raise UserError(f"'{folder}' is missing: complete the download of DexYCB.")
                for number in range(frames):
                    rows.add(folder, f"{sequence}/{SERIALS[camera]}", number, side, betas, camera, subject)
        intrinsics = np.array([calibration.intrinsics(SERIALS[camera]) for camera in range(len(SERIALS))])
        return rows.columns(intrinsics)

    def _sequences(self, root: Path, split: str) -> list[str]:
        """A split's sequences, as ``subject/sequence``.

        Raises:
            UserError: There is no such split, or a person or sequence is missing.
        """
        setup, subjects, names = _setup(split), _subjects(root), []
        absent = [number for number in setup.subjects if number not in subjects]
        if absent:
            shown = ", ".join(f"{SUBJECT_DATES[number]}-subject-{number + 1:02d}" for number in absent)
            raise UserError(
                f"Split '{split}' of DexYCB in '{root}' lacks {shown}: complete the download, or choose a split of "
                f"the existing people, such as {_possible(set(subjects))}."
            )
        for number in setup.subjects:
            folder = subjects[number]
            found = sorted(path.name for path in folder.iterdir() if path.is_dir())
            if len(found) != SEQUENCES_OF_SUBJECT:
                raise UserError(
                    f"'{folder}' has {len(found)} of {SEQUENCES_OF_SUBJECT} sequences, by whose order DexYCB's splits "
                    "are made: complete the download."
                )
            names += [f"{folder.name}/{found[k]}" for k in setup.sequences]
        return names


def _setup(split: str) -> Setup:
    setup = SETUPS.get(split) or SETUPS.get(f"s0_{split}")
    if setup is None:
        raise UserError(f"DexYCB has no split '{split}': choose train, val, test or one of {', '.join(SETUPS)}.")
    return setup


def _possible(there: set[int]) -> str:
    return next((name for name, setup in SETUPS.items() if set(setup.subjects) <= there), "none of them yet")


def _subjects(root: Path) -> dict[int, Path]:
    """The existing folders of people, by their number from 0."""
    try:
        folders = [path for path in root.iterdir() if path.is_dir()]
    except OSError:
        return {}
    dates = {match[1]: path for path in folders if (match := _SUBJECT.fullmatch(path.name))}
    return {number: dates[date] for number, date in enumerate(SUBJECT_DATES) if date in dates}


class _Calibration:
    """``calibration/`` and the sequences' ``meta.yml``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._betas: dict[str, np.ndarray] = {}

    def sequence(self, name: str) -> tuple[int, np.ndarray, int]:
        """Side (0 right, 1 left), shape (10,) and number of frames of a sequence."""
        path = self.root / name / "meta.yml"
        meta = read_yaml_file(path, ("mano_sides", "mano_calib", "num_frames"), DexYcbFormat.title)
        try:
            (side,), (person,) = meta["mano_sides"], meta["mano_calib"]
            return SIDES.index(side), self.betas(str(person)), int(meta["num_frames"])
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"'{path}' does not name one hand with its calibration: download it again.") from None

    def betas(self, person: str) -> np.ndarray:
        """Shape parameters (10,) of a person."""
        if person not in self._betas:
            path = self.root / "calibration" / f"mano_{person}" / "mano.yml"
            self._betas[person] = _numbers(path, read_yaml_file(path, ("betas",), DexYcbFormat.title)["betas"], 10)
        return self._betas[person]

    def intrinsics(self, serial: str) -> np.ndarray:
        """(3, 3) px of a camera's colour image."""
        size = "x".join(map(str, IMAGE_SIZE_PX))
        path = self.root / "calibration" / "intrinsics" / f"{serial}_{size}.yml"
        colour = read_yaml_file(path, ("color",), DexYcbFormat.title)["color"]
        names = ("fx", "fy", "ppx", "ppy")
        known = isinstance(colour, dict) and all(name in colour for name in names)
        fx, fy, cx, cy = _numbers(path, [colour[name] for name in names] if known else None, 4)
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _numbers(path: Path, values: Any, count: int) -> np.ndarray:
    try:
        return np.array(values, np.float64).reshape(count)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"'{path}' does not hold {count} numbers: download it again.") from None


class _Rows:
    """Images that are being collected; numbers are kept as arrays, not as objects."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sequences: list[str] = []
        self.parts: dict[str, list[Any]] = {
            name: [] for name in ("joints", "pose", "betas", "side", "camera", "subject")
        }

    def add(
        self, folder: Path, name: str, number: int, side: int, betas: np.ndarray, camera: int, subject: int
    ) -> None:
        """Reads a label file."""
        joints, pose = _label(folder / f"labels_{number:06d}.npz")
        self.names.append(f"{name}/color_{number:06d}.jpg")
        self.sequences.append(name.rpartition("/")[0])
        values = (joints, pose, betas, side, camera, subject)
        for column, value in zip(self.parts.values(), values, strict=True):
            column.append(value)

    def columns(self, intrinsics: np.ndarray) -> Columns:
        """The columns of all images, each of which is a separate frame whose world is its camera."""
        count = len(self.names)
        joints, pose, betas, side, camera, subject = (np.array(column) for column in self.parts.values())
        joints, pose, betas = joints.reshape(count, NUM_JOINTS, 3), pose.reshape(count, 51), betas.reshape(count, 10)
        known, fitted = ~(joints == -1).all((1, 2)), (pose != 0).any(1)
        box = boxes_of_joints(joints, np.broadcast_to(known[:, None], (count, NUM_JOINTS)), intrinsics[camera])
        nowhere = np.isnan(box[:, 0])
        box[nowhere] = [0, 0, *IMAGE_SIZE_PX]

        def of_side(values: np.ndarray) -> np.ndarray:
            """(N, …) of hands → (N, 2, …), zeros for the other hand."""
            both = np.zeros((count, 2, *values.shape[1:]), values.dtype)
            both[np.arange(count), side] = values
            return both

        return set_columns(
            file_name=self.names,
            image_size_px=np.array(IMAGE_SIZE_PX),
            bbox_px=box,
            hand_type=np.array([HAND_TYPES[name] for name in SIDES])[side],
            frame=np.arange(count),
            camera=camera,
            subject=subject,
            joints_world=of_side(joints),
            joint_valid=of_side(np.broadcast_to(known[:, None], (count, NUM_JOINTS))),
            intrinsics=intrinsics,
            mano_valid=of_side(fitted),
            mano_pose=of_side(pose[:, :48]),
            mano_betas=of_side(betas),
            mano_trans=of_side(pose[:, 48:]),
            capture_name=self.sequences,
            frame_name=[name.rpartition("/")[2] for name in self.names],
            camera_name=list(SERIALS),
        )


def _label(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(21, 3) and (51,) float32 of a label file; its segmentation is not read."""
    try:
        with np.load(path, allow_pickle=False) as label:
            return label["joint_3d"].reshape(NUM_JOINTS, 3), label["pose_m"].reshape(51)
    except FileNotFoundError:
        raise UserError(f"'{path}' is missing: complete the download of DexYCB.") from None
    except Exception:  # a damaged archive can fail in any way
        raise UserError(f"'{path}' is not a label file of DexYCB, or it is cut short: download it again.") from None
