"""Impossible hands are refused at import and listed by the check, each in one sentence."""

import json

import numpy as np
import pytest
from faults import fault, faults

from gesturehand.cli.main import main
from gesturehand.data.plausibility import OTHER_ORDERS
from gesturehand.skeleton import JOINT_NAMES

REFUSED = "refused at import, in one sentence that names the hand"


@pytest.fixture
def import_(own_data, tmp_path, capsys):
    """Runs the command on hands; returns its exit code and its error."""

    def run(hands, *words):
        path = tmp_path / "joints.json"
        path.write_text(json.dumps(hands))
        code = main(
            ["data", "import", f"--images={own_data.images}", f"--joints={path}", f"--out={tmp_path / 'set'}", *words]
        )
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gesturehand:")]
        assert len(errors) == (code != 0)
        assert (tmp_path / "set").exists() == (code == 0)
        return code, "".join(errors)

    return run


def whole(own_data):
    """A hand that is alone in its image and has all joints annotated."""
    hands = [hand for hand in own_data.hands if None not in hand["joints_2d"]]
    names = [hand["image"] for hand in own_data.hands]
    return next(dict(hand) for hand in hands if names.count(hand["image"]) == 1)


def flat(hand):
    return {key: value for key, value in hand.items() if key not in ("joints_3d", "intrinsics")}


def with_joint(hand, number, point):
    return {**hand, "joints_2d": [point if k == number else p for k, p in enumerate(hand["joints_2d"])]}


def scaled(hand, factor):
    return {**hand, "joints_3d": (np.array(hand["joints_3d"]) * factor).tolist()}


def fit(**changed):
    return {"pose": [0.0] * 48, "shape": [0.0] * 10, "trans": [0.0, 0.0, 0.5], **changed}


UNITS = [
    ("millimetres", 1000.0),
    ("centimetres", 100.0),
    ("decimetres", 10.0),
    ("inches", 39.37),
    ("feet", 3.28),
    ("metres divided by a thousand", 0.001),
]
#: Kind, what is done to a hand, the function that does it, and words of the sentence.
IMPOSSIBLE = [
    ("fractions for pixels", "0 … 1, MediaPipe's", lambda h: flat({**h, "joints_2d": shares(h)}),
     "fractions of the image"),
    ("fractions for pixels", "-1 … 1", lambda h: flat({**h, "joints_2d": centred(h)}), "fractions of the image"),
    ("fractions for pixels", "0 … 1 beside 3D joints", lambda h: {**h, "joints_2d": shares(h)},
     "fractions of the image"),
    ("fractions for pixels", "normalised intrinsics", lambda h: {**h, "intrinsics": [1.2, 1.2, 0.5, 0.5]},
     "intrinsics of no camera"),
    ("unlabelled joints", "(0, 0), COCO's", lambda h: flat(with_joint(h, 5, [0, 0])), "index1 at (0, 0)"),
    ("unlabelled joints", "(-1, -1)", lambda h: flat(with_joint(h, 5, [-1, -1])), "index1 at (-1, -1)"),
    ("unlabelled joints", "all of them (0, 0)", lambda h: flat({**h, "joints_2d": [[0, 0]] * 21}), "wrist at (0, 0)"),
    ("unlabelled joints", "(0, 0, 0) among 3D joints", lambda h: {**h, "joints_3d": [*h["joints_3d"][:20], [0, 0, 0]]},
     "behind the camera"),
    ("unlabelled joints", "one coordinate null", lambda h: flat(with_joint(h, 5, [3.0, None])), "index1"),
    ("unlabelled joints", "all null", lambda h: flat({**h, "joints_2d": [None] * 21}), "no joint in joints_2d"),
    ("unlabelled joints", "all null in 3D", lambda h: {**h, "joints_2d": None, "joints_3d": [None] * 21},
     "no joint in joints_3d"),
    ("joints out of place", "5,000 px outside", lambda h: flat(with_joint(h, 8, [5000, 20])), "index4 at (5000, 20)"),
    ("joints out of place", "1e300", lambda h: flat(with_joint(h, 8, [1e300, -1e300])),
     "index4 at (1e+300, -1e+300)"),
    ("joints out of place", "infinite", lambda h: flat(with_joint(h, 8, [float("inf"), 3])), "21 points"),
    ("joints out of place", "the whole hand beside the image", lambda h: flat(moved(h, 600)), "outside the image"),
    ("joints out of place", "all at one point", lambda h: flat({**h, "joints_2d": [[50, 50]] * 21}),
     "joints all at one place"),
    ("joints out of place", "1e300 in 3D", lambda h: {**h, "joints_2d": None, **scaled(h, 1e300)}, "impossible size"),
    ("intrinsics", "zeros", lambda h: {**h, "intrinsics": [0, 0, 0, 0]}, "fx, fy, cx, cy of 0, 0, 0, 0"),
    ("intrinsics", "a negative focal length", lambda h: {**h, "intrinsics": [-500, 500, 9, 9]}, "intrinsics of no"),
    ("intrinsics", "1e300", lambda h: {**h, "intrinsics": [1e300, 1e300, 9, 9]}, "intrinsics of no camera"),
    ("intrinsics", "centre and focal length exchanged", lambda h: {**h, "intrinsics": [600, 9, 600, 9]},
     "intrinsics"),
    ("intrinsics", "text", lambda h: {**h, "intrinsics": "1234"}, "intrinsics as 4 numbers"),
    ("values of another type", "gesture a list", lambda h: {**h, "gesture": ["fist"]}, "['fist'] as gesture"),
    ("values of another type", "mano a list", lambda h: {**h, "mano": [1, 2]}, "MANO fit [1, 2]"),
    ("values of another type", "gesture a number", lambda h: {**h, "gesture": 3}, "3 as gesture"),
    ("values of another type", "subject a list", lambda h: {**h, "subject": [1]}, "[1] as subject"),
    ("values of another type", "image a number", lambda h: {**h, "image": 5}, "5 as image"),
    ("values of another type", "hand a list", lambda h: {**h, "hand": ["right"]}, "hand ['right']"),
    ("values of another type", "coordinates true and false", lambda h: with_joint(h, 3, [True, False]), "21 points"),
    ("values of another type", "a point as an object", lambda h: with_joint(h, 3, {"x": 1, "y": 2}), "21 points"),
    ("values of another type", "points with a score", lambda h: {**h, "joints_2d": [[1, 2, 0.9]] * 21}, "2 numbers"),
    ("impossible MANO fits", "millimetres", lambda h: {**h, "mano": fit(trans=[10, 20, 700])}, "translation 700"),
    ("impossible MANO fits", "degrees", lambda h: {**h, "mano": fit(pose=[90.0] * 48)}, "joint angle"),
    ("impossible MANO fits", "a shape of 1e6", lambda h: {**h, "mano": fit(shape=[1e6] * 10)}, "beta 1e+06"),
    ("impossible MANO fits", "null in the pose", lambda h: {**h, "mano": fit(pose=[None] * 48)}, "mano.pose"),
    ("impossible MANO fits", "unknown keys", lambda h: {**h, "mano": {"betas": [0] * 10}}, "MANO fit"),
    ("image names that leave the folder", "absolute", lambda h: {**h, "image": "/etc/hostname"},
     "lies outside --images"),
    ("image names that leave the folder", "upwards", lambda h: {**h, "image": "../x.png"}, "lies outside --images"),
    ("image names that leave the folder", "upwards inside", lambda h: {**h, "image": "photos/../../x.png"},
     "lies outside --images"),
    ("image names that leave the folder", "backslashes", lambda h: {**h, "image": "..\\x.png"},
     "lies outside --images"),
]  # fmt: skip


def shares(hand):
    """Joints as shares of the 512 × 334 px of the synthetic images, or nearly."""
    return (np.array(hand["joints_2d"]) / 520).tolist()


def centred(hand):
    return (np.array(hand["joints_2d"]) / 260 - 1).tolist()


def moved(hand, far):
    return {**hand, "joints_2d": np.add(hand["joints_2d"], [far, 0]).tolist()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(change, named, marks=fault(kind, variant, REFUSED), id=f"{kind}, {variant}")
        for kind, variant, change, named in IMPOSSIBLE
    ],
)
def test_impossible_hand_is_one_sentence(change, named, own_data, import_):
    code, error = import_([change(whole(own_data))])
    assert code == 2
    assert named in error


@pytest.mark.parametrize("projected", [True, False], ids=["with 2D joints", "3D alone"])
@pytest.mark.parametrize(("unit", "factor"), faults("units", REFUSED, ((name, name, by) for name, by in UNITS)))
def test_unit_is_recognised_by_the_bones(unit, factor, projected, own_data, import_):
    """A projection does not depend on the scale."""
    hand = scaled(whole(own_data), factor)
    code, error = import_([hand if projected else {**hand, "joints_2d": None}])
    assert code == 2
    assert "hand of impossible size" in error
    assert hand["image"] in error


@fault("units", "hands of children and giants", "imported")
@pytest.mark.parametrize("factor", [0.4, 1.4])
def test_small_and_large_hands_are_hands(factor, own_data, import_):
    assert import_([scaled(whole(own_data), factor)]) == (0, "")


@pytest.mark.parametrize("order", faults("joint order", REFUSED, ((order, order) for order in OTHER_ORDERS)))
@pytest.mark.parametrize("key", ["joints_3d", "joints_2d"])
def test_order_is_recognised_by_the_bones(key, order, own_data, import_):
    places = [JOINT_NAMES.index(name) for name in OTHER_ORDERS[order]]
    hands = [
        {**hand, key: [hand[key][place] for place in places], **({"joints_3d": None} if key == "joints_2d" else {})}
        for hand in own_data.hands
    ]
    if key == "joints_3d":
        hands = [{**hand, "joints_2d": None} for hand in hands]
    code, error = import_(hands)
    assert code == 2
    assert order in error


@pytest.mark.parametrize("name", ["joints_2d", "joints_3d"])
def test_right_order_is_taken(name, own_data, import_):
    other = {"joints_2d": "joints_3d", "joints_3d": "joints_2d"}[name]
    assert import_([{**hand, other: None} for hand in own_data.hands]) == (0, "")


@fault("intrinsics", "zeros as --intrinsics", REFUSED)
def test_intrinsics_of_the_command_line_are_held_against_the_image_too(own_data, import_):
    hand = {key: value for key, value in whole(own_data).items() if key != "intrinsics"}
    code, error = import_([hand], "--intrinsics=[0,0,0,0]")
    assert code == 2
    assert "intrinsics of no camera" in error


def said(images, tmp_path, own_data, capsys, splits=(None,)):
    hands = [{k: v for k, v in h.items() if k not in ("split", "subject")} for h in own_data.hands]
    hands = [hand for hand in hands if int(hand["image"][-7:-4]) < images]
    for hand in hands:
        hand["split"] = splits[int(hand["image"][-7:-4]) % len(splits)]
    (tmp_path / "joints.json").write_text(json.dumps(hands))
    words = [f"--images={own_data.images}", f"--joints={tmp_path / 'joints.json'}", f"--out={tmp_path / 'set'}"]
    assert main(["data", "import", *words]) == 0
    return capsys.readouterr().out


NO_VALIDATION = "the import says so and names the remedy"


@pytest.mark.parametrize(
    ("images", "splits", "missing"),
    [
        pytest.param(1, (None,), "val", marks=fault("no validation", "a set of 1 image", NO_VALIDATION)),
        pytest.param(2, (None,), "val", marks=fault("no validation", "a set of 2 images", NO_VALIDATION)),
        pytest.param(5, ("train",), "val", marks=fault("no validation", "all of split train", NO_VALIDATION)),
        pytest.param(
            6, ("train", "test"), "val", marks=fault("no validation", "splits train and test only", NO_VALIDATION)
        ),
        pytest.param(4, ("test",), "train", marks=fault("no validation", "all of split test", NO_VALIDATION)),
        pytest.param(
            6,
            (None,),
            None,
            marks=fault("no validation", "a set of 6 images", "the set gets a validation split of its own"),
        ),
    ],
)
def test_missing_splits_are_reported(images, splits, missing, tmp_path, own_data, capsys):
    text = said(images, tmp_path, own_data, capsys, splits)
    assert ("There is no val image" in text) == (missing is not None)
    assert ("There is no train image" in text) == (missing == "train")


@fault("sides", "right and left exchanged, with 3D joints", REFUSED)
def test_exchanged_sides_are_recognised_by_the_bends(own_data, import_):
    """Also for joints in a mirrored frame."""
    other = {"right": "left", "left": "right"}
    hands = [{**hand, "hand": other[hand["hand"]]} for hand in own_data.hands]
    code, error = import_(hands)
    assert code == 2
    assert "bend backwards" in error
    assert import_(hands, "--swap_hands=true") == (0, "")


@fault("a hand twice", "the same joints in two entries", REFUSED)
def test_a_hand_twice_is_refused(own_data, import_):
    code, error = import_([whole(own_data), whole(own_data)])
    assert code == 2
    assert "twice" in error
