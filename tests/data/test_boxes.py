"""Crop boxes against their rules, one sample and one joint at a time."""

import json

import numpy as np
import pytest
from refusals import refused
from set_files import frames_of

from gesturehand.data.boxes import crop_boxes
from gesturehand.data.index import read_index
from gesturehand.data.selection import select
from gesturehand.errors import UserError


def square_by_hand(left, top, right, bottom, factor):
    """Centre and side of the square around a box, made larger by a factor."""
    side = max(right - left, bottom - top, 4)
    return np.array([(left + right) / 2, (top + bottom) / 2, side * factor])


def eanet_box(record, hands, project_point):
    """The union of each hand's tight box of valid joints × 1.25, clipped to the image, made square, × 1.25."""
    boxes = []
    for number in hands:
        hand = record["hands"][number]
        if not hand["shown"]:
            continue
        points = [
            project_point(record, joint) for joint, ok in zip(hand["joints"], hand["valid_frame"], strict=True) if ok
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            dx, dy = (max(xs) - min(xs)) * 0.125, (max(ys) - min(ys)) * 0.125
            boxes.append((min(xs) - dx, min(ys) - dy, max(xs) + dx, max(ys) + dy))
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    width, height = record["size"]
    left, right = max(left, 0), min(right, width - 1)
    top, bottom = max(top, 0), min(bottom, height - 1)
    return square_by_hand(left, top, right, bottom, 1.25)


def expected_boxes(records, selection, project_point):
    return np.array(
        [
            eanet_box(records[row], hands, project_point)
            for row, hands in zip(selection.row, selection.hand, strict=True)
        ]
    )


@pytest.mark.parametrize("layout", ["per_hand", "two_hand"])
def test_joint_boxes_are_those_of_eanet(two_hand_root, plain_records, project_point, layout):
    index = read_index(two_hand_root, "train")
    selection = select(index, hands="all", layout=layout)
    boxes = crop_boxes(index, selection, "joints")
    expected = expected_boxes(plain_records(two_hand_root, "train"), selection, project_point)
    np.testing.assert_allclose(boxes, expected, atol=2e-2)


def test_joint_boxes_of_the_real_frames(real_sample, plain_records, project_point):
    index = read_index(real_sample, "test", mano_fits=False)
    for layout in ("per_hand", "two_hand"):
        selection = select(index, hands="all", layout=layout)
        expected = expected_boxes(plain_records(real_sample, "test"), selection, project_point)
        np.testing.assert_allclose(crop_boxes(index, selection, "joints"), expected, atol=2e-2)


def test_hand_that_is_not_shown_has_no_part_in_the_box(two_hand_root, everything_flagged, plain_records, project_point):
    root = everything_flagged(two_hand_root, "train")
    index = read_index(root, "train")
    selection = select(index, layout="two_hand")
    assert index.joint_valid_frame.all()
    expected = expected_boxes(plain_records(root, "train"), selection, project_point)
    np.testing.assert_allclose(crop_boxes(index, selection, "joints"), expected, atol=2e-2)


def test_invalid_joints_and_the_images_edge_count(synthetic_root, edited_set, plain_records, project_point):
    """Half the joints are invalid, and hands are cut off by the image's edge: both change boxes."""

    def joint_3d(content):
        for frame in frames_of(content):
            frame["joint_valid"] = [1] * 4 + [0] * 16 + [1] + [1] * 4 + [0] * 16 + [1]

    def camera(content):
        for capture in content.values():
            for name, (x, y) in capture["princpt"].items():
                capture["princpt"][name] = [x - 40, y - 40]

    whole = crop_boxes(*_all(synthetic_root, "val"), "joints")
    root = edited_set(synthetic_root, "val", joint_3d=joint_3d, camera=camera)
    index, selection = _all(root, "val")
    boxes = crop_boxes(index, selection, "joints")
    np.testing.assert_allclose(boxes, expected_boxes(plain_records(root, "val"), selection, project_point), atol=2e-2)
    assert (boxes[:, 2] < whole[:, 2]).mean() > 0.9
    touching = np.abs(boxes[:, :2] - boxes[:, 2:] / 1.25 / 2).min(-1) < 1e-3
    assert touching.any(), "no box is cut by the image's left or upper edge"


def _all(root, split):
    index = read_index(root, split)
    return index, select(index, hands="all")


def test_hand_outside_the_image_keeps_a_finite_box(synthetic_root, edited_set):
    def camera(content):
        for capture in content.values():
            for name in capture["princpt"]:
                capture["princpt"][name] = [5000.0, 5000.0]

    index, selection = _all(edited_set(synthetic_root, "val", camera=camera), "val")
    boxes = crop_boxes(index, selection, "joints")
    assert np.isfinite(boxes).all()
    assert (boxes[:, :2] > 4000).all()
    assert (boxes[:, 2] > 20).all()


def test_hand_behind_the_camera_falls_back_on_the_annotated_box(synthetic_root, edited_set):
    def camera(content):
        for capture in content.values():
            for name, rotation in capture["camrot"].items():
                capture["camrot"][name] = (np.diag([-1.0, 1, -1]) @ rotation).tolist()

    index, selection = _all(edited_set(synthetic_root, "val", camera=camera), "val")
    boxes = crop_boxes(index, selection, "joints")
    x, y, w, h = index.bbox_px[selection.row].T
    expected = np.stack([x + w / 2, y + h / 2, 1.25 * np.maximum(w, h)], -1)
    inside = (
        (x > 0)
        & (y > 0)
        & (x + w < index.image_size_px[selection.row, 0])
        & (y + h < index.image_size_px[selection.row, 1])
    )
    assert inside.any()
    np.testing.assert_allclose(boxes[inside], expected[inside], atol=1e-3)
    assert np.isfinite(boxes).all()


def test_annotated_boxes_are_made_square_and_larger(two_hand_root, plain_records, project_point):
    index = read_index(two_hand_root, "train")
    records = plain_records(two_hand_root, "train")
    for layout in ("per_hand", "two_hand"):
        selection = select(index, hands="all", layout=layout)
        boxes = crop_boxes(index, selection, "annotation")
        for box, row, hands in zip(boxes, selection.row, selection.hand, strict=True):
            x, y, w, h = records[row]["bbox"]
            expected = square_by_hand(x, y, x + w, y + h, 1.25)
            if layout == "per_hand" and records[row]["hand_type"] == "interacting":
                # The annotated box holds both hands: one of them is cropped by its own joints.
                expected = eanet_box(records[row], hands, project_point)
            np.testing.assert_allclose(box, expected, atol=2e-2)


def test_degenerate_annotated_boxes_get_a_side(synthetic_root, edited_set):
    def data(content):
        content["annotations"][0]["bbox"] = [10, 20, 0, 0]
        content["annotations"][1]["bbox"] = [-50, 20, 0, 30]

    index, selection = _all(edited_set(synthetic_root, "val", data=data), "val")
    boxes = crop_boxes(index, selection, "annotation")
    np.testing.assert_allclose(boxes[0], [10, 20, 5])
    np.testing.assert_allclose(boxes[1], [-50, 35, 37.5])


@pytest.fixture
def rootnet(tmp_path):
    def write(entries):
        path = tmp_path / "rootnet.json"
        path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        return path

    return write


@pytest.mark.parametrize("layout", ["per_hand", "two_hand"])
def test_rootnets_boxes_are_taken_as_they_are(two_hand_root, plain_records, project_point, rootnet, layout):
    index = read_index(two_hand_root, "train")
    records = plain_records(two_hand_root, "train")
    rng = np.random.default_rng(0)
    published = {record["id"]: [*rng.uniform(0, 300, 2), *[rng.uniform(50, 200)] * 2] for record in records}
    entries = [{"annot_id": i, "bbox": box, "abs_depth": [1, 1]} for i, box in published.items()]
    path = rootnet(entries[::-1])
    selection = select(index, hands="all", layout=layout)
    boxes = crop_boxes(index, selection, "rootnet", path)
    for box, row, hands in zip(boxes, selection.row, selection.hand, strict=True):
        x, y, w, h = published[records[row]["id"]]
        expected = [x + w / 2, y + h / 2, w]
        if layout == "per_hand" and records[row]["hand_type"] == "interacting":
            expected = eanet_box(records[row], hands, project_point)
        np.testing.assert_allclose(box, expected, atol=2e-2)


def test_missing_rootnet_ids_are_counted_and_the_first_named(synthetic_root, rootnet):
    index, selection = _all(synthetic_root, "val")
    ids = index.annotation_id[selection.row]
    path = rootnet([{"annot_id": int(i), "bbox": [0, 0, 9, 9]} for i in ids if i not in (ids[4], ids[7])])
    with refused(
        path,
        f"no box for 2 of {len(ids)} annotations",
        f"the first: {ids[4]}, '{index.root}/images/val/{index.file_name[selection.row[4]].decode()}'",
    ):
        crop_boxes(index, selection, "rootnet", path)


@pytest.mark.parametrize(
    "content", ["[", "{}", "[1]", '[{"annot_id": 1}]', '[{"annot_id": "x", "bbox": []}]', "3", "BOX OF THREE"]
)
def test_files_other_than_rootnets_output_are_refused(synthetic_root, rootnet, content):
    index, selection = _all(synthetic_root, "val")
    if content == "BOX OF THREE":
        content = [{"annot_id": int(i), "bbox": [1, 2, 3]} for i in index.annotation_id]
    path = rootnet(content)
    with refused(path):
        crop_boxes(index, selection, "rootnet", path)


def test_rootnets_file_must_be_given_and_exist(synthetic_root, tmp_path):
    with pytest.raises(UserError, match=r"--data\.rootnet_file"):
        crop_boxes(*_all(synthetic_root, "val"), "rootnet")
    with pytest.raises(UserError, match=r"nowhere\.json"):
        crop_boxes(*_all(synthetic_root, "val"), "rootnet", tmp_path / "nowhere.json")
