"""The shipped network on ONNX Runtime, against PyTorch, and the conditions under which it runs there."""

import cv2
import numpy as np
import pytest
import torch

from gesturehand.data.crop import crop_affine
from gesturehand.errors import UserError
from gesturehand.inference import HandPredictor, engine
from gesturehand.inference.checkpoint import load_regressor

TOLERANCE_M = 1e-4


@pytest.fixture(scope="module")
def predictors():
    """Predictors with the same weights on PyTorch and on ONNX Runtime."""
    return [HandPredictor.from_checkpoint("openphoto", "cpu", engine=name) for name in ("torch", "onnx")]


@pytest.fixture(scope="module")
def images():
    """Five crops of soft blotches (5, 224, 224, 3), for which the network's outputs differ widely."""
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (224, 224), interpolation=cv2.INTER_CUBIC) for image in small])


def turned_crops(images):
    """Crops as the predictor cuts them: turned, every second one mirrored."""
    square = np.array([300.0, 200, 150])
    mirrors = [number % 2 == 1 for number in range(len(images))]
    return [
        (image, crop_affine(square, 224, angle=0.7 * number, mirror=mirror), mirror)
        for number, (image, mirror) in enumerate(zip(images, mirrors, strict=True))
    ], [not mirror for mirror in mirrors]


def assert_same(found, true):
    assert found.keys() == true.keys()
    for name, values in true.items():
        assert found[name].shape == values.shape, name
        if name == "is_right":
            np.testing.assert_array_equal(found[name], values)
            continue
        tolerance = TOLERANCE_M if name in ("vertices", "joints") else 1e-4 * max(1.0, np.abs(values).max())
        np.testing.assert_allclose(found[name], values, atol=tolerance, rtol=0, err_msg=name)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_onnx_runtime_gives_what_pytorch_gives(predictors, images, count):
    by_torch, by_onnx = (predictor.run_crops(*turned_crops(images[:count])) for predictor in predictors)
    assert_same(by_onnx, by_torch)
    assert by_onnx["is_right"][:, 0].tolist() == [number % 2 == 0 for number in range(count)]


def test_a_left_hand_in_an_image(predictors, images):
    results = [predictor(images[1], [40, 50, 120, 100], "left", turns=25.0) for predictor in predictors]
    (by_torch,), (by_onnx,) = results
    assert by_onnx.side == by_torch.side == "left"
    for name in ("vertices", "joints"):
        found, true = (getattr(hand, name) - hand.cam_t for hand in (by_onnx, by_torch))
        np.testing.assert_allclose(found, true, atol=TOLERANCE_M, rtol=0)
    np.testing.assert_allclose(by_onnx.cam_t, by_torch.cam_t, rtol=1e-3, atol=TOLERANCE_M)
    np.testing.assert_allclose(by_onnx.joints_2d_image, by_torch.joints_2d_image, atol=0.02)
    np.testing.assert_allclose(by_onnx.global_orient_axis_angle, by_torch.global_orient_axis_angle, atol=1e-3)
    assert by_onnx.gesture_fine.name == by_torch.gesture_fine.name


def test_the_graph_computes_with_the_loaded_weights(images):
    regressor = load_regressor("openphoto")
    with torch.no_grad():
        for parameter in regressor.model.network.parameters():
            parameter.mul_(1.02)
    changed = [HandPredictor(regressor, "cpu", engine=name) for name in ("torch", "onnx")]
    by_torch, by_onnx = (predictor.run_crops(*turned_crops(images[:2])) for predictor in changed)
    assert_same(by_onnx, by_torch)


def test_hands_that_are_not_mirrored_run_on_pytorch(predictors, images):
    """The graph knows right hands only, and these crops show left ones as they are."""
    crops = [(image, crop_affine(np.array([112.0, 112, 224]), 224), False) for image in images[:2]]
    by_torch, by_onnx = (predictor.run_crops(crops, [False, False]) for predictor in predictors)
    np.testing.assert_array_equal(by_onnx["vertices"], by_torch["vertices"])
    assert not by_onnx["is_right"].any()


def test_the_engine_that_runs_the_network(predictors, predictor):
    assert [own.engine_name for own in predictors] == ["PyTorch", "ONNX Runtime"]
    assert HandPredictor.from_checkpoint("openphoto", "cpu").engine_name == "ONNX Runtime"
    assert predictor.engine_name == "PyTorch"  # a network with other layers


def test_another_network_on_onnx_runtime(predictor):
    with pytest.raises(UserError, match=r"engine is 'onnx', but only networks with the layers of .* 'openphoto'"):
        engine.find_engine(predictor.model, "onnx", predictor.device)


def test_without_onnx_runtime(predictors, monkeypatch):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    model, device = predictors[0].model, torch.device("cpu")
    assert engine.find_engine(model, "auto", device) is None
    with pytest.raises(UserError, match=r"is not installed: pip install 'gesturehand\[predict\]'"):
        engine.find_engine(model, "onnx", device)


def test_another_device(predictors):
    model, device = predictors[0].model, torch.device("cuda")
    assert engine.find_engine(model, "auto", device) is None
    with pytest.raises(UserError, match=r"the network runs on cuda: take the device 'cpu'"):
        engine.find_engine(model, "onnx", device)


def test_no_such_engine(predictors):
    with pytest.raises(UserError, match=r"engine is 'tensorrt': give one of auto, torch, onnx"):
        engine.find_engine(predictors[0].model, "tensorrt", torch.device("cpu"))
