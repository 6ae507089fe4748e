"""MediaPipe's landmarks, in every layout in which people save them, import the same as the list."""

import json

import numpy as np
import pytest
from refusals import refused

from gesturehand.cli.main import main
from gesturehand.data.image_file import look_at_image
from gesturehand.data.index import read_index
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries


@pytest.fixture(scope="module")
def hands(own_data):
    return [hand for hand in own_data.hands if None not in hand["joints_2d"]][:8]


def points(array):
    return [dict(zip("xyz", map(float, point), strict=True)) for point in array]


def shares(hand, folder):
    """X and y as shares of the image, and a depth as a share of its width."""
    size = np.array(look_at_image(folder / hand["image"]))
    deep = np.array(hand["joints_3d"])[:, 2]
    depth = (deep - deep[0]) * hand["intrinsics"][0] / deep[0] / size[0]
    return points(np.column_stack([(np.array(hand["joints_2d"]) + 0.5) / size, depth]))


def world(hand):
    joints = np.array(hand["joints_3d"])
    return points(joints - joints.mean(0))


def by_image(hands):
    named = {}
    for hand in hands:
        named.setdefault(hand["image"], []).append(hand)
    return named


def tasks(own, folder):
    """``dataclasses.asdict`` of a HandLandmarkerResult."""
    extra = {"visibility": 0.0, "presence": 0.0, "name": None}
    return {
        "handedness": [
            [{"index": 0, "score": 0.98, "display_name": hand["hand"].title(), "category_name": hand["hand"].title()}]
            for hand in own
        ],
        "hand_landmarks": [[point | extra for point in shares(hand, folder)] for hand in own],
        "hand_world_landmarks": [[point | extra for point in world(hand)] for hand in own],
    }


def javascript(own, folder):
    """``JSON.stringify`` of the web's result."""
    labels = [[{"score": 0.98, "index": 0, "categoryName": h["hand"].title(), "displayName": ""}] for h in own]
    return {
        "landmarks": [shares(hand, folder) for hand in own],
        "worldLandmarks": [world(hand) for hand in own],
        "handednesses": labels,
        "handedness": labels,
    }


def messages(own, folder):
    """``MessageToDict`` of the older API's messages, which leaves zeros out."""
    trimmed = [[{k: v for k, v in point.items() if v} for point in shares(hand, folder)] for hand in own]
    return {
        "multi_hand_landmarks": [{"landmark": points} for points in trimmed],
        "multi_hand_world_landmarks": [{"landmark": world(hand)} for hand in own],
        "multi_handedness": [
            {"classification": [{"index": 1, "score": 0.9, "label": hand["hand"].title()}]} for hand in own
        ],
    }


def by_hand(own, folder):
    return {
        "hands": [
            {"handedness": hand["hand"].title(), "landmarks": shares(hand, folder), "world_landmarks": world(hand)}
            for hand in own
        ]
    }


def lists(own, folder):
    """Points as lists."""
    return {
        "hand_landmarks": [[list(point.values()) for point in shares(hand, folder)] for hand in own],
        "world_landmarks": [[list(point.values()) for point in world(hand)] for hand in own],
        "handedness": [hand["hand"].title() for hand in own],
    }


def holistic(own, folder):
    return {
        key: value
        for hand in own
        for key, value in (
            (f"{hand['hand']}_hand_landmarks", shares(hand, folder)),
            (f"{hand['hand']}_hand_world_landmarks", world(hand)),
        )
    }


RESULTS = {f.__name__: f for f in (tasks, javascript, messages, by_hand, lists, holistic)}


def named_list(results):
    return [{"image": f"/content/drive/{name}", **result} for name, result in results.items()]


def nested_list(results):
    return {"version": 1, "results": [{"file_name": name, "result": result} for name, result in results.items()]}


def mapping(results):
    return results


def stems(results):
    return {name.rpartition(".")[0]: result for name, result in results.items()}


NAMINGS = {f.__name__: f for f in (named_list, nested_list, mapping, stems)}


def written(content, tmp_path):
    path = tmp_path / "landmarks.json"
    path.write_text(json.dumps(content))
    return path


def results_of(hands, folder, form=tasks):
    return {name: form(own, folder) for name, own in by_image(hands).items()}


def check_same(entries, hands, *, with_world=True):
    assert len(entries) == len(hands)
    key = lambda one: (one.image, one.side)  # noqa: E731
    for entry, hand in zip(sorted(entries, key=key), sorted(hands, key=lambda h: (h["image"], h["hand"])), strict=True):
        assert key(entry) == (hand["image"], hand["hand"])
        np.testing.assert_allclose(entry.joints_2d, hand["joints_2d"], atol=1e-9)
        assert entry.pseudo_label
        if with_world:
            joints = np.array(hand["joints_3d"])
            np.testing.assert_allclose(entry.joints_relative, joints - joints.mean(0), atol=1e-12)


@pytest.mark.parametrize("naming", NAMINGS.values(), ids=NAMINGS)
@pytest.mark.parametrize("form", RESULTS.values(), ids=RESULTS)
def test_every_layout_and_naming_says_the_same(form, naming, hands, own_data, tmp_path):
    content = naming(results_of(hands, own_data.images, form))
    check_same(read_entries(written(content, tmp_path), images=own_data.images), hands)


def test_lines_of_results(hands, own_data, tmp_path):
    path = tmp_path / "landmarks.jsonl"
    path.write_text("\n".join(map(json.dumps, named_list(results_of(hands, own_data.images)))))
    check_same(read_entries(path, images=own_data.images), hands)


def test_a_folder_with_a_file_for_each_image(hands, own_data, tmp_path):
    for name, result in results_of(hands, own_data.images).items():
        path = (tmp_path / "found" / name).with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result))
    check_same(read_entries(tmp_path / "found", images=own_data.images), hands)


def test_images_without_hands_are_left_out(hands, own_data, tmp_path):
    content = results_of(hands, own_data.images)
    content["photos/none.png"] = {"handedness": [], "hand_landmarks": [], "hand_world_landmarks": []}
    check_same(read_entries(written(content, tmp_path), images=own_data.images), hands)


def test_landmarks_without_world_are_2d_joints(hands, own_data, tmp_path):
    content = {
        name: {key: value for key, value in result.items() if key != "hand_world_landmarks"}
        for name, result in results_of(hands, own_data.images).items()
    }
    entries = read_entries(written(content, tmp_path), images=own_data.images)
    check_same(entries, hands, with_world=False)
    assert all(entry.joints_relative is None for entry in entries)


def test_world_landmarks_are_placed_by_the_pixels(hands, own_data, tmp_path):
    """With the true intrinsics the joints come back where they were; without any, they project onto the pixels."""
    content = results_of(hands, own_data.images)
    entries = read_entries(written(content, tmp_path), images=own_data.images)
    camera = tuple(hands[0]["intrinsics"])
    own = [
        entry for entry in entries if next(h for h in hands if h["image"] == entry.image)["intrinsics"] == list(camera)
    ]
    convert(own, own_data.images, tmp_path / "set", intrinsics=camera, val_share=0, test_share=0)
    index = read_index(tmp_path / "set", "train", mano_fits=False)
    assert index.depth_known.all()
    for row in range(len(index)):
        for side, name in enumerate(("right", "left")):
            valid = np.asarray(index.joint_valid_frame[index.frame[row]])[side]
            found = index.joints_world[index.frame[row], side]
            if valid.any():
                assert (
                    min(np.abs(found - np.array(hand["joints_3d"])).max() for hand in hands if hand["hand"] == name)
                    < 1e-4
                )


def test_sides_of_a_mirrored_image_are_noticed_and_exchanged(hands, own_data, tmp_path, capsys):
    """Sides as MediaPipe's older versions name them, with which the fingers bend backwards."""
    other = {"Left": "Right", "Right": "Left"}
    text = json.dumps(results_of(hands, own_data.images))
    for one in ("Left", "Right"):
        text = text.replace(f'"category_name": "{one}"', f'"category_name": "*{other[one]}"')
    path = tmp_path / "landmarks.json"
    path.write_text(text.replace("*", ""))
    words = [f"--images={own_data.images}", f"--joints={path}", f"--out={tmp_path / 'set'}"]
    assert main(["data", "import", *words]) == 2
    assert "--swap_hands=true" in capsys.readouterr().err
    assert main(["data", "import", *words, "--swap_hands=true"]) == 0
    check_same(read_entries(path, images=own_data.images, swap_hands=True), hands)


def first(content):
    return content[next(iter(content))]


#: The mistake, a function that changes the results in place, and words of the sentence.
MISTAKES = [
    ("pixels", lambda c: [point.update(x=500 * point["x"]) for point in first(c)["hand_landmarks"][0]],
     "are fractions of the image's width and height"),
    ("20 landmarks", lambda c: first(c)["hand_landmarks"][0].pop(), "21 points of x, y and z"),
    ("text", lambda c: first(c)["hand_landmarks"][0][3].update(x="left"), "21 points of x, y and z"),
    ("world in millimetres", lambda c: [p.update(x=1000 * p["x"]) for p in first(c)["hand_world_landmarks"][0]],
     "not x, y, z in metres"),
    ("world of another hand", lambda c: first(c)["hand_world_landmarks"].append(first(c)["hand_world_landmarks"][0]),
     "world landmarks of"),
    ("an image that is not there", lambda c: c.update({"nowhere.jpg": c.pop(next(iter(c)))}), "'nowhere.jpg'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "named"), [entry[1:] for entry in MISTAKES], ids=[entry[0] for entry in MISTAKES])
def test_mistake_is_one_sentence(change, named, hands, own_data, tmp_path):
    content = results_of(hands, own_data.images)
    change(content)
    path = written(content, tmp_path)
    with refused(named):
        read_entries(path, images=own_data.images)


def test_list_without_an_images_name_and_of_no_hand(hands, own_data, tmp_path):
    for content, named in (
        ([first(results_of(hands, own_data.images))], "'landmarks'"),
        ({"a.jpg": {"hand_landmarks": []}}, "holds no list of hands"),
    ):
        with refused(named):
            read_entries(written(content, tmp_path), images=own_data.images)
