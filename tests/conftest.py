"""Data that tests of several packages share: tiny synthetic sets through the real writer, and the real sample."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quiet_trainer import quiet_trainer

from gesturehand.hand.mano_file import ManoData
from gesturehand.synthetic.writer import write_synthetic_set

#: Gestures of the tiny sets: far apart from each other, from four coarse classes.
TINY_GESTURES = ("open_spread", "fist", "index_point", "a_okay")


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A job in the background of a shell ignores Ctrl-C, which tests of interrupts and their children would inherit."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Indices of folders that are not for writing are kept here and not in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GESTUREHAND_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny set: 64, 16 and 24 captured frames of 2, 1 and 1 subjects, two cameras each, four gestures, both hands.

    A tenth of the frames has no MANO fit and some invalid joints. Do not write into it.
    """
    root = tmp_path_factory.mktemp("synthetic") / "set"
    write_synthetic_set(
        root,
        subjects=(2, 1, 1),
        frames=(64, 16, 24),
        views=2,
        gestures=TINY_GESTURES,
        without_fit_share=0.1,
        processes=1,
        progress=False,
    )
    return root


@pytest.fixture(scope="session")
def two_hand_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny set of 24, 8 and 12 captured frames, of which half show both hands and an eighth is range of motion."""
    root = tmp_path_factory.mktemp("two_hand") / "set"
    write_synthetic_set(
        root,
        subjects=(2, 1, 1),
        frames=(24, 8, 12),
        gestures=TINY_GESTURES,
        two_hand_share=0.5,
        rom_share=0.125,
        without_fit_share=0.1,
        seed=1,
        processes=1,
        progress=False,
    )
    return root


@pytest.fixture(scope="session")
def flat_root(tmp_path_factory: pytest.TempPathFactory, two_hand_root: Path) -> Path:
    """Hands of the set with pairs in a COCO-style set: 2D joints only, splits train and val."""
    from gesturehand.camera import project, transform_points
    from gesturehand.data.index import read_index

    root = tmp_path_factory.mktemp("flat") / "set"
    (root / "annotations").mkdir(parents=True)
    for split in ("train", "val"):
        index = read_index(two_hand_root, split)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for row in range(len(index)):
            name = f"{split}2017/{row:012d}.jpg"
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(index.image_file(row), root / name)
            width, height = index.image_size_px[row].tolist()
            images.append({"id": row, "file_name": name, "width": width, "height": height})
            frame, camera = index.frame[row], index.camera[row]
            for place, side in enumerate(("right", "left")):
                valid = np.asarray(index.joint_valid_frame[frame])[place]
                if not index.hand_type[row] & (1 << place) or not valid.any():
                    continue
                joints = transform_points(
                    index.joints_world[frame, place], index.camera_rotation[camera], index.camera_translation[camera]
                )
                pixels = project(joints.astype(np.float64), index.intrinsics[camera].astype(np.float64))
                points = np.column_stack([np.where(valid[:, None], pixels, 0), valid]).ravel().tolist()
                annotations.append({"id": len(annotations), "image_id": row, "keypoints": points, "hand_type": side})
        content = {"images": images, "annotations": annotations, "categories": []}
        (root / "annotations" / f"hands_{split}.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="session")
def trained_checkpoint(tmp_path_factory: pytest.TempPathFactory, synthetic_root: Path) -> Path:
    """Of a TokenFusionRegressor at 64 px, trained for seconds: joints lie about where hands are."""
    import pytorch_lightning as pl

    from gesturehand.data.datamodule import InterHandDataModule
    from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

    pl.seed_everything(3, verbose=False)
    model = TokenFusionRegressor(
        "test_resnet", feature_stride=16, image_size=64, embedding_dim=32, width=32, depth=1, learning_rate=4e-3
    )
    trainer = quiet_trainer(max_epochs=8, limit_val_batches=0)
    trainer.fit(
        model, InterHandDataModule(str(synthetic_root), image_size=64, batch_size=16, num_workers=0, augment=False)
    )
    path = tmp_path_factory.mktemp("trained") / "small.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="session")
def pair_frames(two_hand_root: Path) -> list[dict[str, Any]]:
    """Test frames of the set with pairs: ``file``, ``intrinsics`` (3, 3), ``hands`` (box, hand, joints m, valid)."""
    import numpy as np

    from gesturehand.camera import project, transform_points
    from gesturehand.data.datamodule import InterHandDataModule

    module = InterHandDataModule(
        str(two_hand_root), image_size=8, hands="all", layout="two_hand", mirror_left=False, num_workers=0
    )
    dataset = module.dataset("test")
    found = []
    for number in range(len(dataset)):
        sample = dataset[number]
        joints = transform_points(sample["joints_world"], sample["camera_rotation"], sample["camera_translation"])
        hands = []
        for slot in np.flatnonzero(sample["hand_present"]):
            own, valid = joints[slot].double().numpy(), sample["joint_valid_frame"][slot].numpy()
            px = project(own[valid], sample["intrinsics"].double().numpy())
            low, high = px.min(0), px.max(0)
            box = [*low.tolist(), *(high - low).tolist()]
            hands.append({"box": box, "hand": ("right", "left")[slot], "joints": own, "valid": valid})
        found.append({"file": dataset.image_file(number), "intrinsics": sample["intrinsics"].numpy(), "hands": hands})
    return found


@pytest.fixture(scope="session")
def real_sample() -> Path:
    """InterHand2.6M's four real frames, which lie beside the repository and not in it."""
    root = Path(__file__).parents[2] / "shared" / "data" / "interhand2.6m_sample"
    if not (root / "annotations").is_dir():
        pytest.skip(f"the real sample of InterHand2.6M is not at {root}")
    return root


@pytest.fixture
def rest_joints() -> Callable[[ManoData, np.ndarray], np.ndarray]:
    """Joints (N, 16, 3) of hands of shapes (N, 10) at rest, regressed from each shaped template."""

    def regress(hand: ManoData, betas: np.ndarray) -> np.ndarray:
        return np.stack([hand.J_regressor @ (hand.v_template + hand.shapedirs @ beta) for beta in betas])

    return regress
