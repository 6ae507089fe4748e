"""The weights that come with the package: what the files hold, what the network says, and how they are asked for."""

import json
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.hand.load import open_hand
from gesturehand.hand.mano_file import write_npz
from gesturehand.inference import HandPredictor
from gesturehand.inference.checkpoint import load_regressor
from gesturehand.models.encoder import Encoder
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "real_hands"


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
    """The files of the package in a folder of somebody's own."""
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
        (lambda path: path.with_suffix(".json").unlink(), "The settings of .* does not exist"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "does not say what network"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "cannot be read"),
    ],
    ids=["no settings", "other settings", "half a file"],
)
def test_files_that_are_not_whole_are_one_sentence(change, named, copied):
    change(copied)
    with pytest.raises(UserError, match=named):
        load_regressor(copied)


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
    """Upright hands of people before a wall, joints by MediaPipe; the mean pose is off by a quarter of the hand."""
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
