"""COCO key points in the layouts of CVAT, Roboflow, COCO-WholeBody and mmpose import the same as the list."""

import json

import numpy as np
import pytest
from refusals import refused
from set_files import MMPOSE_NAMES

from gesturehand.cli.main import main
from gesturehand.data.image_file import look_at_image
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries
from gesturehand.skeleton import JOINT_NAMES


def triples(hand, visible=2):
    points = [(*point, visible) if point else (0, 0, 0) for point in hand["joints_2d"]]
    return [value for point in points for value in point]


def box(hand):
    points = np.array([point for point in hand["joints_2d"] if point])
    return [*points.min(0).tolist(), *np.ptp(points, axis=0).tolist()]


def listed(hands, folder, rename=lambda name: name):
    names = list(dict.fromkeys(hand["image"] for hand in hands))
    sizes = [look_at_image(folder / name) for name in names]
    images = [
        {"id": k + 1, "file_name": rename(name), "width": size[0], "height": size[1]}
        for k, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    return images, {name: k + 1 for k, name in enumerate(names)}


def cvat(hands, folder):
    """A category for each hand, MediaPipe's or this library's names, and attributes."""
    images, of = listed(hands, folder)
    categories = [
        {"id": k + 1, "name": f"{side}_hand", "supercategory": "", "keypoints": list(JOINT_NAMES), "skeleton": []}
        for k, side in enumerate(("left", "right"))
    ]
    annotations = [
        {
            "id": k + 1,
            "image_id": of[hand["image"]],
            "category_id": 1 if hand["hand"] == "left" else 2,
            "segmentation": [],
            "area": 1.0,
            "bbox": box(hand),
            "iscrowd": 0,
            "attributes": {"occluded": False},
            "keypoints": triples(hand),
            "num_keypoints": 21,
        }
        for k, hand in enumerate(hands)
    ]
    return {"licenses": [], "info": {}, "images": images, "annotations": annotations, "categories": categories}


def attributes(hands, folder):
    """One category, an attribute for the side, and absolute names."""
    content = cvat(hands, folder)
    content["images"], _ = listed(hands, folder, lambda name: f"C:\\Users\\me\\shots\\{name}".replace("/", "\\"))
    content["categories"] = [{"id": 7, "name": "hand", "keypoints": list(MMPOSE_NAMES), "skeleton": [[1, 2]]}]
    for hand, entry in zip(hands, content["annotations"], strict=True):
        entry |= {"category_id": 7, "attributes": {"Hand": "?", "handedness": hand["hand"].title()}}
    return content


def reversed_names(hands, folder):
    """Key points in another order, which their names tell, and URLs as image names."""
    content = cvat(hands, folder)
    content["images"], _ = listed(hands, folder, lambda name: f"https://example.org/data/{name}?token=1")
    for category in content["categories"]:
        category["keypoints"] = list(reversed(JOINT_NAMES))
    for hand, entry in zip(hands, content["annotations"], strict=True):
        entry["keypoints"] = np.array(triples(hand)).reshape(21, 3)[::-1].ravel().tolist()
    return content


def both_hands(hands, folder):
    """42 key points per annotation."""
    images, of = listed(hands, folder)
    names = [f"{side}_{name}" for side in ("left", "right") for name in JOINT_NAMES]
    annotations = []
    for image, number in of.items():
        own = {hand["hand"]: hand for hand in hands if hand["image"] == image}
        points = [triples(own[side]) if side in own else [0] * 63 for side in ("left", "right")]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": [*points[0], *points[1]]})
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "hands", "keypoints": names}],
    }


def wholebody(hands, folder):
    images, of = listed(hands, folder)
    annotations = []
    for image, number in of.items():
        own = {hand["hand"]: hand for hand in hands if hand["image"] == image}
        entry = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "keypoints": [0] * 51}
        for side in ("left", "right"):
            entry[f"{side}hand_valid"] = side in own
            entry[f"{side}hand_kpts"] = triples(own[side], 1.0) if side in own else [0.0] * 63
            entry[f"{side}hand_box"] = box(own[side]) if side in own else [0.0] * 4
        annotations.append(entry)
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": ["nose"]}],
    }


LAYOUTS = {f.__name__: f for f in (cvat, attributes, reversed_names, both_hands, wholebody)}


def entries_of(content, own_data, tmp_path, **settings):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    return read_entries(path, images=own_data.images, **settings)


def key(entry):
    return entry.image, entry.side


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_says_the_same_as_the_list(layout, own_data, tmp_path):
    hands = own_data.hands[:12]
    entries = entries_of(layout(hands, own_data.images), own_data, tmp_path)
    assert len(entries) == len(hands)
    for entry, hand in zip(sorted(entries, key=key), sorted(hands, key=lambda h: (h["image"], h["hand"])), strict=True):
        assert key(entry) == (hand["image"], hand["hand"])
        wanted = np.array([point or [np.nan, np.nan] for point in hand["joints_2d"]])
        np.testing.assert_allclose(entry.joints_2d, wanted)


def test_mmpose_joints_in_the_camera_are_millimetres(own_data, tmp_path):
    hands = [hand for hand in own_data.hands if None not in hand["joints_2d"]][:4]
    content = attributes(hands, own_data.images)
    fx, fy, cx, cy = hands[0]["intrinsics"]
    for image in content["images"]:
        image["cam_param"] = {"focal": [fx, fy], "princpt": [cx, cy]}
    for hand, entry in zip(hands, content["annotations"], strict=True):
        entry |= {
            "joint_cam": (np.array(hand["joints_3d"]) * 1000).tolist(),
            "attributes": {},
            "hand_type": hand["hand"],
        }
        entry["keypoints"] = np.array(entry["keypoints"]).reshape(21, 3).tolist()  # RHD's are nested
    entries = entries_of(content, own_data, tmp_path)
    for entry, hand in zip(entries, hands, strict=True):
        np.testing.assert_allclose(entry.joints_3d, hand["joints_3d"])
        assert entry.intrinsics == pytest.approx((fx, fy, cx, cy))


def test_it_is_imported_by_the_command(own_data, tmp_path, capsys):
    path = tmp_path / "cvat.json"
    path.write_text(json.dumps(cvat(own_data.hands, own_data.images)))
    words = [f"--images={own_data.images}", f"--joints={path}", f"--out={tmp_path / 'set'}"]
    assert main(["data", "import", *words]) == 0
    assert f"{len(own_data.hands)} with 2D joints only" in capsys.readouterr().out


def test_several_people_in_an_image_are_separate_annotations(own_data, tmp_path):
    first, second = own_data.hands[0], own_data.hands[1]
    content = cvat(
        [first, {**second, "image": first["image"], "hand": first["hand"]}, *own_data.hands[2:6]], own_data.images
    )
    written = convert(entries_of(content, own_data, tmp_path), own_data.images, tmp_path / "set")
    data = [
        json.loads((tmp_path / "set" / "annotations" / split / f"InterHand2.6M_{split}_data.json").read_text())
        for split in written.images
    ]
    kinds = [entry["hand_type"] for part in data for entry in part["annotations"]]
    assert len(kinds) == len({(hand["image"]) for hand in own_data.hands[2:6]} | {"a", "b"})
    assert sum(written.images.values()) == len({hand["image"] for hand in (first, *own_data.hands[2:6])})


#: The mistake, a function that changes the content in place, and words of the sentence.
MISTAKES = [
    ("no side", lambda c: [kind.update(name="hand") for kind in c["categories"]], "say right or left, or --hand"),
    ("17 key points", lambda c: c["annotations"][1].update(keypoints=[1, 2, 2] * 17), "has 17 key points where 21"),
    ("pairs in a row", lambda c: c["annotations"][1].update(keypoints=[1, 2] * 22), "not x, y, v"),
    ("text", lambda c: c["annotations"][1].update(keypoints="1 2 3"), "does not fit COCO's layout"),
    ("an image that is not listed", lambda c: c["annotations"][1].update(image_id=999), "999, which is not listed"),
    ("an image that is not there", lambda c: c["images"][0].update(file_name="other/000.bmp"),
     "give the folder with the annotated images"),
    ("images made smaller", lambda c: c["images"][0].update(width=640, height=640), "and not 640 x 640 as announced"),
    ("key points of bodies", lambda c: c["categories"][0]["keypoints"].__setitem__(0, "nose"), "a key point 'nose'"),
    ("boxes only", lambda c: c.update(annotations=[{"id": 1, "image_id": 1, "bbox": [1, 2, 3, 4]}]), "no annotation"),
    ("a hand twice", lambda c: c.update(annotations=c["annotations"][:1] * 2), "twice"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "named"), [entry[1:] for entry in MISTAKES], ids=[entry[0] for entry in MISTAKES])
def test_mistake_is_one_sentence(change, named, own_data, tmp_path):
    content = cvat(own_data.hands[:6], own_data.images)
    change(content)
    with refused(named):
        convert(entries_of(content, own_data, tmp_path), own_data.images, tmp_path / "set")
    assert not (tmp_path / "set").exists()
