"""The report of a test, against the saved predictions and plain loops."""

import json

import cv2
import numpy as np
import pytest

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.gestures import class_names
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets


@pytest.fixture(scope="module")
def report(tested):
    return json.loads((tested / "report.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} in JSON"))


@pytest.fixture(scope="module")
def errors(tested, synthetic_root):
    """Id, fine gesture and mean wrist-relative error of every test sample, by a loop over the saved predictions."""
    with np.load(tested / "predictions.npz") as file:
        saved = dict(zip(file["ids"].tolist(), file["joints"][:, 0].astype(np.float64), strict=True))
    data = InterHandDataModule(str(synthetic_root), image_size=8, num_workers=0, mirror_left=False, read_images=False)
    rows = []
    for batch in data.test_dataloader():
        targets = build_targets(batch, HandModel())
        for sample, identity in enumerate(batch["annotation_id"].tolist()):
            true, predicted = targets["joints"][sample, 0].double().numpy(), saved[identity]
            valid = targets["joint_valid_eval"][sample, 0].numpy()
            distance = np.linalg.norm((predicted - predicted[0]) - (true - true[0]), axis=-1)[valid]
            rows.append((identity, int(batch["gesture_fine"][sample]), 1000 * distance.mean() if valid.any() else None))
    return rows


def test_every_file_exists(tested):
    for name in ("per_joint", "per_gesture", "pck", "worst", "predictions", "confusion_fine", "confusion_coarse"):
        picture = cv2.imread(str(tested / f"{name}.png"))
        assert picture.std() > 5, f"{name}.png is blank"
    assert not list(tested.glob(".*"))


def test_report_says_what_was_evaluated(report, synthetic_root):
    data = report["data"]
    assert data["root"] == str(synthetic_root)
    assert data["filters"]["hands"] == "single"
    assert report["tested_samples"] == data["samples"] == sum(data["samples_by_hand_type"].values())
    assert data["hands_with_fit"] + data["hands_without_fit"] == data["samples"]
    assert data["hands_without_fit"] > 0
    assert report["hand_model"]["fingerprint"] == HandModel().fingerprint
    assert report["hand_model"]["tips"] == "eanet"
    assert report["versions"]["torch"]
    assert report["metrics"]["mpjpe_eanet_interacting_mm"] is None


def test_worst_samples_agree_with_a_loop(report, errors):
    expected = sorted((row for row in errors if row[2] is not None), key=lambda row: -row[2])[:16]
    assert [row["id"] for row in report["worst"]] == [row[0] for row in expected]
    np.testing.assert_allclose([row["mpjpe_mm"] for row in report["worst"]], [row[2] for row in expected], atol=1e-3)


def test_gestures_agree_with_a_loop(report, errors):
    names = class_names("fine")
    expected: dict[str, list[float]] = {}
    for _, fine, error in errors:
        if fine >= 0 and error is not None:
            expected.setdefault(names[fine], []).append(error)
    classes = report["per_gesture"]["classes"]
    assert classes.keys() == expected.keys()
    for name, row in classes.items():
        assert row["samples"] == len(expected[name])
        assert row["mpjpe_mm"] == pytest.approx(np.mean(expected[name]), abs=1e-3)
    means = [row["mpjpe_mm"] for row in classes.values()]
    assert means == sorted(means, reverse=True)


def test_markdown_names_a_protocol_for_every_error(tested, report):
    text = (tested / "report.md").read_text()
    for name, value in report["metrics"].items():
        if name.endswith("_mm"):
            words = report["protocols"][name]
            assert any(protocol in words for protocol in ("root", "procrustes", "eanet")), name
            (line,) = [line for line in text.splitlines() if line.startswith(f"| {words} ")]
            assert line.endswith("– |" if value is None else f"{value:.2f} mm |")
    assert report["data"]["ids_sha256"] in text


@pytest.mark.slow
def test_two_processes_write_the_same_report(tmp_path, synthetic_root, run_test, report):
    """With a test set of odd length, one process ends with a sample that only fills up."""
    ids = [row["id"] for row in report["worst"]][:15]
    subset = tmp_path / "ids.txt"
    subset.write_text("\n".join(map(str, ids)))
    settings = {"test_subset": str(subset)}
    folders = [run_test(synthetic_root, tmp_path / str(n), processes=n, data=settings) for n in (1, 2)]
    one, two = (json.loads((folder / "report.json").read_text()) for folder in folders)
    assert two["tested_samples"] == one["tested_samples"] == 15
    for key in ("metrics", "per_joint_mm", "per_gesture", "pck", "worst"):
        assert_close(two[key], one[key], key)
    with np.load(tmp_path / "1" / "predictions.npz") as a, np.load(tmp_path / "2" / "predictions.npz") as b:
        np.testing.assert_array_equal(a["ids"], b["ids"])
        np.testing.assert_allclose(a["vertices"], b["vertices"], atol=1e-6)


def assert_close(have, want, place):
    if isinstance(want, dict):
        for key in want:
            if "loss" not in key:  # a mean over batches, which differ with two processes
                assert_close(have[key], want[key], f"{place}/{key}")
    elif isinstance(want, list):
        assert len(have) == len(want), place
        for number, pair in enumerate(zip(have, want, strict=True)):
            assert_close(*pair, f"{place}/{number}")
    elif isinstance(want, float):
        assert have == pytest.approx(want, abs=1e-3), place
    else:
        assert have == want, place
