"""Archives for FreiHAND's and HO-3D's servers: written, accepted and scored; and a sentence for every mistake."""

import json
import zipfile

import numpy as np
import pytest
from published_sets import write_freihand, write_ho3d
from refusals import refused

from gesturehand.data.formats.registry import named_format
from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import SavedPredictions, write_predictions
from gesturehand.inference.submission import (
    SUBMISSIONS,
    read_submission,
    remark_on,
    score_submission,
    submission_form,
    write_submission,
)

OPENGL = np.array([1, -1, -1])


@pytest.fixture(params=["freihand", "ho3d_v3"])
def evaluated(request, tmp_path):
    """A set with its evaluation labels, and perfect predictions of it in the camera's frame, relative to the wrist."""
    if request.param == "freihand":
        made = write_freihand(tmp_path / "FreiHAND")
        made.axes = np.ones(3)
    else:
        made = write_ho3d(tmp_path, 3)
        made.axes = OPENGL
    made.format, made.form = request.param, submission_form(request.param)
    made.joints = np.array([hand.joints * made.axes for hand in made.test])
    made.vertices = np.array([hand.vertices * made.axes for hand in made.test])
    made.file = tmp_path / "predictions.npz"
    wrist = made.joints[:, :1]
    seen = made.intrinsics["test"] if request.param == "freihand" else made.intrinsics[None]
    px = made.joints @ seen.swapaxes(-1, -2)
    write_predictions(
        made.file,
        SavedPredictions(
            np.arange(len(made.test))[::-1].copy(),
            joints=(made.joints - wrist)[::-1, None].astype(np.float32),
            vertices=(made.vertices - wrist)[::-1, None].astype(np.float32),
            joints_2d=(px[..., :2] / px[..., 2:])[::-1, None].astype(np.float32),
        ),
    )
    return made


def test_an_archive_is_what_the_servers_code_reads(evaluated, tmp_path):
    out = tmp_path / "pred.zip"
    assert write_submission(evaluated.file, evaluated.root, out, progress=False) == len(evaluated.test)
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["pred.json"]
        joints, vertices = json.loads(archive.read("pred.json"))
    # In the set's own order and frame, where the hand is.
    own = [hand.joints if evaluated.format == "freihand" else hand.ordered for hand in evaluated.test]
    np.testing.assert_allclose(joints, own, atol=2e-4)
    np.testing.assert_allclose(vertices, [hand.vertices for hand in evaluated.test], atol=2e-4)
    submission = read_submission(out, evaluated.form, len(own))
    assert submission.joints.shape == (len(own), 21, 3)
    assert "1609 vertices" in remark_on(submission)


def test_perfect_predictions_are_scored_as_perfect(evaluated, tmp_path):
    out = tmp_path / "pred.zip"
    write_submission(evaluated.file, evaluated.root, out, progress=False)
    scores = score_submission(out, evaluated.root, progress=False)
    assert scores["pa_mpjpe_mm"] < 0.01
    assert scores["pa_mpvpe_mm"] < 0.01
    assert scores["mpjpe_mm"] < 0.2
    assert scores["pa_f_score_5"] == 1
    assert ("scale_translation_mpjpe_mm" in scores) == (evaluated.format == "ho3d_v3")


def test_the_published_numbers_of_images_are_those_that_count():
    assert {name: form.count for name, form in SUBMISSIONS.items()} == {
        "freihand": 3960,
        "ho3d_v2": 11524,
        "ho3d_v3": 20137,
    }
    with pytest.raises(UserError, match="no archive to submit for dexycb: choose one of freihand"):
        submission_form("dexycb")
    # In HO-3D's order, place 4 is the middle knuckle and 16 the thumb's tip.
    assert SUBMISSIONS["ho3d_v3"].place_of(9) == 4
    assert SUBMISSIONS["ho3d_v3"].place_of(4) == 16
    assert named_format("ho3d_v2").title == SUBMISSIONS["ho3d_v2"].title


def archive_of(path, content, name="pred.json"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda j, v: [j.tolist()], "has lists of 4 hands, and FreiHAND wants two of 4"),
        (lambda j, v: [j[:3].tolist(), v[:3].tolist()], "has lists of 3 and 3 hands"),
        (lambda j, v: [j[:, :20].tolist(), v.tolist()], "Hand 0 in '.*' has 20 joints and should have 21"),
        (lambda j, v: [j.tolist(), [*v[:3].tolist(), v[3, :9].tolist()]], "Hand 3 in '.*' has 9 vertices and should"),
        (lambda j, v: [(j * 1000).tolist(), (v * 1000).tolist()], "long: give metres"),
        (lambda j, v: [(j * OPENGL).tolist(), (v * OPENGL).tolist()], "lie behind the camera: FreiHAND wants the cam"),
        (lambda j, v: [j[:, ::-1].tolist(), v.tolist()], "not in FreiHAND's order"),
        (lambda j, v: "[[[1, 2", "is not two lists"),
        (lambda j, v: [np.where(j > 9, j, "x").tolist(), v.tolist()], "joints of hand 0 in '.*' are not points"),
    ],
)
def test_mistakes_that_a_server_would_stumble_over_are_one_sentence(tmp_path, change, sentence):
    made = write_freihand(tmp_path / "FreiHAND")
    joints, vertices = (np.array([getattr(hand, name) for hand in made.test]) for name in ("joints", "vertices"))
    path = archive_of(tmp_path / "pred.zip", change(joints, vertices[:, :20]))
    with refused(match=sentence):
        read_submission(path, submission_form("freihand"), 4)


def test_a_file_that_is_not_an_archive_is_one_sentence(tmp_path):
    form = submission_form("freihand")
    with pytest.raises(UserError, match=r"holds predictions\.json and should hold pred\.json alone"):
        read_submission(archive_of(tmp_path / "a.zip", [], "predictions.json"), form)
    (tmp_path / "b.zip").write_bytes(b"PK and no more")
    with pytest.raises(UserError, match=r"b\.zip' is not a complete \.zip archive"):
        read_submission(tmp_path / "b.zip", form)
    with pytest.raises(UserError, match=r"c\.zip' cannot be read"):
        read_submission(tmp_path / "c.zip", form)


def test_hands_without_a_place_and_without_meshes_are_refused(evaluated, tmp_path):
    ids, joints = np.arange(len(evaluated.test)), np.zeros((len(evaluated.test), 1, 21, 3), np.float32)
    write_predictions(tmp_path / "bare.npz", SavedPredictions(ids, joints))
    with pytest.raises(UserError, match="has no vertices"):
        write_submission(tmp_path / "bare.npz", evaluated.root, tmp_path / "pred.zip", progress=False)
    if evaluated.format == "freihand":  # for HO-3D the wrists are known
        write_predictions(tmp_path / "near.npz", SavedPredictions(ids, joints, joints[:, :, :5]))
        with pytest.raises(UserError, match="relative to their wrists and no joints_2d"):
            write_submission(tmp_path / "near.npz", evaluated.root, tmp_path / "pred.zip", progress=False)
    assert not (tmp_path / "pred.zip").exists()
