"""Data that the tests of several packages share: tiny synthetic sets by the real writer, and the real sample."""

import http.server
import json
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from set_files import copy_split
from trainings import quiet_trainer

from gesturehand.hand.mano_file import ManoData
from gesturehand.synthetic.writer import write_synthetic_set

#: Gestures of the tiny sets: far apart from each other, from four coarse classes.
TINY_GESTURES = ("open_spread", "fist", "index_point", "a_okay")


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Makes Ctrl-C work if this runs as a shell's background job, which ignores it and lets children inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Indices of read-only folders are kept here and not in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GESTUREHAND_CACHE", str(folder))
        yield folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread, as a worker has: more threads sum up products of matrices in another order, and wait for each other
    in networks as small as those of the tests.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


@pytest.fixture
def val_root(tmp_path: Path, synthetic_root: Path) -> Path:
    """A copy of the tiny set's validation split that a test may write into."""
    return copy_split(synthetic_root, "val", tmp_path / "set")


@pytest.fixture(scope="session")
def two_hand_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny set of 24, 8 and 12 captured frames; half of them show both hands, and an eighth is range of motion."""
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
    """The hands of the set with pairs as a COCO-style set, with 2D joints only, in splits train and val."""
    from set_files import true_hands

    root = tmp_path_factory.mktemp("flat") / "set"
    (root / "annotations").mkdir(parents=True)
    for split in ("train", "val"):
        images: dict[int, dict[str, Any]] = {}
        annotations = []
        for hand in true_hands(two_hand_root, split):
            name = f"{split}2017/{hand.row:012d}.jpg"
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(hand.source, root / name)
            width, height = hand.size
            images[hand.row] = {"id": hand.row, "file_name": name, "width": width, "height": height}
            told = {"keypoints": hand.triples.ravel().tolist(), "hand_type": hand.side}
            annotations.append({"id": len(annotations), "image_id": hand.row, **told})
        content = {"images": list(images.values()), "annotations": annotations, "categories": []}
        (root / "annotations" / f"hands_{split}.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="session")
def trained_checkpoint(tmp_path_factory: pytest.TempPathFactory, synthetic_root: Path) -> Path:
    """A checkpoint of a TokenFusionRegressor at 64 px, trained for seconds: its joints lie roughly where hands are."""
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
    from set_files import true_hands

    frames: dict[int, dict[str, Any]] = {}
    for hand in true_hands(two_hand_root, "test"):
        frame = {"file": hand.source, "intrinsics": hand.intrinsics, "hands": []}
        frames.setdefault(hand.row, frame)["hands"].append(
            {"box": hand.box, "hand": hand.side, "joints": hand.joints, "valid": hand.valid}
        )
    return list(frames.values())


@pytest.fixture(scope="session")
def real_sample() -> Path:
    """InterHand2.6M's four real frames, which lie beside the repository and not in it."""
    root = Path(__file__).parents[2] / "shared" / "data" / "interhand2.6m_sample"
    if not (root / "annotations").is_dir():
        pytest.skip(f"the real sample of InterHand2.6M is not at {root}")
    return root


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """A context in which a limit of 10 kB on the size of files simulates a full disk."""

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)

    return limited


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def hand_model() -> Any:
    """The open hand's model; do not change it."""
    from gesturehand.hand.layer import HandModel

    return HandModel()


@pytest.fixture
def logged_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is logged in to W&B, whoever runs the tests."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[Callable[[int], str]]:
    """Starts a server on this machine that answers every HEAD request with a code; returns its address."""
    running = []

    def start(code: int) -> str:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(code)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        running.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.fixture
def rest_joints() -> Callable[[ManoData, np.ndarray], np.ndarray]:
    """Joints (N, 16, 3) at rest of hands of shapes (N, 10), regressed from each shaped template."""

    def regress(hand: ManoData, betas: np.ndarray) -> np.ndarray:
        return np.stack([hand.J_regressor @ (hand.v_template + hand.shapedirs @ beta) for beta in betas])

    return regress
