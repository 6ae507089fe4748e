"""Gesture labels, boxes and pseudo-labels in a user's list, through the import and the loader."""

import json

import numpy as np
import pytest
from refusals import refused

from gesturehand.cli.main import main
from gesturehand.data.check import check_data
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import read_image
from gesturehand.errors import UserError
from gesturehand.gestures import class_names
from gesturehand.hand.layer import HandModel
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries, with_gestures
from gesturehand.targets import build_targets

BOX = [12.0, 20.0, 40.0, 30.0]


def one_a_photo(own_data):
    """The first hand of each image, as a labelled one."""
    first = {hand["image"]: hand for hand in reversed(own_data.hands)}
    return list(first.values())


def boxed(own_data):
    """Every other hand has joints; the others have a box and a label, and some of them a gesture."""
    hands = []
    for number, hand in enumerate(one_a_photo(own_data)):
        label = {"label": ("A", "B")[number % 3 == 0], "set": ("one", "two")[number % 4 == 1]}
        kept = {key: hand[key] for key in ("image", "hand", "split")}
        extra = {"joints_2d": hand["joints_2d"], "presence": 0.75} if number % 2 == 0 else {"box": BOX}
        gesture = {"gesture": "fist"} if number % 5 == 1 else {}
        hands.append({**kept, **label, **extra, **gesture, "licence": "CC0", "source": f"photo {number}"})
    return hands


def entries_of(hands, tmp_path, **options):
    path = tmp_path / "hands.json"
    path.write_text(json.dumps(hands))
    return read_entries(path, **options)


def data_json(root):
    return json.loads((root / "annotations" / "train" / "InterHand2.6M_train_data.json").read_text())


def loaded(root, **settings):
    data = InterHandDataModule(
        str(root), image_size=32, hands="all", num_workers=0, augment=False, test_split="train", **settings
    )
    dataset = data.dataset("test")
    return dataset.__getitems__(range(len(dataset)))


@pytest.fixture
def imported(own_data, tmp_path):
    hands = boxed(own_data)
    convert(entries_of(hands, tmp_path), own_data.images, tmp_path / "set")
    return hands, tmp_path / "set"


def test_labels_and_pseudo_labels_stand_in_the_annotations(imported):
    hands, root = imported
    annotations = data_json(root)["annotations"]
    assert len(annotations) == len(hands)
    for hand, entry in zip(hands, annotations, strict=True):
        said = entry["hand_labels"][hand["hand"]]
        wanted = {"label": hand["label"], "label_set": hand["set"], "licence": "CC0", "source": hand["source"]}
        assert said == wanted | ({"presence": 0.75, "pseudo_label": True} if "joints_2d" in hand else {})


def test_annotations_without_labels_are_as_before(own_data, tmp_path):
    hands = [{key: value for key, value in hand.items() if key != "joints_3d"} for hand in own_data.hands]
    convert(entries_of(hands, tmp_path), own_data.images, tmp_path / "set")
    assert all("hand_labels" not in entry for entry in data_json(tmp_path / "set")["annotations"])


def test_hands_with_only_a_box_are_samples_if_no_joint_is_required(imported):
    hands, root = imported
    with_joints = [hand for hand in hands if "joints_2d" in hand]
    assert len(loaded(root)["image"]) == len(with_joints)
    batch = loaded(root, min_valid_joints=0)
    assert len(batch["image"]) == len(hands)
    targets = build_targets(batch, HandModel())
    for place, hand in enumerate(hands):
        known = "joints_2d" in hand
        assert bool(targets["joint_valid_2d"][place].any()) == known
        fine = int(batch["gesture_fine"][place])
        assert (class_names("fine")[fine] if fine >= 0 else None) == hand.get("gesture")
        if not known:
            assert not any(targets[name][place].any() for name in targets if "valid" in name)
            # The crop and the box have the same middle, and its side is 1.4 times the box's longer one (as for `predict
            # --box`).
            affine = batch["crop_affine"][place].double().numpy()
            scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
            np.testing.assert_allclose(32 / scale, 1.4 * max(BOX[2:]), rtol=1e-5)
            middle = np.array([BOX[0] + BOX[2] / 2, BOX[1] + BOX[3] / 2])
            np.testing.assert_allclose(affine[:, :2] @ middle + affine[:, 2], [15.5, 15.5], atol=0.51)


def test_loader_numbers_labels_by_their_sets(imported):
    hands, root = imported
    batch = loaded(root, min_valid_joints=0, own_labels="auto")
    names = sorted({(hand["set"], hand["label"]) for hand in hands})
    assert [names[number] for number in batch["own_label"].tolist()] == [(h["set"], h["label"]) for h in hands]
    some = loaded(root, min_valid_joints=0, own_labels=[("two", "A"), ("elsewhere", "A"), ("one", "B")])
    wanted = [{("two", "A"): 0, ("one", "B"): 2}.get((hand["set"], hand["label"]), -1) for hand in hands]
    assert some["own_label"].tolist() == wanted
    assert set(loaded(root)["own_label"].tolist()) == {-1}, "nobody asked for them"


def test_labels_of_two_hands_in_a_picture_are_each_hand_s_own(own_data, tmp_path):
    by_image = {}
    for hand in own_data.hands:
        by_image.setdefault(hand["image"], []).append(hand)
    pair = next(hands for hands in by_image.values() if len(hands) == 2)
    hands = [{**hand, "label": f"a {hand['hand']} hand"} for hand in pair]
    convert(entries_of(hands, tmp_path), own_data.images, tmp_path / "set")
    batch = loaded(tmp_path / "set", own_labels="auto", mirror_left=False)
    sides = [("left", "right")[int(right)] for right in batch["is_right"][:, 0]]
    vocabulary = [("", "a left hand"), ("", "a right hand")]
    assert [vocabulary[number][1] for number in batch["own_label"].tolist()] == [f"a {side} hand" for side in sides]
    both = loaded(tmp_path / "set", own_labels="auto", layout="two_hand")
    assert both["own_label"].tolist() == [-1]


def test_check_finds_nothing_wrong(imported):
    _, root = imported
    report = check_data(root, progress=False)
    assert report.problems == []


def test_card_counts_the_contents(imported):
    hands, root = imported
    card = json.loads((root / "card.json").read_text())
    joints = sum("joints_2d" in hand for hand in hands)
    counts = card["splits"]["train"]["hands"]
    assert (counts["2D"], counts["pseudo_labels"], counts["box"]) == (joints, joints, len(hands) - joints)
    assert counts["gesture"] == sum("gesture" in hand for hand in hands)
    assert card["licences"] == {"CC0": len(hands)}
    for name in ("one", "two"):
        for label in "AB":
            own = [hand for hand in hands if (hand["set"], hand["label"]) == (name, label)]
            assert card["label_sets"][name].get(label, {"hands": {"train": 0}})["hands"] == {"train": len(own)}


def test_label_map_gives_classes_within_a_set_only(own_data, tmp_path):
    entries = entries_of(boxed(own_data), tmp_path)
    (tmp_path / "map.json").write_text(json.dumps({"one": {"A": "open_spread", "B": None}, "else": {"A": "a_okay"}}))
    mapped = with_gestures(entries, tmp_path / "map.json")
    (open_spread,) = {
        entry.sequence for entry in entries_of([{**boxed(own_data)[0], "gesture": "open_spread"}], tmp_path)
    }
    for before, after in zip(entries, mapped, strict=True):
        given = before.sequence is None and (before.label_set, before.label) == ("one", "A")
        assert after.sequence == (open_spread if given else before.sequence)
    assert {entry.sequence for entry in mapped} == {None, open_spread, "fist"}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"one": {"A": "fisd"}}, "did you mean 'fist'"),
        ({"one": {"A": 3}}, "the name of a fine class"),
        ({"one": "A"}, "{set: {label: class}}"),
        ([], "{set: {label: class}}"),
    ],
)
def test_wrong_label_map_is_one_sentence(content, named, own_data, tmp_path):
    (tmp_path / "map.json").write_text(json.dumps(content))
    with refused(named, "map.json"):
        with_gestures(entries_of(boxed(own_data), tmp_path), tmp_path / "map.json")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"box": [0, 0, 10]}, "box as 4 numbers"),
        ({"box": [0, 0, 0, 10]}, "empty"),
        ({"box": [0.1, 0.1, 0.5, 0.5]}, "pixels, not fractions"),
        ({"box": [5000, 10, 50, 50]}, "outside the image"),
        ({"box": [0, 0, 50000, 50]}, "larger than its image"),
        ({"label": None, "gesture": None}, "give one of them, or a gesture or a label"),
        ({"box": None}, "neither joints nor a box"),
        ({"box": None, "label": None, "gesture": None}, "a box with a gesture or a label"),
        ({"label": True}, "as label: give text"),
        ({"label": " "}, "an empty label"),
        ({"set": ""}, "an empty set"),
        ({"label": "\ud83d"}, "half a character"),
        ({"presence": 1.5}, "presence 1.5"),
        ({"presence": "high"}, "presence"),
        ({"pseudo_label": 1}, "true or false"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistake_is_one_sentence_that_names_it(change, named, own_data, tmp_path):
    hands = boxed(own_data)
    hands[1] |= change
    with refused(named, hands[1]["image"]):
        convert(entries_of(hands, tmp_path), own_data.images, tmp_path / "set")


def test_table_may_have_boxes_and_labels(own_data, tmp_path):
    hand = boxed(own_data)[1]
    (tmp_path / "hands.csv").write_text(
        "image,hand,label,set,licence,presence,box_x,box_y,box_w,box_h\n"
        f"{hand['image']},{hand['hand']},A,two,CC0,0.5,{','.join(map(str, BOX))}\n"
    )
    (row,) = read_entries(tmp_path / "hands.csv")
    (entry,) = entries_of(
        [{**hand, "label": "A", "presence": 0.5, "split": None, "source": None, "gesture": None}], tmp_path
    )
    assert row == entry


def test_folders_are_sets_if_none_is_named(own_data, tmp_path):
    hands = [{**hand, "set": None} if number % 2 else hand for number, hand in enumerate(boxed(own_data))]
    names = [entry.label_set for entry in entries_of(hands, tmp_path, folders_are_sets=True)]
    assert names == ["photos" if number % 2 else hand["set"] for number, hand in enumerate(hands)]


def test_command_prints_what_was_imported(own_data, tmp_path, capsys):
    hands = boxed(own_data)
    entries_of(hands, tmp_path)
    (tmp_path / "map.json").write_text(json.dumps({"one": {"A": "open_spread"}}))
    words = [f"--images={own_data.images}", f"--joints={tmp_path / 'hands.json'}", f"--out={tmp_path / 'set'}"]
    assert main(["data", "import", *words, f"--label_map={tmp_path / 'map.json'}"]) == 0
    joints = sum("joints_2d" in hand for hand in hands)
    classes = sum("gesture" in hand or (hand["set"], hand["label"]) == ("one", "A") for hand in hands)
    said = capsys.readouterr().out
    assert f"{joints} with joints that are pseudo-labels, {len(hands) - joints} with a box only" in said
    assert f"{classes} with a gesture class, {len(hands)} with a label of their set" in said


def test_whole_numbers_are_labels_too(own_data, tmp_path):
    (entry,) = entries_of([{**boxed(own_data)[1], "label": 7, "set": 2}], tmp_path)
    assert (entry.label, entry.label_set) == ("7", "2")


def test_hands_without_joints_and_boxes_may_fill_their_images(own_data, tmp_path):
    hands = [{k: v for k, v in hand.items() if k != "box"} for hand in boxed(own_data) if "box" in hand]
    with pytest.raises(UserError, match="--box whole"):
        entries_of(hands, tmp_path)
    convert(entries_of(hands, tmp_path, whole_images=True), own_data.images, tmp_path / "set")
    content = data_json(tmp_path / "set")
    for image, annotation in zip(content["images"], content["annotations"], strict=True):
        x, y, width, height = annotation["bbox"]
        assert (x, y) == (0, 0)
        assert (width, height) == (image["width"] - 1, image["height"] - 1)


def test_sets_of_boxes_are_counted_drawn_and_named_when_left_out(own_data, tmp_path, capsys):
    hands = [hand for hand in boxed(own_data) if "box" in hand]
    hands = [{**hand, "split": "train"} for hand in hands]
    root = tmp_path / "set"
    convert(entries_of(hands, tmp_path), own_data.images, root)
    assert main(["data", "stats", f"--root={root}"]) == 0
    said = capsys.readouterr().out
    assert f"| hands with a box only | {len(hands)} |" in " ".join(said.split())
    for name, label in {(hand["set"], hand["label"]) for hand in hands}:
        count = sum((hand["set"], hand["label"]) == (name, label) for hand in hands)
        assert f"| {name}: {label} | {count} |" in " ".join(said.split())
    picture = tmp_path / "check.png"
    assert main(["data", "show", f"--root={root}", "--split=train", f"--out={picture}"]) == 0
    pixels = read_image(picture).astype(int)
    # The boxes' colour, in which nothing else of the picture is.
    assert (np.abs(pixels - [255, 200, 0]).max(-1) < 8).sum() > 100
    with pytest.raises(UserError, match=r"set data\.min_valid_joints to 0"):
        loaded(root)
