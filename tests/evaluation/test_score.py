"""Saved predictions get the scores of the test that saved them, and mistakes in a file are named."""

import json
import shutil

import numpy as np
import pytest
import torch
from faults import fault, faults
from refusals import refused

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.plausibility import OTHER_ORDERS
from gesturehand.errors import UserError
from gesturehand.evaluation.score import ConventionErrors, score_predictions
from gesturehand.skeleton import JOINT_NAMES
from gesturehand.targets import build_targets

AXES = [
    ("y up", (1, -1, 1), "y pointing up"),
    ("OpenGL's axes", (1, -1, -1), "OpenGL"),
    ("PyTorch3D's axes", (-1, -1, 1), "PyTorch3D"),
    ("z backward", (1, 1, -1), "z pointing backward"),
    ("mirrored hands", (-1, 1, 1), "mirrored"),
]


CONVENTIONS = "other conventions in a predictions file"
NAMED = "scored, with a sentence that names the convention and the error that it would give"


def module(root, **settings):
    settings = {"batch_size": 7, "mirror_left": False, "read_images": False, **settings}
    return InterHandDataModule(str(root), image_size=8, num_workers=0, **settings)


@pytest.fixture(scope="module")
def targets(synthetic_root, hand_model):
    (batch,) = module(synthetic_root, batch_size=100).evaluation_dataloader("val")
    return build_targets(batch, hand_model)


def sentence(joints, targets, pa_mpjpe_mm=None):
    errors = ConventionErrors()
    for rows in (slice(0, 5), slice(5, None)):
        errors.update(joints[rows], {name: value[rows] for name, value in targets.items()})
    return errors.sentence(pa_mpjpe_mm)


@pytest.mark.parametrize(("signs", "named"), faults(CONVENTIONS, NAMED, AXES))
def test_axes_are_named(signs, named, targets):
    text = sentence(targets["joints"] * torch.tensor(signs), targets)
    assert named in text
    assert "would be 0 mm for a frame with" in text


@pytest.mark.parametrize("order", faults(CONVENTIONS, NAMED, ((order, order) for order in OTHER_ORDERS)))
def test_orders_are_named(order, targets):
    places = [JOINT_NAMES.index(name) for name in OTHER_ORDERS[order]]
    text = sentence(targets["joints"][:, :, places], targets)
    assert f"would be 0 mm for joints in {order}" in text


def test_small_errors_and_those_that_nothing_explains_have_no_sentence(targets):
    noise = torch.randn(targets["joints"].shape, generator=torch.Generator().manual_seed(0))
    assert sentence(targets["joints"] + 0.005 * noise, targets) is None
    assert sentence(targets["joints"] + 0.05 * noise, targets, pa_mpjpe_mm=60.0) is None
    assert ConventionErrors().sentence(0.0) is None


def test_small_error_after_alignment_is_reported(targets):
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert "PA-MPJPE only 0 mm" in sentence(targets["joints"] @ quarter, targets, pa_mpjpe_mm=0.01)


INTERHANDS = [JOINT_NAMES.index(name) for name in next(iter(OTHER_ORDERS.values()))]
OF_REAL_FRAMES = [
    ("the real frames in InterHand2.6M's order", lambda j: j[:, :, INTERHANDS], "InterHand2.6M's order"),
    ("the real frames, y up", lambda j: j * np.float32([1, -1, 1]), "y pointing up"),
]


@pytest.mark.parametrize(("change", "words"), faults(CONVENTIONS, NAMED, OF_REAL_FRAMES))
def test_real_frames(change, words, real_sample, hand_model, tmp_path):
    data = module(real_sample, hands="all", layout="two_hand", mano_fits=False)
    (batch,) = data.test_dataloader()
    joints = change(build_targets(batch, hand_model)["joints"].numpy())
    np.savez(tmp_path / "p.npz", ids=batch["annotation_id"].numpy(), joints=joints)
    report = score_predictions(tmp_path / "p.npz", data, hand_model)
    assert report["metrics"]["mpjpe_mm"] > 70
    assert words in report["remark"]
    assert "would be 0 mm" in report["remark"]


@pytest.fixture(scope="module")
def truth(synthetic_root, hand_model):
    """The annotated joints and the fits' meshes of the test set's hands, in the camera's frame."""
    return truth_of(module(synthetic_root), hand_model)


def truth_of(data, hand_model):
    rows = []
    for batch in data.test_dataloader():
        targets = build_targets(batch, hand_model)
        rows.append((batch["annotation_id"], targets["joints"], targets["vertices"], targets["rotations"]))
    names = ("ids", "joints", "vertices", "rotations")
    return {name: torch.cat(column).numpy() for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def save(tmp_path, arrays):
    path = tmp_path / "p.npz"
    np.savez(path, **arrays)
    return path


def assert_same_numbers(score, report):
    """Asserts equal errors to 0.001 mm, and equal ratios up to what a joint at a threshold may change."""
    compared = 0
    for name, value in score["metrics"].items():
        expected = report["metrics"][name]
        if expected is None:
            assert value is None, name
        else:
            assert value == pytest.approx(expected, abs=1e-3), name
            compared += 1
    assert compared >= 13
    for key in ("tested_samples", "averaging", "hand_model"):
        assert score[key] == report[key]
    assert score["data"]["ids_sha256"] == report["data"]["ids_sha256"]
    for name, row in report["per_gesture"]["classes"].items():
        assert score["per_gesture"]["classes"][name]["mpjpe_mm"] == pytest.approx(row["mpjpe_mm"], abs=1e-3)


def test_saved_predictions_score_as_the_test_that_saved_them(tested, synthetic_root, hand_model):
    report = json.loads((tested / "report.json").read_text())
    sides = report["data"]["hands_by_side"]
    assert min(sides.values()) > 0, "left hands, which the test mirrors, must be among them"
    assert report["data"]["hands_without_fit"] > 0
    assert_same_numbers(score_predictions(tested / "predictions.npz", module(synthetic_root), hand_model), report)


def test_saved_hands_of_pairs_score_as_the_test(tested_pairs, two_hand_root, hand_model):
    report = json.loads((tested_pairs / "report.json").read_text())
    assert report["data"]["annotations"] < report["data"]["samples"]
    with np.load(tested_pairs / "predictions.npz") as file:
        assert file["joints"].shape[1] == 2
        assert len(file["ids"]) == len(np.unique(file["ids"])) == report["data"]["annotations"]
    score = score_predictions(tested_pairs / "predictions.npz", module(two_hand_root, hands="all"), hand_model)
    assert_same_numbers(score, report)


def test_order_of_rows_and_origin_do_not_matter(tmp_path, tested, synthetic_root, hand_model):
    with np.load(tested / "predictions.npz") as file:
        arrays = dict(file)
    before = score_predictions(tested / "predictions.npz", module(synthetic_root), hand_model)
    order = np.random.default_rng(0).permutation(len(arrays["ids"]))
    moved = {name: array[order] for name, array in arrays.items()}
    for name in ("joints", "vertices"):
        moved[name] = moved[name] + np.array([0.1, -0.2, 0.7], np.float32)
    after = score_predictions(save(tmp_path, moved), module(synthetic_root), hand_model)
    for name, value in before["metrics"].items():
        assert after["metrics"][name] == (None if value is None else pytest.approx(value, abs=1e-2)), name


def test_truth_has_no_error(tmp_path, truth, synthetic_root, hand_model):
    metrics = score_predictions(save(tmp_path, truth), module(synthetic_root), hand_model)["metrics"]
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "mpvpe_mm", "mpjpe_eanet_mm", "mpvpe_eanet_mm", "mpjpe_true_rotation_mm"):
        assert metrics[name] == pytest.approx(0, abs=1e-3), name
    assert metrics["auc_root"] == pytest.approx(1, abs=1e-2)
    assert metrics["f_score_5"] == pytest.approx(1)
    assert metrics["mpjpe_eanet_interacting_mm"] is None


def test_shifted_joints_have_the_closed_form(tmp_path, truth, synthetic_root, hand_model):
    """Every joint but the wrist 21 mm off: 20 mm under ``root``."""
    joints = truth["joints"].copy()
    joints[:, :, 1:, 0] += 0.021
    report = score_predictions(
        save(tmp_path, {"ids": truth["ids"], "joints": joints}), module(synthetic_root), hand_model
    )
    assert report["metrics"]["mpjpe_mm"] == pytest.approx(20, abs=1e-3)
    for row in report["per_joint_mm"]["root"].values():
        assert row[0] == pytest.approx(0)
        np.testing.assert_allclose(row[1:], 21, atol=1e-3)
    for name, value in report["metrics"].items():
        assert (value is None) == (name not in ("mpjpe_mm", "pa_mpjpe_mm", "auc_root", "auc_procrustes")), name


def test_published_slip_counts_hands_without_a_fit_as_zero(tmp_path, truth, synthetic_root, hand_model):
    vertices = truth["vertices"] + np.random.default_rng(0).normal(0, 0.01, truth["vertices"].shape).astype(np.float32)
    path = save(tmp_path, {**truth, "vertices": vertices})
    metrics = score_predictions(path, module(synthetic_root), hand_model)["metrics"]
    assert 0 < metrics["mpjpe_eanet_published_mm"] < metrics["mpjpe_eanet_mm"]


def test_relative_place_of_two_hands_is_scored_only_in_one_frame(tmp_path, two_hand_root, hand_model):
    data = {"hands": "all", "layout": "two_hand"}
    arrays = truth_of(module(two_hand_root, **data), hand_model)
    arrays["joints"][:, 1] += np.array([0, 0, 0.012], np.float32)
    report = score_predictions(save(tmp_path, arrays), module(two_hand_root, **data), hand_model)
    assert report["metrics"]["mrrpe_mm"] == pytest.approx(12, abs=1e-3)
    assert report["metrics"]["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert report["metrics"]["mpvpe_eanet_interacting_mm"] == pytest.approx(0, abs=1e-3)
    arrays["joints"] -= arrays["joints"][:, :, :1]
    report = score_predictions(save(tmp_path, arrays), module(two_hand_root, **data), hand_model)
    assert "mrrpe_mm" not in report["metrics"]


@fault(
    "averaging of two hands",
    "one file scored with --layout per_hand and with two_hand",
    "MPVPE under eanet is the mean of both hands in either layout",
)
def test_pairs_have_one_vertex_error_whatever_the_layout(tmp_path, two_hand_root, hand_model):
    """Errors are 5 mm on right and 9 mm on left hands; some pairs have only one fit and do not count."""
    pairs = module(two_hand_root, hands="all", layout="two_hand", test_split="train")
    arrays = truth_of(pairs, hand_model)
    noise = np.random.default_rng(0).normal(size=arrays["vertices"].shape).astype(np.float32)
    arrays["vertices"] += noise * np.array([0.005, 0.009], np.float32)[:, None, None]
    path = save(tmp_path, arrays)
    together = score_predictions(path, pairs, hand_model)["metrics"]
    hands = module(two_hand_root, hands="all", layout="per_hand", test_split="train")
    fits = torch.cat([batch["mano_valid"].all(-1) & batch["interacting"] for batch in pairs.test_dataloader()])
    shown = torch.cat([batch["interacting"] for batch in pairs.test_dataloader()])
    assert 0 < fits.sum() < shown.sum()
    alone = score_predictions(path, hands, hand_model)["metrics"]
    for name in ("mpvpe_eanet_interacting_mm", "mpvpe_eanet_single_mm", "mpvpe_eanet_mm", "mpjpe_eanet_mm"):
        assert alone[name] == pytest.approx(together[name], abs=1e-4), name
    assert together["mpvpe_eanet_interacting_mm"] > 5


#: Which joints joint_3d.json calls invalid and data.json does not, by frame, in InterHand2.6M's order (wrists 20, 41).
INVALID = [
    pytest.param({0: (20, 41), 1: (20, 41), 2: (41,)}, id="wrists of three frames"),
    pytest.param({0: (20,)}, id="one wrist"),
    pytest.param({1: (0, 4, 30)}, id="tips"),
    pytest.param({2: tuple(range(42))}, id="a whole hand"),
    pytest.param({3: tuple(range(1, 21))}, id="all but a tip"),
]


@fault(
    "validity",
    "joints of the real frames valid in data.json and not in joint_3d.json: wrists, tips, whole hands",
    "not evaluated: perfect predictions have no error",
)
@pytest.mark.parametrize("invalid", INVALID)
def test_joints_without_coordinates_are_not_scored(invalid, tmp_path, real_sample, hand_model):
    """A perfect file stays perfect, and those joints are counted that have both flags and whose wrist has both."""
    data = {"hands": "all", "layout": "two_hand", "mano_fits": False}
    arrays = {
        name: array for name, array in truth_of(module(real_sample, **data), hand_model).items() if name != "vertices"
    }
    root = tmp_path / "set"
    shutil.copytree(real_sample / "annotations", root / "annotations", ignore=shutil.ignore_patterns("*.safetensors"))
    path = root / "annotations" / "test" / "InterHand2.6M_test_joint_3d.json"
    content = json.loads(path.read_text())
    images = json.loads(path.with_name("InterHand2.6M_test_data.json").read_text())["images"]
    frames = [content[str(image["capture"])][str(image["frame_idx"])] for image in images]
    counted = 0
    for number, frame in enumerate(frames):
        flags = np.array(frame["joint_valid"]).reshape(2, 21)
        flags.reshape(-1)[list(invalid.get(number, ()))] = 0
        frame["joint_valid"] = flags.reshape(-1, 1).tolist()
        counted += int((flags * flags[:, 20:]).sum())
    path.write_text(json.dumps(content))
    changed_set = module(root, **data)
    batches = list(changed_set.test_dataloader())
    valid = sum(int(build_targets(batch, hand_model)["joint_valid_eval"].sum()) for batch in batches)
    assert valid == counted
    keep = np.isin(arrays["ids"], torch.cat([batch["annotation_id"] for batch in batches]).numpy())
    perfect = {name: array[keep] for name, array in arrays.items()}
    metrics = score_predictions(save(tmp_path, perfect), changed_set, hand_model)["metrics"]
    for name in ("mpjpe_mm", "pa_mpjpe_mm"):
        assert metrics[name] == pytest.approx(0, abs=1e-2), name


def test_entry_of_an_absent_hand_may_hold_anything(tmp_path, truth, synthetic_root, hand_model):
    pairs = {"ids": truth["ids"], "joints": np.full((len(truth["ids"]), 2, 21, 3), np.nan, np.float32)}
    is_left = np.concatenate([~b["is_right"][:, 0] for b in module(synthetic_root).test_dataloader()]).astype(int)
    pairs["joints"][np.arange(len(is_left)), is_left] = truth["joints"][:, 0]
    metrics = score_predictions(save(tmp_path, pairs), module(synthetic_root), hand_model)["metrics"]
    assert metrics["mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def without(arrays, key):
    return {name: array for name, array in arrays.items() if name != key}


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: {name: array[2:] for name, array in t.items()}, "lacks 2 of the annotations"),
        (lambda t: {name: np.concatenate([a, a[:3]]) for name, a in t.items()}, "has 3 ids more than once"),
        (
            lambda t: {n: np.concatenate([a, [10**6] if n == "ids" else a[:1]]) for n, a in t.items()},
            "has 1 ids that are not evaluated (the first: 1000000)",
        ),
        (lambda t: without(t, "joints"), "lack the key 'joints'"),
        (lambda t: without(t, "ids"), "lack the key 'ids'"),
        (lambda t: {**t, "ids": t["ids"].astype(float)}, "'ids'"),
        (lambda t: {**t, "joints": t["joints"][:, 0]}, "'joints'"),
        (lambda t: {**t, "joints": t["joints"][:, :, :16]}, "'joints'"),
        (lambda t: {**t, "vertices": t["vertices"][:-1]}, "'vertices'"),
        (lambda t: {**t, "vertices": t["vertices"][:, :, :100]}, "100 vertices"),
        (lambda t: {**t, "rotations": t["rotations"][..., :1]}, "'rotations'"),
        (lambda t: {**t, "joints": changed(t["joints"], (3, 0, 5, 1), np.nan)}, "not finite for 1 annotations"),
        (lambda t: {**t, "vertices": changed(t["vertices"], (3, 0, 5, 1), np.inf)}, "not finite for 1 annotations"),
        (lambda t: {**t, "joints": np.array([None])}, "not an .npz of plain arrays"),
    ],
)
def test_mistakes_are_named(tmp_path, truth, synthetic_root, hand_model, change, words):
    with refused(words, "p.npz"):
        score_predictions(save(tmp_path, change(truth)), module(synthetic_root), hand_model)


def test_missing_file_and_file_of_another_kind(tmp_path, synthetic_root, hand_model):
    with pytest.raises(UserError, match="cannot be read"):
        score_predictions(tmp_path / "nothing.npz", module(synthetic_root), hand_model)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match="plain arrays"):
        score_predictions(tmp_path / "text.npz", module(synthetic_root), hand_model)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(UserError, match="plain arrays"):
        score_predictions(tmp_path / "one.npy", module(synthetic_root), hand_model)


def test_one_hand_per_row_cannot_be_compared_with_pairs(tmp_path, two_hand_root, hand_model):
    data = {"hands": "all", "layout": "two_hand"}
    arrays = truth_of(module(two_hand_root, **data), hand_model)
    one = {name: array if name == "ids" else array[:, :1] for name, array in arrays.items()}
    with pytest.raises(UserError, match="give H = 2"):
        score_predictions(save(tmp_path, one), module(two_hand_root, **data), hand_model)
