"""Every kind of damage to a dataset is found, named and counted, and none is found in a correct set."""

import json

import cv2
import numpy as np
import pytest
from faults import fault, faults
from hostile_files import claims
from set_files import edit_json, fits_of, frames_of
from trainings import exit_code

from gesturehand.cli.main import main
from gesturehand.data.check import check_data
from gesturehand.data.files import annotation_path
from gesturehand.data.index import read_index
from gesturehand.data.plausibility import OTHER_ORDERS
from gesturehand.errors import UserError
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import HandEntry
from gesturehand.skeleton import INTERHAND_JOINT_NAMES, JOINT_NAMES


@pytest.fixture
def root(val_root):
    return val_root


def kinds(root, **settings):
    return check_data(root, progress=False, **settings).counts()


def edit(root, kind, change):
    edit_json(annotation_path(root, "val", kind), change)


def images(root):
    return sorted((root / "images" / "val").rglob("*.jpg"))


def first_frame(content):
    frames = next(iter(content.values()))
    return frames, next(iter(frames))


def test_correct_sets_have_no_problem(root, real_sample):
    assert kinds(root) == {}
    assert kinds(real_sample, mano_fits=False) == {}


def test_images(root):
    missing, unreadable, resized, cut, bomb = images(root)[:5]
    missing.unlink()
    unreadable.write_text("no image")
    cv2.imwrite(str(resized), np.zeros((10, 10, 3), np.uint8))
    cut.write_bytes(cut.read_bytes()[:-500])
    bomb.write_bytes(claims(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes(), 60_000, 60_000))
    assert kinds(root) == {
        "image missing": 1,
        "image unreadable": 1,
        "image size other than announced": 1,
        "image cut short": 1,
        "image too large": 1,
    }
    assert "image cut short" not in kinds(root, decode=False)


#: Kind of file, the damage done to it, and the check's name for it.
DAMAGE = [
    ("data", lambda c: c["annotations"][0].update(bbox=[1, 2, 0, 4]), "box empty"),
    ("data", lambda c: c["annotations"][0].update(bbox="wide"), "box not four numbers"),
    ("data", lambda c: c["annotations"][0].update(joint_valid=[0] * 42), "annotation without joints"),
    ("data", lambda c: c["annotations"][0].update(image_id=-7), "image of an annotation not listed"),
    ("data", lambda c: c["annotations"][0].update(hand_type="foot"), "hand type unknown"),
    ("data", lambda c: c["annotations"][0].update(hand_type=[]), "hand type unknown"),
    ("data", lambda c: c["annotations"].append(c["annotations"][0]), "annotation id twice"),
    ("data", lambda c: c["images"][0].update(file_name="../../secret.jpg"), "path leaves the images' folder"),
    ("data", lambda c: c["images"][0].update(file_name="/etc/passwd"), "path leaves the images' folder"),
    ("joint_3d", lambda c: first_frame(c)[0].pop(first_frame(c)[1]), "frame missing in joint_3d"),
    ("camera", lambda c: next(iter(c.values()))["focal"].clear(), "camera missing"),
    ("MANO_NeuralAnnot", lambda c: absurd(c), "MANO parameters absurd"),
]


def absurd(content):
    next(fits_of(content))["shape"][3] = 1e6


@pytest.mark.parametrize(("kind", "change", "named"), DAMAGE, ids=[f"{d[2]}-{n}" for n, d in enumerate(DAMAGE)])
def test_annotations(root, kind, change, named):
    edit(root, kind, change)
    counts = kinds(root)
    assert counts[named] >= 1
    if named not in ("camera missing", "annotation id twice"):
        assert sum(counts.values()) == 1, "only what was damaged is reported"


def test_joints(root):
    def change(content):
        frames = next(iter(content.values()))
        one, two = list(frames)[:2]
        frames[one]["joint_valid"] = np.zeros_like(frames[one]["joint_valid"]).tolist()
        frames[two]["world_coord"][0] = [float("nan")] * 3
        frames[two]["joint_valid"] = np.ones_like(frames[two]["joint_valid"]).tolist()

    edit(root, "joint_3d", change)
    assert kinds(root) == {"frame without joints": 1, "joints not finite": 1}


def test_files(root):
    path = annotation_path(root, "val", "camera")
    path.write_text("{")
    assert kinds(root) == {"annotation file unreadable": 1}
    path.unlink()
    assert kinds(root) == {"annotation file missing": 1}


def test_command_gives_an_exit_code_and_a_list(root, tmp_path, capsys):
    words = ["data", "check", f"--root={root}", f"--out={tmp_path / 'problems.json'}"]
    assert main(words) == 0
    assert json.loads((tmp_path / "problems.json").read_text())["problems"] == []
    lost = images(root)[0]
    lost.unlink()
    assert exit_code(words) == 1
    report = json.loads((tmp_path / "problems.json").read_text())
    assert report["counts"] == {"image missing": 1}
    assert report["problems"][0]["where"] in str(lost)
    assert "image missing: 1" in capsys.readouterr().out


def first(content, **changed):
    content["images"][0].update(changed)


def annotated(content, **changed):
    content["annotations"][0].update(changed)


def first_entry(content):
    frames, name = first_frame(content)
    return frames[name]


def first_camera(content, part, value):
    next(iter(content.values()))[part] = dict.fromkeys(next(iter(content.values()))[part], value)


def every_frame(content, change):
    """Applies a change to the coordinates of all frames' valid joints, mm."""
    for frame in frames_of(content):
        frame["world_coord"] = change(np.array(frame["world_coord"])).tolist()


def in_order(order):
    """A change of the files' order (42 joints, InterHand2.6M's) as if the papers' joints were in another one."""
    papers = [INTERHAND_JOINT_NAMES.index(name) for name in order]
    places = [papers[JOINT_NAMES.index(name)] for name in INTERHAND_JOINT_NAMES]
    return lambda points: points.reshape(2, 21, 3)[:, places].reshape(42, 3)


STUMBLES, LISTED = "what the index refuses", "listed by the check"
#: Kind of fault, variant, file, the damage done to it, and the check's name for it.
REFUSED_BY_INDEX = [
    ("ids of 2^64", "data", lambda c: annotated(c, id=2**64), "annotation entry broken"),
    ("image ids of 2^64", "data", lambda c: first(c, id=2**64), "image entry broken"),
    ("ids of -2^70", "data", lambda c: annotated(c, image_id=-(2**70)), "annotation entry broken"),
    ("ids of 1.5", "data", lambda c: annotated(c, id=1.5), "annotation entry broken"),
    ("image ids of 1.5", "data", lambda c: first(c, id=1.5), "image entry broken"),
    ("an id that is text", "data", lambda c: annotated(c, id="7"), "annotation entry broken"),
    ("an id that is true", "data", lambda c: annotated(c, id=True), "annotation entry broken"),
    ("a width of 1e30", "data", lambda c: first(c, width=1e30), "image entry broken"),
    ("a width of 'wide'", "data", lambda c: first(c, width="wide"), "image entry broken"),
    ("a width of 0", "data", lambda c: first(c, width=0), "image entry broken"),
    ("a height of -334", "data", lambda c: first(c, height=-334), "image entry broken"),
    ("a height of 333.5", "data", lambda c: first(c, height=333.5), "image entry broken"),
    ("a width as text", "data", lambda c: first(c, width="512"), "image entry broken"),
    ("a sequence name of 7", "data", lambda c: first(c, seq_name=7), "image entry broken"),
    ("no sequence name", "data", lambda c: c["images"][0].pop("seq_name"), "image entry broken"),
    ("a camera that is a list", "data", lambda c: first(c, camera=[1]), "image entry broken"),
    ("a frame number of 1.5", "data", lambda c: first(c, frame_idx=1.5), "image entry broken"),
    ("subject 70000", "data", lambda c: first(c, subject=70000), "image entry broken"),
    ("subject '70000'", "data", lambda c: first(c, subject="70000"), "image entry broken"),
    ("subject 'Zoë'", "data", lambda c: first(c, subject="Zoë"), "image entry broken"),
    ("subject null", "data", lambda c: first(c, subject=None), "image entry broken"),
    ("an image that is no object", "data", lambda c: c["images"].__setitem__(0, 5), "image entry broken"),
    ("an annotation that is null", "data", lambda c: c["annotations"].__setitem__(0, None),
     "annotation entry broken"),
    ("a box of text", "data", lambda c: annotated(c, bbox=["1", "2", "3", "4"]), "box not four numbers"),
    ("a box of three", "data", lambda c: annotated(c, bbox=[1, 2, 3]), "box not four numbers"),
    ("flags as text", "data", lambda c: annotated(c, joint_valid="1" * 42), "joint_valid not 42 flags"),
    ("41 flags", "data", lambda c: annotated(c, joint_valid=[1] * 41), "joint_valid not 42 flags"),
    ("images no list", "data", lambda c: c.update(images={}), "annotation file unreadable"),
    ("coordinates as text", "joint_3d", lambda c: first_entry(c).update(world_coord=[["1", "2", "3"]] * 42),
     "joints not 42 points with flags"),
    ("21 points", "joint_3d", lambda c: first_entry(c).update(world_coord=[[1, 2, 3]] * 21),
     "joints not 42 points with flags"),
    ("depth_known 'yes'", "joint_3d", lambda c: first_entry(c).update(depth_known="yes"),
     "joints not 42 points with flags"),
    ("a focal length of text", "camera", lambda c: first_camera(c, "focal", ["500", "500"]), "camera broken"),
    ("a camera of NaN", "camera", lambda c: first_camera(c, "campos", [float("nan")] * 3), "camera broken"),
    ("a rotation of nine numbers", "camera", lambda c: first_camera(c, "camrot", [1.0] * 9), "camera broken"),
    ("a pose of 45", "MANO_NeuralAnnot", lambda c: shorter(c), "MANO parameters absurd"),
]  # fmt: skip


def shorter(content):
    fit = next(fits_of(content))
    fit["pose"] = fit["pose"][:45]


@pytest.mark.parametrize(("kind", "change", "named"), faults(STUMBLES, LISTED, REFUSED_BY_INDEX))
def test_check_lists_what_the_index_refuses(root, kind, change, named):
    """Both use the same reader: the check lists what the index refuses."""
    edit(root, kind, change)
    with pytest.raises(UserError):
        read_index(root, "val")
    counts = kinds(root, decode=False)
    assert counts[named] >= 1
    of_files = {found for found in counts if found.startswith(("image ", "path "))}
    assert set(counts) - of_files <= {named}


UNITS = [("metres", 0.001), ("centimetres", 0.1), ("micrometres", 1000.0), ("inches", 1 / 25.4)]
#: The same for data that the index takes but no training can use.
IMPOSSIBLE = [
    ("an id of an image twice", "data", lambda c: c["images"].append(c["images"][0]), "image id twice"),
    ("no annotations", "data", lambda c: c.update(annotations=[]), "split without annotations"),
    ("focal lengths of zero", "camera", lambda c: first_camera(c, "focal", [0, 0]), "intrinsics of no camera"),
    ("intrinsics in fractions", "camera", lambda c: first_camera(c, "focal", [1.2, 1.2]), "intrinsics of no camera"),
    ("a rotation of zeros", "camera", lambda c: first_camera(c, "camrot", [[0] * 3] * 3),
     "camera rotation no rotation"),
    ("a camera that looks away", "camera", lambda c: first_camera(c, "campos", [0.0, 0.0, 1e5]),
     "joints behind the camera"),
    ("joints of 1e300", "joint_3d", lambda c: every_frame(c, lambda p: p * 0 + 1e300), "joints not finite"),
    ("joints far outside", "camera", lambda c: first_camera(c, "princpt", [5000.0, 100.0]),
     "joints far outside the image"),
    ("hands beside the image", "camera", lambda c: first_camera(c, "princpt", [780.0, 100.0]),
     "hand outside the image"),
    *((f"joints in {name}", "joint_3d", lambda c, f=factor: every_frame(c, lambda p: p * f),
     "hand of impossible size") for name, factor in UNITS ),
    *((f"joints in {name}", "joint_3d", lambda c, order=order: every_frame(c, in_order(order)),
     "joints in another order") for name, order in OTHER_ORDERS.items() ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "named"), faults("impossible values in a set", LISTED, IMPOSSIBLE))
def test_check_lists_impossible_entries(root, kind, change, named):
    edit(root, kind, change)
    assert named in kinds(root, decode=False)


def imported(root, size=(400, 300)):
    """A set of one hand with 2D joints, as `data import` writes it."""
    points = [[60.0 + 11 * n, 80.0 + 7 * n] for n in range(21)]
    entry = HandEntry("a.jpg", "right", np.array(points), None, None, None, "val", None, None)
    folder = root.parent / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.jpg"), np.zeros((size[1], size[0], 3), np.uint8))
    convert([entry], folder, root.parent / "mine")
    return root.parent / "mine"


@pytest.mark.parametrize(
    ("place", "named"),
    [
        pytest.param(
            lambda p: p / 400,
            "joints in fractions of the image",
            marks=fault("fractions for pixels", "in a set", LISTED),
        ),
        pytest.param(
            lambda p: p * 0, "joints that are not labelled", marks=fault("unlabelled joints", "in a set", LISTED)
        ),
        pytest.param(
            lambda p: p + 5000, "joints far outside the image", marks=fault("joints out of place", "in a set", LISTED)
        ),
        pytest.param(lambda p: p, None, id="as they were"),
    ],
)
def test_joints_in_the_image_are_held_against_it(root, place, named):
    """For hands without depth, whose joints in space are their pixels lifted to the plane at one metre, f = 400 px."""
    mine = imported(root)

    def change(content):
        points = np.array(first_entry(content)["world_coord"])
        pixels = points[:, :2] / points[:, 2:] * 400 + [200, 150]
        points[:, :2] = (place(pixels) - [200, 150]) / 400 * points[:, 2:]
        first_entry(content)["world_coord"] = points.tolist()

    edit(mine, "joint_3d", change)
    assert kinds(mine) == ({named: 1} if named else {})


@fault("impossible values in a set", "no split at all", "refused in one sentence")
def test_folder_without_splits_is_not_a_set(tmp_path):
    (tmp_path / "annotations").mkdir()
    with pytest.raises(UserError, match="no split"):
        kinds(tmp_path)


@fault(STUMBLES, "JSON nested 100,000 deep", LISTED)
@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
def test_nesting_is_listed_and_refused(root, kind):
    path = annotation_path(root, "val", kind)
    path.write_text('{"images": ' + "[" * 100_000 + "]" * 100_000 + ', "annotations": []}')
    assert "annotation file unreadable" in kinds(root, decode=False)
    with pytest.raises(UserError):
        read_index(root, "val")
