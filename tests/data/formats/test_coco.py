"""COCO-style sets in their authors' layouts, written from the synthetic frames and read in place."""

import json
import shutil

import numpy as np
import pytest
import torch
from refusals import refused
from set_files import MMPOSE_NAMES, edit_json, true_hands

from gesturehand.camera import project
from gesturehand.data.check import check_data
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.index import read_index
from gesturehand.errors import UserError
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets

CATEGORY = {"supercategory": "hand", "id": 1, "name": "hand", "keypoints": list(MMPOSE_NAMES), "skeleton": []}
#: RHD's files have each finger's tip first, whatever their names say.
TIPS_FIRST = [0, *(4 * finger + k for finger in range(5) for k in (4, 3, 2, 1))]


@pytest.fixture(scope="module")
def hands(two_hand_root):
    return true_hands(two_hand_root, "train")


def written(root, file, hands, folder, annotation, *, image=lambda hand: {}, name="{k}.jpg", **extra):
    """Images in their folder, and a file with one annotation for each hand."""
    listed, annotations = [], []
    for k, hand in enumerate(hands):
        file_name = name.format(k=k, letter=hand.side[0])
        path = root / folder / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(hand.source, path)
        width, height = hand.size
        listed.append({"file_name": file_name, "height": height, "width": width, "id": k, **image(hand)})
        annotations.append({"id": 10 * k, "image_id": k, "category_id": 1, "iscrowd": 0, **annotation(hand)})
    content = {"images": listed, "annotations": annotations, "categories": [CATEGORY], **extra}
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(json.dumps(content))
    return root


def onehand10k(root, hands):
    return written(
        root,
        "annotations/onehand10k_train.json",
        hands,
        "",
        lambda hand: {"bbox": hand.box, "keypoints": hand.triples.ravel().tolist(), "area": 1},
        name="Train/source/{k}.jpg",
        info={"description": "OneHand10K"},
        licenses="",
    )


def panoptic(root, hands):
    return written(
        root,
        "annotations/panoptic_train.json",
        hands,
        "hand_labels/manual_train",
        lambda hand: {"bbox": hand.box, "head_size": 140.0, "keypoints": hand.triples.ravel().tolist()},
        name="00588{k}_01_{letter}.jpg",
        info={"description": "panoptic"},
    )


def rhd(root, hands):
    def annotation(hand):
        return {
            "bbox": hand.box,
            "keypoints": hand.triples[TIPS_FIRST].tolist(),
            "joint_cam": [(hand.joints[k] * 1000).tolist() if hand.valid[k] else [None] * 3 for k in TIPS_FIRST],
            "hand_type": hand.side,
        }

    def image(hand):
        k = hand.intrinsics
        return {"cam_param": {"focal": [k[0, 0], k[1, 1]], "princpt": [k[0, 2], k[1, 2]]}}

    return written(
        root,
        "annotations/rhd_train.json",
        hands,
        "",
        annotation,
        image=image,
        name="training/color/{k:05d}.png",
        info={"description": "RHD"},
    )


def wholebody(root, hands):
    def annotation(hand):
        entry = {"keypoints": [0] * 51, "bbox": [0, 0, 9, 9], "segmentation": [[1, 2, 3, 4]], "face_kpts": [0.0] * 204}
        for side in ("left", "right"):
            own = side == hand.side
            entry[f"{side}hand_valid"] = own
            entry[f"{side}hand_kpts"] = hand.triples.ravel().tolist() if own else [0.0] * 63
            entry[f"{side}hand_box"] = hand.box if own else [0.0] * 4
        return entry

    person = {"supercategory": "person", "id": 1, "name": "person", "keypoints": ["nose", "left_eye"], "skeleton": []}
    written(
        root,
        "annotations/coco_wholebody_train_v1.0.json",
        hands,
        "train2017",
        annotation,
        name="{k:012d}.jpg",
        info={"description": "COCO-WholeBody"},
        categories=[person],
    )
    # COCO's own files lie beside it.
    (root / "annotations" / "person_keypoints_train2017.json").write_text(
        '{"images": [], "annotations": [], "keypoints": 1}'
    )
    (root / "annotations" / "captions_train2017.json").write_text('{"images": [], "annotations": []}')
    return root


LAYOUTS = {f.__name__: f for f in (onehand10k, panoptic, rhd, wholebody)}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_read_as_it_was_written(layout, hands, tmp_path):
    with pytest.warns(UserWarning, match="right or left") if layout is onehand10k else nothing():
        index = read_index(layout(tmp_path, hands), "train")
    assert index.set_format.name == "coco"
    assert len(index) == len(hands)
    for row, hand in enumerate(hands):
        side = "right" if layout is onehand10k else hand.side
        place = ("right", "left").index(side)
        assert index.hand_type[row] == 1 + place
        assert index.image_file(row).read_bytes() == hand.source.read_bytes()
        assert tuple(index.image_size_px[row]) == hand.size
        np.testing.assert_allclose(index.bbox_px[row], hand.box, atol=1e-3)
        frame = index.frame[row]
        valid = np.asarray(index.joint_valid_frame[frame])
        assert not valid[1 - place].any()
        np.testing.assert_array_equal(valid[place], hand.valid)
        joints = index.joints_world[frame, place].astype(np.float64)
        pixels = project(joints, index.intrinsics[index.camera[row]].astype(np.float64))
        np.testing.assert_allclose(pixels[hand.valid], hand.pixels[hand.valid], atol=1e-2)
        assert index.depth_known[frame] == (layout is rhd)
        if layout is rhd:
            np.testing.assert_allclose(joints[hand.valid], hand.joints[hand.valid], atol=1e-6)


class nothing:
    """A context in which no error is expected."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


@pytest.mark.filterwarnings("ignore:.*right or left")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_batches_have_what_the_set_knows(layout, hands, tmp_path):
    data = InterHandDataModule(
        str(layout(tmp_path, hands)), image_size=32, num_workers=0, augment=False, test_split="train", hands="all"
    )
    dataset = data.dataset("test")
    targets = build_targets(dataset.__getitems__(range(len(dataset))), HandModel())
    assert len(dataset) == len(hands)
    assert targets["joint_valid_2d"].any((1, 2)).all()
    assert targets["joint_valid_3d"].any() == (layout is rhd)
    assert not targets["mano_valid"].any()
    assert torch.isfinite(targets["joints_2d"]).all()


@pytest.mark.filterwarnings("ignore:.*right or left")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_check_finds_nothing_wrong(layout, hands, tmp_path):
    assert check_data(layout(tmp_path, hands), progress=False).problems == []


def test_few_hands_of_rhd_are_recognised_by_their_name(hands, tmp_path):
    flat = rhd(tmp_path, hands[:3])
    path = flat / "annotations" / "rhd_train.json"
    edit_json(path, lambda content: [entry.pop("joint_cam") for entry in content["annotations"]])
    index = read_index(flat, "train")
    for row, hand in enumerate(hands[:3]):
        place = ("right", "left").index(hand.side)
        pixels = project(
            index.joints_world[row, place].astype(float), index.intrinsics[index.camera[row]].astype(float)
        )
        np.testing.assert_allclose(pixels[hand.valid], hand.pixels[hand.valid], atol=1e-2)


def test_freihand_of_mmpose_is_of_right_hands(hands, tmp_path):
    path = onehand10k(tmp_path, hands) / "annotations" / "onehand10k_train.json"
    path.write_text(path.read_text().replace("OneHand10K", "FreiHand"))
    assert set(read_index(tmp_path, "train").hand_type.tolist()) == {1}


def test_splits_are_in_the_files_names(hands, tmp_path):
    root = panoptic(tmp_path, hands)
    folder = root / "annotations"
    for split in ("val", "test"):
        shutil.copyfile(folder / "panoptic_train.json", folder / f"panoptic_{split}.json")
    known = read_index(root, "val").set_format
    assert known.splits(root) == ["train", "val", "test"]
    shutil.copyfile(folder / "panoptic_train.json", folder / "more_train.json")
    assert known.splits(root) == ["val", "test", "more_train", "panoptic_train"]
    assert len(read_index(root, "more_train")) == len(hands)


def test_images_that_come_after_the_annotations_are_found(hands, tmp_path):
    root = wholebody(tmp_path, hands)
    (root / "train2017").rename(tmp_path.parent / f"{tmp_path.name}_images")
    assert not read_index(root, "train").image_file(0).exists()
    (tmp_path.parent / f"{tmp_path.name}_images").rename(root / "train2017")
    assert read_index(root, "train").image_file(0).exists()


MISTAKES = [
    ("half a download", lambda p: p.write_bytes(p.read_bytes()[: -len(p.read_bytes()) // 4]), "is not valid JSON"),
    ("text for key points", lambda p: edit_json(p, lambda c: c["annotations"][2].update(keypoints="x")),
     ".annotations[2]"),
    ("17 key points", lambda p: edit_json(p, lambda c: c["annotations"][2].update(keypoints=[1.0] * 51)),
     "has 17 key points"),
    ("an image that is not listed", lambda p: edit_json(p, lambda c: c["images"].pop()), "is not listed"),
    ("no size", lambda p: edit_json(p, lambda c: c["images"][0].pop("width")), "without width and height"),
    ("no labelled hand", lambda p: edit_json(p, lambda c: c.update(annotations=[])), "no hand with a labelled joint"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "named"), [entry[1:] for entry in MISTAKES], ids=[entry[0] for entry in MISTAKES])
def test_mistake_is_one_sentence(change, named, hands, tmp_path):
    path = panoptic(tmp_path, hands) / "annotations" / "panoptic_train.json"
    change(path)
    with refused(named):
        read_index(tmp_path, "train", set_format="coco")


def test_wrong_folder_and_missing_split_are_one_sentence(hands, tmp_path):
    root = panoptic(tmp_path / "sets" / "panoptic", hands)
    with pytest.raises(UserError, match=r"did you mean .*sets/panoptic"):
        read_index(tmp_path / "sets", "train")
    with pytest.raises(UserError, match="no split 'val' of COCO-style key points: there are train"):
        read_index(root, "val")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="hold no COCO-style"):
        read_index(tmp_path / "empty", "train", set_format="coco")
