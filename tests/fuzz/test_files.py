"""Mutated files of every kind that comes from outside: each loads, or the project's own error refuses it."""

import contextlib
import importlib.util
import io
import itertools
import json
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from hostile_files import Runs
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import refused
from set_files import copy_split

from gesturehand.checkpoints.checkpoint_io import load_checkpoint
from gesturehand.cli.train import TrainingCLI, run_cli
from gesturehand.cli.training.config_trust import distrust_configs
from gesturehand.data.check import check_data
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import look_at_image, read_image
from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import SavedPredictions, read_predictions, write_predictions
from gesturehand.hand.mano_file import ManoData, read_mano, write_npz
from gesturehand.inference.boxes import BoxFile
from gesturehand.inference.query import ImageQuery, crops_of
from gesturehand.inference.video import Video
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries
from gesturehand.skeleton import JOINT_NAMES

REPOSITORY = Path(__file__).parents[2]


def sibling(path: str):
    """A test module, imported from its file."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_for_fuzz", Path(__file__).parents[1] / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutations = sibling("fuzz/mutations.py")
hands = sibling("hand/conftest.py")
RANDOM = st.randoms(use_true_random=False)
FUZZ = settings.get_profile("fuzz")


@pytest.fixture(scope="module")
def small_set(tmp_path_factory, synthetic_root):
    """A set's validation split with a few images, and its annotation files as JSON."""
    root = copy_split(synthetic_root, "val", tmp_path_factory.mktemp("fuzz") / "set")
    texts = {path: path.read_text() for path in sorted((root / "annotations" / "val").glob("*.json"))}
    contents = {path: json.loads(text) for path, text in texts.items()}
    data = next(content for path, content in contents.items() if path.name.endswith("_data.json"))
    kept = data["images"][:6]
    names = {image["id"] for image in kept}
    data["images"] = kept
    data["annotations"] = [entry for entry in data["annotations"] if entry["image_id"] in names]
    return root, contents


def test_annotations(small_set, attempt):
    root, contents = small_set

    @FUZZ
    @given(RANDOM)
    def run(chance):
        changed = chance.choice(list(contents))
        for path, content in contents.items():
            raw = json.dumps(content).encode()
            if path == changed and chance.random() < 0.7:
                raw = json.dumps(mutations.change_values(content, chance)).encode()
            elif path == changed:
                raw = mutations.change_bytes(raw, chance)
            path.write_bytes(raw)
        with attempt("annotation files"):
            dataset = InterHandDataModule(str(root), image_size=32, num_workers=0, hands="all").dataset("val")
            for number in range(min(2, len(dataset))):
                sample = dataset[number]
                assert sample["image"].shape == (3, 32, 32)
        with attempt("annotation files, checked"):
            check_data(root, ["val"], progress=False, decode=False, threads=1)

    run()


@pytest.fixture(scope="module")
def hand_files(tmp_path_factory):
    """A small hand as an official pickle, a newer pickle and an archive; and pickles that try to run code."""
    folder = tmp_path_factory.mktemp("hands")
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=(8, 16))
    hand = ManoData(
        side="right",
        source="random",
        v_template=rng.normal(size=(8, 3)),
        shapedirs=rng.normal(size=(8, 3, 10)),
        posedirs=rng.normal(size=(8, 3, 135)),
        J_regressor=rng.uniform(size=(16, 8)),
        weights=weights / weights.sum(axis=1, keepdims=True),
        faces=rng.integers(0, 8, (12, 3)),
        hands_mean=rng.normal(size=45),
        hands_components=rng.normal(size=(45, 45)),
    )
    buffer = io.BytesIO()
    hands.Python2Pickler(buffer, protocol=2).dump(hands.official_contents(hand))
    write_npz(hand, folder / "hand.npz")
    newer = pickle.dumps(hands.mano_dictionary(hand), protocol=4)
    return folder, [(".pkl", buffer.getvalue()), (".pkl", newer), (".npz", (folder / "hand.npz").read_bytes())]


def test_hand_models(hand_files, attempt):
    folder, originals = hand_files
    names = [b"chumpy.ch", b"numpy", b"scipy.sparse.csc", b"_reconstruct", b"csc_matrix"]
    attacks = [b"os", b"builtins", b"posix", b"subprocess", b"system", b"eval", b"exec", b"Popen"]

    @FUZZ
    @given(RANDOM)
    def run(chance):
        suffix, raw = chance.choice(originals)
        raw = mutations.change_bytes(raw, chance)
        if suffix == ".pkl" and chance.random() < 0.3:
            raw = raw.replace(chance.choice(names), chance.choice(attacks))
        path = folder / f"MANO_RIGHT{suffix}"
        path.write_bytes(raw)
        with attempt("hand-model files"):
            assert np.isfinite(read_mano(path).v_template).all()

    run()


def test_pickles_that_run_code_are_refused_by_name(tmp_path):
    import os

    trace = tmp_path / "trace"
    look_alike = b"cchumpy.ch\nCh\n(S'x'\ntR."
    attacks = {
        "os.system": pickle.dumps({"f": Runs(os.system, f"touch {trace}")}, protocol=2),
        "eval": pickle.dumps({"f": Runs(eval, f"open({str(trace)!r}, 'w')")}, protocol=2),
        "exec": pickle.dumps({"f": Runs(exec, f"open({str(trace)!r}, 'w')")}, protocol=2),
        "__builtin__.getattr": b"c__builtin__\ngetattr\n(cos\nsystem\nS'x'\ntR.",
        "chumpy.utils.system": b"cchumpy.utils\nsystem\n(S'touch x'\ntR.",
        "chumpy.ch.Ch.__init__": b"\x80\x04\x8c\x09chumpy.ch\x8c\x0bCh.__init__\x93.",
        "numpy.testing._private.utils.runstring": b"cnumpy.testing._private.utils\nrunstring\n(S'x'\n}tR.",
    }
    for named, raw in attacks.items():
        path = tmp_path / "MANO_RIGHT.pkl"
        path.write_bytes(raw)
        with refused(named.removeprefix("os."), match="could run code"):
            read_mano(path)
        assert not trace.exists()
    (tmp_path / "MANO_RIGHT.pkl").write_bytes(look_alike)
    with pytest.raises(UserError):
        read_mano(tmp_path / "MANO_RIGHT.pkl")


def test_joints_files(tmp_path, attempt):
    """Through the import; the index reads what the import takes, and the check finds it correct."""
    (tmp_path / "photos").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), np.zeros((300, 400, 3), np.uint8))
    rng = np.random.default_rng(0)
    hands = [
        {
            "image": f"{number}.png",
            "hand": "left",
            "joints_2d": rng.uniform(20, 280, (21, 2)).round(2).tolist(),
            "gesture": "fist",
            "intrinsics": [500, 500, 200, 150],
            "mano": {"pose": [0.1] * 48, "shape": [0.2] * 10, "trans": [0, 0, 0.5]},
        }
        for number in range(3)
    ]
    columns = ["image", "hand", "gesture", *(f"{joint}_{axis}" for joint in JOINT_NAMES for axis in "xy")]
    rows = [[hand["image"], "left", "fist", *np.ravel(hand["joints_2d"])] for hand in hands]
    table = "\n".join(",".join(map(str, row)) for row in [columns, *rows]).encode()

    @FUZZ
    @given(RANDOM)
    def run(chance):
        suffix = chance.choice((".json", ".csv"))
        if suffix == ".json" and chance.random() < 0.7:
            raw = json.dumps(mutations.change_values(hands, chance)).encode()
        else:
            raw = mutations.change_bytes(table if suffix == ".csv" else json.dumps(hands).encode(), chance)
        path, out = tmp_path / f"joints{suffix}", tmp_path / "set"
        path.write_bytes(raw)
        shutil.rmtree(out, ignore_errors=True)
        entries = None
        with attempt("joints files"):
            entries = read_entries(path)
        # The import removes unfinished files, which the watch over reading would take for an attack.
        with contextlib.suppress(UserError):
            if entries is not None:
                convert(entries, tmp_path / "photos", out)
        if out.exists():
            data = InterHandDataModule(str(out), image_size=32, num_workers=0, hands="all", test_split="train")
            assert data.dataset("test")[0]["image"].shape == (3, 32, 32)
            assert check_data(out, progress=False, decode=False, threads=1).counts() == {}

    run()


def test_images(tmp_path, attempt):
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), (0, 0), 2)
    originals = [(s, cv2.imencode(s, picture)[1].tobytes()) for s in (".jpg", ".png", ".bmp", ".webp")]

    @FUZZ
    @given(RANDOM)
    def run(chance):
        suffix, raw = chance.choice(originals)
        path = tmp_path / f"image{suffix}"
        path.write_bytes(mutations.change_bytes(raw, chance))
        with attempt("images"):
            image = read_image(path)
            assert image.dtype == np.uint8
            assert image.ndim == 3

    run()


def test_exif(tmp_path, attempt):
    """The header and the entry of the orientation, in the three formats that have one."""
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    tags = Image.Exif()
    tags.update({0x010F: "a maker", 0x0112: 6, 0x0132: "2026:01:01 00:00:00"})
    originals = []
    for format, suffix in (("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format, exif=tags)
        raw = buffer.getvalue()
        place = raw.index(tags.tobytes().removeprefix(b"Exif\0\0"))
        originals.append((suffix, raw, place, len(tags.tobytes())))

    @FUZZ
    @given(RANDOM)
    def run(chance):
        suffix, raw, place, length = chance.choice(originals)
        data = mutations.change_bytes(raw[place : place + length], chance)
        head = mutations.change_bytes(raw[:place], chance) if chance.random() < 0.2 else raw[:place]
        path = tmp_path / f"image{suffix}"
        path.write_bytes(head + data + raw[place + length :])
        with attempt("Exif data of images"):
            shown = look_at_image(path)
            assert read_image(path).shape[1::-1] == shown

    run()


def test_videos(tmp_path, attempt):
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), (0, 0), 2)
    originals = []
    for suffix, code in ((".avi", "MJPG"), (".mp4", "mp4v"), (".mkv", "mp4v"), (".webm", "VP80")):
        path = tmp_path / f"original{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 10, (64, 48))
        for step in range(6):
            writer.write(np.roll(picture, 3 * step, 1))
        writer.release()
        originals.append((suffix, path.read_bytes()))

    @FUZZ
    @given(RANDOM)
    def run(chance):
        suffix, raw = chance.choice(originals)
        path = tmp_path / f"clip{suffix}"
        path.write_bytes(mutations.change_bytes(raw, chance))
        with attempt("videos"):
            for frame in itertools.islice(Video(path), 100):
                assert frame.dtype == np.uint8
                assert frame.ndim == 3

    run()


def test_boxes(tmp_path, attempt):
    """Boxes files, and predictions of an image; files that load give boxes from which crops can be made."""
    path = tmp_path / "boxes.json"
    hand = {"box": [35, 146, 135, 151], "hand": "right"}
    originals = [
        {"a.jpg": [hand, {"box": [189, 106, 123, 227], "hand": "left"}], "b.jpg": [{}], "c.jpg": []},
        {"clip.mp4": {"0": [hand], "7": []}, "all.mp4": [hand]},
        [hand, {"box": None, "hand": None}],
        {
            "image": "a.jpg",
            "width": 640,
            "height": 480,
            "hands": [{"side": "left", "box": [1, 2, 30, 40], "betas": [0.0]}],
        },
    ]

    @FUZZ
    @given(RANDOM)
    def run(chance):
        content = chance.choice(originals)
        if chance.random() < 0.7:
            raw = json.dumps(mutations.change_values(content, chance)).encode()
        else:
            raw = mutations.change_bytes(json.dumps(content).encode(), chance)
        path.write_bytes(raw)
        with attempt("boxes files"):
            file = BoxFile(path)
            for name, frame in (("a.jpg", None), ("clip.mp4", 7), ("other.jpg", None)):
                query = ImageQuery(np.zeros((480, 640, 3), np.uint8), tuple(file.of(name, frame)))
                for request in crops_of(query, query.image, True, 1.4):
                    assert np.isfinite(request.square).all()
                    assert 0 < request.square[2] <= 4 * 640

    run()


def test_predictions(tmp_path, attempt):
    path = tmp_path / "predictions.npz"
    rng = np.random.default_rng(0)
    write_predictions(
        path, SavedPredictions(np.arange(5), rng.normal(size=(5, 1, 21, 3)), rng.normal(size=(5, 1, 9, 3)))
    )
    raw = path.read_bytes()
    with_objects = io.BytesIO()
    np.savez(with_objects, ids=np.arange(5), joints=np.array([Runs(print, "ran")] * 5, object))

    @FUZZ
    @given(RANDOM)
    def run(chance):
        path.write_bytes(mutations.change_bytes(chance.choice((raw, raw, raw, with_objects.getvalue())), chance))
        with attempt("prediction files"):
            read_predictions(path)

    run()


def test_checkpoints(tmp_path, attempt):
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {"a": torch.ones(20)}, "epoch": 3, "hyper_parameters": {"width": 4}}, path)
    raw = path.read_bytes()
    torch.save({"state_dict": {}, "run": Runs(print, "ran")}, path)
    evil = path.read_bytes()

    @FUZZ
    @given(RANDOM)
    def run(chance):
        path.write_bytes(mutations.change_bytes(chance.choice((raw, raw, evil)), chance))
        with attempt("checkpoints"):
            load_checkpoint(path)

    run()


def test_configs(tmp_path, attempt, monkeypatch, capsys):
    """Through the real command's parser and constructors, up to where training would begin."""
    monkeypatch.chdir(tmp_path)
    originals = [yaml.safe_load(path.read_text()) for path in sorted((REPOSITORY / "experiments").glob("demo/*.yaml"))]
    Path("correct.yaml").write_text(yaml.safe_dump(originals[0]))
    distrust_configs()

    class UpToTraining(TrainingCLI):
        def instantiate_classes(self) -> None:
            """Building the parser takes most of the time, so it is built once and every file parsed with it."""

        before_instantiate_classes = instantiate_classes

        def _run_subcommand(self, subcommand: str) -> None:
            pass

    cli = run_cli(UpToTraining, ["fit", "--config=correct.yaml"])

    @FUZZ
    @given(RANDOM)
    def run(chance):
        content = chance.choice(originals)
        if chance.random() < 0.8:
            text = yaml.safe_dump(mutations.change_values(content, chance), allow_unicode=True).encode()
        else:
            text = mutations.change_bytes(yaml.safe_dump(content).encode(), chance)
        Path("experiment.yaml").write_bytes(text)
        with attempt("configurations"):
            try:
                cli.parse_arguments(cli.parser, ["fit", "--config=experiment.yaml"])
                InterHandDataModule(**cli.config.fit.data.as_dict())
            except SystemExit:
                raise UserError(capsys.readouterr().err.strip().splitlines()[-1]) from None

    run()
    assert not Path("fuzzed").exists()
