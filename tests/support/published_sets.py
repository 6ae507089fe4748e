"""Folders in exactly the layouts of published sets, written from the open hand with each set's own conventions."""

import json
import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import ManoData
from gesturehand.hand.skinning import skin

#: Fingertips of each set on the open hand, thumb … pinky, written down independently.
TIPS = {
    "freihand": {"right": (744, 320, 443, 554, 671)},
    "ho3d": {"right": (744, 320, 444, 554, 671)},
    "dexycb": {"right": (745, 317, 444, 556, 673), "left": (745, 317, 445, 556, 673)},
}
#: Places of the papers' 21 joints among MANO's 16 joints and five tips, written down independently.
PAPERS = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
OPENGL = np.diag([1.0, -1.0, -1.0])
SERIALS = [
    "836212060125", "839512060362", "840412060917", "841412060263",
    "932122060857", "932122060861", "932122061900", "932122062010",
]  # fmt: skip


@dataclass
class Hand:
    """A hand in a camera's frame: the content of the files, and what must be read from them."""

    side: str
    rotvec: np.ndarray  # (16, 3), mean pose included
    betas: np.ndarray
    trans: np.ndarray
    vertices: np.ndarray
    joints: np.ndarray  # (21, 3) in the set's definition, the papers' order
    ordered: np.ndarray  # the same in MANO's order, tips last


def made_hand(data: ManoData, name: str, rng: np.random.Generator, axes: np.ndarray) -> Hand:
    """A random pose half a metre to a metre in front of the camera, in a frame of the given axes."""
    rotvec = rng.normal(0, 0.25, (16, 3))
    rotvec[1:] += data.hands_mean.reshape(15, 3)
    rotvec[0] = Rotation.random(random_state=rng).as_rotvec()
    betas = rng.normal(0, 0.7, 10)
    place = np.array([*rng.uniform(-0.03, 0.03, 2), rng.uniform(0.5, 1.0)])
    matrices = Rotation.from_rotvec(rotvec).as_matrix()
    rest = data.J_regressor @ (data.v_template + data.shapedirs @ betas)
    # The middle knuckle is moved to the place.
    knuckle = skin(data, matrices[None], betas[None], np.zeros((1, 3)))[1][0, 4]
    assert rest.shape == (16, 3)
    trans = axes @ place - knuckle
    vertices, joints = (part[0] for part in skin(data, matrices[None], betas[None], trans[None]))
    ordered = np.concatenate([joints, vertices[list(TIPS[name][data.side])]])
    return Hand(data.side, rotvec, betas, trans, vertices, ordered[PAPERS], ordered)


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def picture(path: Path, size: tuple[int, int], grey: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), grey % 256, np.uint8))
    return path


def link(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, path)


def freihand_mano(hand: Hand, data: ManoData, intrinsics: np.ndarray) -> list[list[float]]:
    """61 numbers, nested as in the files: pose minus the mean, shape, the middle knuckle's pixel, focal / depth."""
    pose = hand.rotvec.copy()
    pose[1:] -= data.hands_mean.reshape(15, 3)
    knuckle = hand.joints[9]
    scale = (intrinsics[0, 0] + intrinsics[1, 1]) / 2 / knuckle[2]
    uv = knuckle[:2] * scale + intrinsics[:2, 2]
    return [[*pose.reshape(-1).tolist(), *hand.betas.tolist(), *uv.tolist(), scale]]


def write_freihand(root: Path, *, samples: int = 6, evaluation: int = 4, labelled: bool = True) -> SimpleNamespace:
    """FreiHAND's folder; every image is of a grey that tells its number."""
    rng, data = np.random.default_rng(3), open_hand("right")
    made = SimpleNamespace(root=root, train=[], test=[], intrinsics={})
    for prefix, split, count in (("training", "train", samples), ("evaluation", "test", evaluation)):
        hands = [made_hand(data, "freihand", rng, np.eye(3)) for _ in range(count)]
        focal = rng.uniform(450, 500, count)
        cameras = [np.array([[f, 0, 112 + k], [0, f + 1, 111], [0, 0, 1]]) for k, f in enumerate(focal)]
        setattr(made, split, hands)
        made.intrinsics[split] = np.array(cameras)
        write(root / f"{prefix}_K.json", [camera.tolist() for camera in cameras])
        write(root / f"{prefix}_scale.json", [0.03] * count)
        if split == "train" or labelled:
            write(root / f"{prefix}_xyz.json", [hand.joints.tolist() for hand in hands])
            write(root / f"{prefix}_verts.json", [hand.vertices.tolist() for hand in hands])
            fits = [freihand_mano(hand, data, camera) for hand, camera in zip(hands, cameras, strict=True)]
            write(root / f"{prefix}_mano.json", fits)
        for number in range(count * (4 if split == "train" else 1)):
            picture(root / prefix / "rgb" / f"{number:08d}.jpg", (224, 224), 8 * number)
            if split == "train" and number < count:
                picture(root / prefix / "mask" / f"{number:08d}.jpg", (224, 224), 255)
    return made


def write_ho3d(root: Path, version: int, *, labelled: bool = True) -> SimpleNamespace:
    """HO-3D's folder: two sequences of training images (one image not annotated and not listed), one of evaluation."""
    rng, data = np.random.default_rng(4), open_hand("right")
    suffix = {2: "png", 3: "jpg"}[version]
    made = SimpleNamespace(root=root, train=[], test=[], names={"train": [], "test": []})
    made.intrinsics = np.array([[614.6, 0, 320.2], [0, 614.1, 241.4], [0, 0, 1]])
    for folder, split, sequences in (("train", "train", ("ABF10", "MC1")), ("evaluation", "test", ("AP10",))):
        for sequence in sequences:
            for number in range(3):
                hand = made_hand(data, "ho3d", rng, OPENGL)
                listed = number != 1 or split == "test"
                meta: dict[str, Any] = {
                    "camMat": made.intrinsics,
                    "objName": "011_banana",
                    "objLabel": 10,
                    "objRot": np.zeros((3, 1)),
                    "objTrans": np.zeros(3),
                    "camIDList": ["0", "1"],
                }
                if split == "test":
                    px = hand.joints @ OPENGL @ made.intrinsics.T
                    px = px[:, :2] / px[:, 2:]
                    meta["handBoundingBox"] = [*px.min(0).tolist(), *px.max(0).tolist()]
                    meta["handJoints3D"] = hand.joints[0]
                else:
                    annotation = {
                        "handPose": hand.rotvec.reshape(-1),
                        "handTrans": hand.trans,
                        "handBeta": hand.betas,
                        "handJoints3D": hand.ordered,
                    }
                    meta |= annotation if listed else dict.fromkeys(annotation)
                path = root / folder / sequence / "meta" / f"{number:04d}.pkl"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(pickle.dumps(meta, protocol=2))
                picture(root / folder / sequence / "rgb" / f"{number:04d}.{suffix}", (640, 480), 40 * number)
                if listed:
                    made.names[split].append(f"{sequence}/{number:04d}")
                    getattr(made, split).append(hand)
        (root / f"{folder}.txt").write_text("\n".join(made.names[split]) + "\n", encoding="utf-8")
    if version == 3:
        (root / "calibration").mkdir()
    if labelled:
        write(root / "evaluation_xyz.json", [hand.ordered.tolist() for hand in made.test])
        write(root / "evaluation_verts.json", [hand.vertices.tolist() for hand in made.test])
    return made


def write_dexycb(root: Path, models: dict[str, ManoData], *, people: tuple[int, ...] = (0, 1)) -> SimpleNamespace:
    """The part of DexYCB's folder for split val of s0: two people with 100 sequences each, 20 of them with images."""
    rng = np.random.default_rng(5)
    dates = ("20200709", "20200813")
    made = SimpleNamespace(root=root, hands=[], names=[], unannotated=[])
    made.intrinsics = np.array([[[612 + k, 0, 321], [0, 613 + k, 239], [0, 0, 1]] for k in range(8)], float)
    for serial, matrix in zip(SERIALS, made.intrinsics, strict=True):
        path = root / "calibration" / "intrinsics" / f"{serial}_640x480.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
        colour = f"color:\n  fx: {fx}\n  fy: {fy}\n  ppx: {cx}\n  ppy: {cy}\n"
        path.write_text(f"{colour}depth:\n  fx: 600.0\n  fy: 600.0\n  ppx: 320.0\n  ppy: 240.0\n", encoding="utf-8")
    image = picture(root.parent / "dexycb.jpg", (640, 480), 90)
    for person in people:
        betas = rng.normal(0, 0.6, 10)
        calibration = f"{dates[person]}_140000_subject-{person + 1:02d}"
        for side in models:
            path = root / "calibration" / f"mano_{calibration}_{side}" / "mano.yml"
            path.parent.mkdir(parents=True)
            path.write_text("betas:\n" + "".join(f"- {beta!r}\n" for beta in betas.tolist()), encoding="utf-8")
        for k in range(100):
            sequence = f"{dates[person]}-subject-{person + 1:02d}/{dates[person]}_{140000 + k}"
            folder = root / sequence
            folder.mkdir(parents=True)
            if k % 5 != 4:
                continue
            side = ("right", "left")[k // 5 % 2]
            data = models[side]
            meta = (
                f"serials:\n{''.join(f'- {s!r}' + chr(10) for s in SERIALS)}num_frames: 1\nextrinsics: '20200702'\n"
                f"mano_calib:\n- {calibration}_{side}\nmano_sides:\n- {side}\nycb_ids:\n- 3\nycb_grasp_ind: 0\n"
            )
            (folder / "meta.yml").write_text(meta, encoding="utf-8")
            for serial in SERIALS:
                hand = made_hand(replace(data), "dexycb", rng, np.eye(3))
                # A person has one shape, with which the hand is posed again.
                matrices = Rotation.from_rotvec(hand.rotvec).as_matrix()
                vertices, joints = (x[0] for x in skin(data, matrices[None], betas[None], hand.trans[None]))
                ordered = np.concatenate([joints, vertices[list(TIPS["dexycb"][side])]])
                hand = replace(hand, betas=betas, vertices=vertices, joints=ordered[PAPERS], ordered=ordered)
                fingers = (hand.rotvec[1:].reshape(-1) - data.hands_mean) @ np.linalg.inv(data.hands_components)
                pose = np.concatenate([hand.rotvec[0], fingers, hand.trans])[None].astype(np.float32)
                joints_3d = hand.joints[None].astype(np.float32)
                annotated = len(made.hands) % 17 != 16
                if not annotated:
                    pose, joints_3d = np.zeros_like(pose), np.full_like(joints_3d, -1)
                label = folder / serial / "labels_000000.npz"
                label.parent.mkdir()
                np.savez(
                    label,
                    seg=np.zeros((4, 4), np.uint8),
                    pose_y=np.zeros((1, 3, 4), np.float32),
                    pose_m=pose,
                    joint_3d=joints_3d,
                    joint_2d=np.full((1, 21, 2), -1, np.float32),
                )
                link(image, folder / serial / "color_000000.jpg")
                made.names.append(f"{sequence}/{serial}/color_000000.jpg")
                made.hands.append(hand)
                made.unannotated += [] if annotated else [len(made.hands) - 1]
    return made
