"""Exported programs against the predictor, at several batch sizes, right and left hands."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.inference import export_file
from gesturehand.inference.export_file import export_regressor

NAMES = (
    "global_orient",
    "hand_pose",
    "betas",
    "camera",
    "joints_25d",
    "vertices",
    "joints",
    "joints_2d",
    "gesture_coarse",
    "gesture_fine",
    "gesture_embedding",
)


@pytest.fixture(scope="module")
def crops(synthetic_root):
    """Eight crops as the images show them, and their sides: four left and four right hands."""
    module = InterHandDataModule(str(synthetic_root), image_size=64, num_workers=0, mirror_left=False)
    dataset = module.dataset("test")
    sides = dataset.selection.hand[:, 0]
    chosen = np.concatenate([np.flatnonzero(sides == 1)[:4], np.flatnonzero(sides == 0)[:4]])
    images = np.stack([dataset[int(number)]["image"].numpy() for number in chosen])
    return images, sides[chosen] == 0


@pytest.fixture(scope="module")
def expected(predictor, crops):
    """The predictor's output for the same pixels; each crop is an image that its hand fills."""
    results = []
    for image, right in zip(*crops, strict=True):
        results += predictor(np.ascontiguousarray(image.transpose(1, 2, 0)), "whole", "right" if right else "left")
    return results


@pytest.fixture(scope="module")
def onnx_path(predictor, tmp_path_factory, synthetic_root):
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_regressor(predictor, path, "onnx", data=synthetic_root)
    return path


def compare(run, crops, expected, batch):
    images, is_right = crops
    for start in range(0, len(images), batch):
        rows = slice(start, start + batch)
        outputs = run(images[rows], is_right[rows])
        for row, hand in enumerate(expected[rows]):
            wrist = hand.joints[0]
            for name, true in {
                "vertices": hand.vertices - wrist,
                "joints": hand.joints - wrist,
                "global_orient": hand.global_orient,
                "hand_pose": hand.hand_pose,
                "betas": hand.betas,
                "gesture_coarse": hand.gesture_coarse.probabilities,
                "gesture_fine": hand.gesture_fine.probabilities,
            }.items():
                np.testing.assert_allclose(outputs[name][row], true, atol=1e-4, err_msg=name)
            np.testing.assert_allclose(outputs["gesture_embedding"][row], hand.gesture_embedding, rtol=1e-3, atol=1e-3)
            # The image is the crop, so normalised coordinates refer to the image's own pixels.
            seen = ((outputs["joints_25d"][row][:, :2] + outputs["joints_2d"][row]) / 2 + 1) * 32 - 0.5
            np.testing.assert_allclose(seen, hand.joints_2d_image, atol=1e-2)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_onnx_runtime_gives_what_pytorch_gives(onnx_path, crops, expected, batch):
    session = onnxruntime.InferenceSession(onnx_path)
    assert tuple(output.name for output in session.get_outputs()) == NAMES

    def run(images, is_right):
        return dict(zip(NAMES, session.run(None, {"image": images, "is_right": is_right}), strict=True))

    compare(run, crops, expected, batch)


def test_onnx_says_what_it_is(onnx_path, predictor):
    model = onnx.load(onnx_path)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about["fine_classes"]) == list(predictor.names["fine"])
    assert (about["image_size"], about["contains_hand_model"], about["hand_model"]) == ("64", "true", "open hand")
    assert about["licence"].startswith("Contains the open hand")
    assert sorted(path.name for path in onnx_path.parent.iterdir()) == ["model.onnx"]


def test_pytorch_program(predictor, crops, expected, tmp_path):
    export_regressor(predictor, tmp_path / "m.pt2", "pt2")  # compared on frames that it renders itself
    module = torch.export.load(tmp_path / "m.pt2").module()

    def run(images, is_right):
        outputs = module(torch.from_numpy(images), torch.from_numpy(is_right))
        return {name: value.detach().numpy() for name, value in outputs.items()}

    for batch in (1, 3, 8):
        compare(run, crops, expected, batch)


def test_without_a_mesh_no_array_of_the_hand_model_is_in_the_file(predictor, synthetic_root, tmp_path):
    done = export_regressor(predictor, tmp_path / "m.onnx", "onnx", mesh=False, data=synthetic_root)
    assert done.difference_m is None
    assert not {"vertices", "joints", "joints_2d"} & done.outputs.keys()
    model = onnx.load(tmp_path / "m.onnx")
    vertices = predictor.model.hand_model.num_vertices
    assert all(vertices not in tensor.dims for tensor in model.graph.initializer)
    assert {entry.key: entry.value for entry in model.metadata_props}["contains_hand_model"] == "false"


def test_a_program_that_differs_is_not_written(predictor, synthetic_root, tmp_path, monkeypatch):
    """Another network's weights in the exported copy simulate a mistake of the exporter."""
    original = export_file.ExportModel

    def wrong(*arguments):
        model = original(*arguments)
        with torch.no_grad():
            model.network.mano_head.shape.bias += 0.1
        return model

    monkeypatch.setattr(export_file, "ExportModel", wrong)
    with pytest.raises(UserError, match=r"differs from PyTorch by up to .* was not written"):
        export_regressor(predictor, tmp_path / "m.pt2", "pt2", mesh=False, data=synthetic_root)
    assert list(tmp_path.iterdir()) == []


def test_missing_library(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(export_file.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs the package 'onnx': pip install 'gesturehand\[export\]'"):
        export_regressor(predictor, tmp_path / "m.onnx", "onnx")


def test_the_predictors_own_network_is_left_alone(predictor, onnx_path):
    from gesturehand.hand.layer import HandModel

    assert isinstance(predictor.model.network.hand_model, HandModel)
