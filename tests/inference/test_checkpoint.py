"""Checkpoints: how they are found and told apart, and that no code in them is run."""

import json
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import fault
from refusals import refused
from safetensors import safe_open
from safetensors.torch import save_file
from trainings import quiet_trainer

from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz
from gesturehand.inference import HandPredictor
from gesturehand.inference.boxes import BOX_SCALE
from gesturehand.inference.checkpoint import find_checkpoint, load_regressor
from gesturehand.models.encoder import Encoder
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "real_hands"


@pytest.fixture
def run(tmp_path, trained_checkpoint):
    """A finished run's folder."""
    folder = tmp_path / "runs" / "small" / "1"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").write_bytes(trained_checkpoint.read_bytes())
    (folder / "finished.json").write_text(json.dumps({"model": "TokenFusionRegressor", "finished_at": 1.0}))
    return folder


def test_the_same_network_comes_back(trained_checkpoint):
    loaded = load_regressor(trained_checkpoint)
    saved = torch.load(trained_checkpoint, weights_only=True)["state_dict"]
    assert loaded.path == trained_checkpoint
    assert loaded.crops == (True, False, BOX_SCALE)
    assert not loaded.model.training
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, saved[name]), name


def test_file_folder_and_latest(run, tmp_path, trained_checkpoint):
    best = run / "checkpoints" / "best.ckpt"
    assert find_checkpoint(trained_checkpoint) == trained_checkpoint
    assert find_checkpoint(run) == find_checkpoint("latest", tmp_path / "runs") == best


def test_latest_is_a_regressor(run, tmp_path):
    later = tmp_path / "runs" / "pretrain"
    later.mkdir()
    (later / "finished.json").write_text(json.dumps({"model": "GesturePretrainer", "finished_at": 2.0}))
    assert find_checkpoint("latest", tmp_path / "runs") == run / "checkpoints" / "best.ckpt"


@pytest.mark.parametrize(
    ("where", "message"), [("nowhere.ckpt", "does not exist: give a file"), (".", "has no 'checkpoints/best.ckpt'")]
)
def test_nothing_there(tmp_path, where, message):
    with pytest.raises(UserError, match=message):
        find_checkpoint(tmp_path / where)
    with pytest.raises(UserError, match="No finished HandRegressor under"):
        find_checkpoint("latest", tmp_path)


@pytest.mark.parametrize("mirror_left", [None, False, True])
@pytest.mark.parametrize("upright", [None, False, True])
def test_config_says_how_crops_showed_hands(run, mirror_left, upright):
    """A setting that is missing has the value from before the setting existed."""
    given = {"mirror_left": mirror_left, "upright": upright}
    lines = [f"  {name}: {str(value).lower()}" for name, value in given.items() if value is not None]
    (run / "config.yaml").write_text("\n".join(["data:", "  root: r", *lines]) + "\n")
    crops = load_regressor(run).crops
    assert crops.mirror_left == (mirror_left is not False)
    assert crops.upright == bool(upright)


@pytest.mark.parametrize(("sets", "for_photos"), [("[]", False), ("[{root: data/mine, share: 0.2}]", True)])
def test_a_network_that_learned_from_further_sets_is_for_photographs(run, sets, for_photos):
    (run / "config.yaml").write_text(f"data:\n  root: r\n  sets: {sets}\n")
    assert load_regressor(run).for_photos == for_photos


def test_pretraining_is_not_a_regressor(tmp_path):
    trainer = quiet_trainer()
    trainer.strategy.connect(GesturePretrainer(backbone="test_resnet", feature_stride=16, image_size=64))
    trainer.save_checkpoint(tmp_path / "p.ckpt")
    with pytest.raises(UserError, match="holds GesturePretrainer, not a hand regressor"):
        load_regressor(tmp_path / "p.ckpt")


def changed(trained_checkpoint, path, **changes):
    content = torch.load(trained_checkpoint, weights_only=True)
    content["hyper_parameters"] |= changes.pop("settings", {})
    torch.save(content | changes, path)
    return path


def test_class_is_one_of_a_closed_list(trained_checkpoint, tmp_path):
    path = changed(trained_checkpoint, tmp_path / "c.ckpt", model_class="system")
    with pytest.raises(UserError, match="holds system, not a hand regressor"):
        load_regressor(path)


def test_the_class_is_written_in_the_file(trained_checkpoint):
    assert torch.load(trained_checkpoint, weights_only=True)["model_class"] == "TokenFusionRegressor"


@pytest.mark.parametrize("class_path", [None, "anywhere.TokenFusionRegressor"])
def test_a_file_of_an_older_version_names_its_class_elsewhere_or_nowhere(trained_checkpoint, tmp_path, class_path):
    settings = {} if class_path is None else {"_class_path": class_path}
    path = changed(trained_checkpoint, tmp_path / "c.ckpt", model_class=None, settings=settings)
    assert type(load_regressor(path).model).__module__ == "gesturehand.trainers.token_fusion_regressor"
    path = changed(path, tmp_path / "c.ckpt", settings={"_class_path": "os.system"})
    with pytest.raises(UserError, match="holds system, not a hand regressor"):
        load_regressor(path)


def test_other_hand_model_is_refused(trained_checkpoint, tmp_path):
    path = changed(trained_checkpoint, tmp_path / "c.ckpt", hand_model={"name": "MANO_RIGHT.pkl", "fingerprint": "0"})
    with pytest.raises(UserError, match=r"trained with the hand model 'MANO_RIGHT.pkl', .* as --mano"):
        load_regressor(path)


def test_weights_of_another_network_are_refused(trained_checkpoint, tmp_path):
    path = changed(trained_checkpoint, tmp_path / "c.ckpt", settings={"width": 64})
    with pytest.raises(UserError, match="does not fit TokenFusionRegressor"):
        load_regressor(path)
    with pytest.raises(UserError, match=r"settings that TokenFusionRegressor does not know \(depht\)"):
        load_regressor(
            changed(
                trained_checkpoint,
                tmp_path / "c.ckpt",
                settings={"_class_path": "gesturehand.TokenFusionRegressor", "depht": 1},
            )
        )


def test_checkpoint_of_something_else_is_named(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "c.ckpt")
    with pytest.raises(UserError, match=r"c\.ckpt' is not a checkpoint of a hand regressor"):
        load_regressor(tmp_path / "c.ckpt")


@fault("names of wrapped modules", "a checkpoint of a compiled network", "predicts as the original")
def test_compiled_network_loads(trained_checkpoint, tmp_path):
    state = torch.load(trained_checkpoint, weights_only=True)["state_dict"]
    compiled = {f"_orig_mod.{name}": value for name, value in state.items()}
    loaded = load_regressor(changed(trained_checkpoint, tmp_path / "c.ckpt", state_dict=compiled)).model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        pytest.param(rename, message, marks=fault("names of wrapped modules", variant, outcome))
        for variant, rename, message, outcome in (
            (
                "every tensor under another name",
                "x.{}",
                "missing: .* and [0-9]+ more; unexpected: x",
                "refused; a few are named, and the rest is counted",
            ),
            (
                "no tensor at all",
                None,
                "missing: .* and [0-9]+ more",
                "refused; the first few are named, and the rest is counted",
            ),
        )
    ],
)
def test_message_names_the_first_few(trained_checkpoint, tmp_path, rename, message):
    state = torch.load(trained_checkpoint, weights_only=True)["state_dict"]
    renamed = {rename.format(name): value for name, value in state.items()} if rename else {}
    with pytest.raises(UserError, match=message) as caught:
        load_regressor(changed(trained_checkpoint, tmp_path / "c.ckpt", state_dict=renamed))
    assert len(str(caught.value)) < 600


@pytest.fixture(scope="module")
def photo_predictor():
    return HandPredictor.from_checkpoint("openphoto", "cpu")


@pytest.fixture(scope="module")
def tensors():
    with as_file(files("gesturehand.assets") / "openphoto.safetensors") as path, safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def about():
    return json.loads((files("gesturehand.assets") / "openphoto.json").read_text(encoding="utf-8"))


def test_files_are_small_and_say_what_they_are(tensors, about):
    assets = files("gesturehand.assets")
    with as_file(assets / "openphoto.safetensors") as one, as_file(assets / "openphoto.json") as other:
        assert one.stat().st_size + other.stat().st_size <= 15e6
    assert {value.dtype for value in tensors.values() if value.is_floating_point()} == {torch.float16}
    assert about["class"] == "TokenFusionRegressor"
    assert about["hand_model"]["fingerprint"] == HandModel(None).fingerprint
    assert about["encoder_weights_origin"]["licence"] == "Apache-2.0"
    assert about["data"]
    assert about["licence"]


def test_every_tensor_is_loaded_as_it_is(tensors):
    loaded = load_regressor("openphoto")
    assert isinstance(loaded.model, TokenFusionRegressor)
    assert not loaded.model.training
    state = loaded.model.state_dict()
    assert state.keys() == tensors.keys()
    for name, value in state.items():
        assert torch.equal(value, tensors[name].to(value.dtype)), name
    assert (str(loaded.path), loaded.crops, loaded.for_photos) == ("openphoto", (True, True, 1.4), True)
    assert loaded.model.encoder.origin["licence"] == "Apache-2.0"


@pytest.fixture
def copied(tmp_path):
    """The package's files, copied into a user's folder."""
    for name in ("openphoto.safetensors", "openphoto.json"):
        (tmp_path / name).write_bytes((files("gesturehand.assets") / name).read_bytes())
    return tmp_path / "openphoto.safetensors"


def test_files_like_them_are_loaded_by_their_path(copied):
    one, other = load_regressor("openphoto"), load_regressor(copied)
    assert other.path == copied
    assert other[2:] == one[2:]
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda path: path.with_suffix(".json").unlink(), r"openphoto\.json' does not exist"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "does not say which network"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "cannot be read"),
    ],
    ids=["no settings", "other settings", "half a file"],
)
def test_files_that_are_not_whole_are_one_sentence(change, named, copied):
    change(copied)
    with pytest.raises(UserError, match=named):
        load_regressor(copied)


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("joints_25d_share",), None, "joints_25d_share"),
        (("joints_25d_share",), "0.5", "joints_25d_share"),
        (("joints_25d_share",), float("nan"), "joints_25d_share"),
        (("joints_25d_share",), 2, "joints_25d_share"),
        (("crops", "mirror_left"), "yes", "crops.mirror_left"),
        (("crops", "box_scale"), "1.4", "crops.box_scale"),
        (("crops",), [1], "crops"),
        (("settings",), "x", "settings"),
        (("hand_model",), "open hand", "hand_model"),
        (("hand_model",), {"name": "open hand"}, "fingerprint"),
        (("class",), None, "class"),
        (("settings", "backbone"), 5, "backbone"),
        (("settings", "image_size"), "224", "image_size"),
        (("settings", "depth"), 10**7, "depth"),
        (("settings", "depth"), 60_000, "depth 60000"),
        (("settings", "width"), 10**9, "width"),
        (("joint_offsets_mm", 3), ["1", "2", "3"], "joint_offsets_mm"),
        (("joint_offsets_mm", 3), [True, 2, 3], "joint_offsets_mm"),
        (("joint_offsets_mm", 3), [1e6, 2, 3], "joint_offsets_mm"),
        (("joint_offsets_mm", 3), [10**400, 2, 3], "joint_offsets_mm"),
    ],
    ids=str,
)
def test_settings_of_weights_that_make_no_sense_are_named(place, value, named, copied, about):
    """Also before anything of a claimed size is built."""
    changed_about = json.loads(json.dumps(about))
    owner = changed_about
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = value
    copied.with_suffix(".json").write_text(json.dumps(changed_about))
    with refused("openphoto", named):
        load_regressor(copied)


def test_weights_of_another_type_are_named(tensors, copied):
    save_file({name: value.int() if "gesture_head.fine" in name else value for name, value in tensors.items()}, copied)
    with refused(copied, "whole numbers", "gesture_head.fine"):
        load_regressor(copied)


def test_a_network_that_overflows_is_refused(tensors, copied):
    """Finite weights may still give numbers that are not."""
    save_file({name: value * 100 for name, value in tensors.items()}, copied)
    predictor = HandPredictor.from_checkpoint(copied, "cpu", engine="torch")
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    with np.errstate(all="ignore"), refused(copied, "not finite"):
        predictor(image, "whole")


def test_another_hand_model_is_refused(tmp_path):
    hand = open_hand("right")
    write_npz(replace(hand, v_template=1.1 * hand.v_template), tmp_path / "MANO_RIGHT.npz")
    with pytest.raises(UserError, match=r"'openphoto' cannot be used here: .* with the hand model 'open hand'"):
        load_regressor("openphoto", mano=str(tmp_path))


def test_box_scale_is_that_of_the_weights_unless_given(photo_predictor, about):
    assert photo_predictor.box_scale == about["crops"]["box_scale"]
    assert HandPredictor(load_regressor("openphoto"), "cpu", box_scale=2).box_scale == 2


def test_encoder_of_the_shipped_network_can_be_trained_on(tensors):
    encoder = Encoder("mediapipe_hand", feature_stride=16, image_size=224, weights="openphoto")
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, tensors[f"network.encoder.{name}"].float()), name
    assert encoder.origin["source"] == "openphoto"


def test_hands_in_photographs_lie_where_another_model_sees_them(photo_predictor):
    """Upright hands in front of a wall, with joints by MediaPipe; the mean pose is off by a quarter of the hand."""
    if not (PHOTOS / "labels.json").is_file():
        pytest.skip(f"{PHOTOS} is not there")
    labels = json.loads((PHOTOS / "labels.json").read_text())
    test = [entry for entry in labels if entry["image"].startswith("digits/") and entry["split"] == "test"][::30]
    assert len(test) > 8
    errors = []
    for entry in test:
        joints = np.array(entry["joints_2d"])
        (hand,) = photo_predictor(PHOTOS / entry["image"], entry["box"], entry["hand"])
        longer = np.ptp(joints, axis=0).max()
        errors.append(np.linalg.norm(hand.joints_2d_image - joints, axis=1).mean() / longer)
    assert np.mean(errors) < 0.08
