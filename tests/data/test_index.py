"""The index's arrays against a slow, plain reading of the JSON files."""

import json
import unicodedata

import numpy as np
import pytest
from faults import fault
from refusals import refused
from set_files import fits_of, frames_of

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.index import read_index
from gesturehand.data.selection import select
from gesturehand.gestures import gesture_of_sequence

MASKS = {"right": 1, "left": 2, "interacting": 3}


def names_of(root, split="val"):
    content = json.loads((root / f"annotations/{split}/InterHand2.6M_{split}_data.json").read_text())
    by_id = {image["id"]: image["file_name"] for image in content["images"]}
    return [by_id[annotation["image_id"]] for annotation in content["annotations"]]


@pytest.fixture(params=["usual", "some other", "all other"])
def root(request, synthetic_root, edited_set):
    def data(content):
        for number, image in enumerate(content["images"]):
            if request.param == "all other" or (request.param == "some other" and number % 3 == 1):
                image["file_name"] = f"elsewhere/ü {number}.png"

    return edited_set(synthetic_root, "val", data=data)


def test_names_are_the_files(root):
    index, expected = read_index(root, "val"), names_of(root)
    assert [index.file_name[row].decode() for row in range(len(index))] == expected
    assert [name.decode() for name in index.file_name] == expected
    assert [name.decode() for name in index.file_name[np.array([3, 1])]] == [expected[3], expected[1]]
    assert index.file_name[-1].decode() == expected[-1]


def test_names_are_found(root):
    index, expected = read_index(root, "val"), names_of(root)
    wanted = {expected[2], expected[4], expected[7], "Capture1/none/cam1/image1.jpg", "x"}
    chosen, unknown = index.file_name.find(wanted)
    assert chosen.tolist() == [name in wanted for name in expected]
    assert unknown == wanted - set(expected)
    assert unknown


@fault(
    "image's name spelled another way",
    "a list of images (data.train_subset) with backslashes, ./ and NFD",
    "the rows are found, and missing names are quoted as they were written",
)
def test_names_are_found_however_they_are_spelled(root):
    index, expected = read_index(root, "val"), names_of(root)
    wanted = {
        expected[1].replace("/", "\\"),
        f"./{expected[2]}",
        unicodedata.normalize("NFD", expected[4]),
        "Capture1\\none",
    }
    chosen, unknown = index.file_name.find(wanted)
    assert chosen.tolist() == [name in (expected[1], expected[2], expected[4]) for name in expected]
    assert unknown == {"Capture1\\none"}


def test_usual_names_cost_nothing(synthetic_root, edited_set):
    usual = read_index(synthetic_root, "val").path.stat().st_size
    root = edited_set(
        synthetic_root, "val", data=lambda content: [i.update(file_name=f"a{i['id']}.jpg") for i in content["images"]]
    )
    other = read_index(root, "val").path.stat().st_size
    assert other - usual > 10 * len(names_of(root))


def test_name_with_another_captures_camera_is_another_name(two_hand_root):
    index = read_index(two_hand_root, "train")
    name = index.file_name[0].decode()
    capture = next(c.decode() for c in np.unique(index.capture) if not name.startswith(f"Capture{c.decode()}/"))
    other = f"Capture{capture}/" + name.split("/", 1)[1]
    if other in names_of(two_hand_root, "train"):
        pytest.skip("both captures have this frame")
    chosen, unknown = index.file_name.find({other})
    assert not chosen.any()
    assert unknown == {other}
    assert len(select(index, hands="all"))


def assert_is(index, records) -> None:
    """Asserts that every array of the index agrees with the records."""
    assert len(index) == len(records)
    for row, record in enumerate(records):
        frame, camera = index.frame[row], index.camera[row]
        assert index.file_name[row].decode() == record["file_name"]
        assert index.annotation_id[row] == record["id"]
        assert tuple(index.image_size_px[row]) == record["size"]
        np.testing.assert_allclose(index.bbox_px[row], record["bbox"], rtol=1e-6)
        assert index.hand_type[row] == MASKS[record["hand_type"]]
        assert tuple(index.gesture[row]) == gesture_of_sequence(record["seq_name"])
        assert index.subject[row] == record["subject"]
        np.testing.assert_allclose(index.intrinsics[camera], record["intrinsics"], rtol=1e-6)
        np.testing.assert_allclose(index.camera_rotation[camera], record["rotation"], rtol=1e-6)
        position = -index.camera_rotation[camera].T @ index.camera_translation[camera]
        np.testing.assert_allclose(position, record["position"], atol=1e-6)
        for hand, expected in enumerate(record["hands"]):
            valid = expected["valid_frame"]
            assert np.array_equal(index.joint_valid_image[row, hand], expected["valid_image"])
            assert np.array_equal(index.joint_valid_frame[frame, hand], valid)
            joints = index.joints_world[frame, hand]
            np.testing.assert_allclose(joints[valid], expected["joints"][valid], atol=1e-6)
            assert not joints[~valid].any()
            fit = expected["fit"]
            assert index.mano_valid[frame, hand] == (fit is not None)
            for array, key in ((index.mano_pose, "pose"), (index.mano_betas, "shape"), (index.mano_trans, "trans")):
                np.testing.assert_allclose(array[frame, hand], fit[key] if fit else 0, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_index_of_the_synthetic_set(synthetic_root, plain_records, split):
    assert_is(read_index(synthetic_root, split), plain_records(synthetic_root, split))


def test_index_of_two_hands_and_unlabelled_sequences(two_hand_root, plain_records):
    index = read_index(two_hand_root, "train")
    assert_is(index, plain_records(two_hand_root, "train"))
    assert set(index.hand_type) == {1, 2, 3}
    assert (index.gesture[index.hand_type == 3] == -1).all()


def test_index_of_the_real_frames(real_sample, plain_records):
    index = read_index(real_sample, "test", mano_fits=False)
    assert_is(index, plain_records(real_sample, "test"))
    assert sorted(index.hand_type) == [1, 2, 3, 3]
    # A hand in front of its camera, a metre or so away: lengths are metres.
    depth = index.joints_world[index.frame] @ index.camera_rotation[index.camera][:, None, 2, :, None]
    depth = depth[..., 0] + index.camera_translation[index.camera][:, None, None, 2]
    shown = index.joint_valid_frame[index.frame]
    assert (depth[shown] > 0.5).all()
    assert (depth[shown] < 2).all()


def test_views_of_one_captured_frame_share_its_row(synthetic_root):
    index = read_index(synthetic_root, "train")
    assert len(index) == 2 * len(index.joints_world)
    assert (np.bincount(index.frame) == 2).all()


def test_each_validity_flag_comes_from_its_own_file(synthetic_root, edited_set, plain_records):
    rng = np.random.default_rng(0)
    in_image, in_frame = rng.random((2, 42)) < 0.5

    def data(content):
        content["annotations"][3]["joint_valid"] = in_image.astype(int).tolist()

    def joint_3d(content):
        for frame in frames_of(content):
            frame["joint_valid"] = in_frame.astype(int).tolist()

    root = edited_set(synthetic_root, "val", data=data, joint_3d=joint_3d)
    index = read_index(root, "val")
    assert_is(index, plain_records(root, "val"))
    assert not np.array_equal(index.joint_valid_image[3], index.joint_valid_frame[index.frame[3]])


@pytest.mark.parametrize("form", ["flat", "nested", "boolean", "nested boolean"])
def test_joint_valid_in_every_form(synthetic_root, edited_set, plain_records, form):
    def rewrite(flags):
        plain = [flag[0] if isinstance(flag, list) else flag for flag in flags]
        plain = [bool(flag) if "boolean" in form else int(flag) for flag in plain]
        return [[flag] for flag in plain] if "nested" in form else plain

    def data(content):
        for annotation in content["annotations"]:
            annotation["joint_valid"] = rewrite(annotation["joint_valid"])

    def joint_3d(content):
        for frame in frames_of(content):
            frame["joint_valid"] = rewrite(frame["joint_valid"])

    root = edited_set(synthetic_root, "val", data=data, joint_3d=joint_3d)
    assert_is(read_index(root, "val"), plain_records(synthetic_root, "val"))


def test_fits_that_are_null_or_missing_altogether(two_hand_root, edited_set, plain_records):
    removed = []

    def mano(content):
        capture = next(iter(content))
        frames = content[capture]
        names = list(frames)
        two_hands = next(name for name in names if all(frames[name].get(side) for side in ("right", "left")))
        frames[two_hands]["left"] = None
        one = next(name for name in names if name != two_hands and any(frames[name].values()))
        side = next(side for side, fit in frames[one].items() if fit)
        del frames[one][side]
        frames[next(name for name in names if name not in (two_hands, one))] = None
        del frames[next(name for name in names[::-1] if name not in (two_hands, one))]
        removed.extend(list(content)[1:])
        for other in removed:
            del content[other]

    root = edited_set(two_hand_root, "train", MANO_NeuralAnnot=mano)
    assert removed, "the set has one capture only"
    records = plain_records(root, "train")
    index = read_index(root, "train")
    assert_is(index, records)
    assert index.mano_valid.any()
    assert not index.mano_valid.all(-1).all()


def test_positions_of_invalid_joints_are_zero_even_if_they_are_not_numbers(synthetic_root, edited_set):
    def joint_3d(content):
        for frame in frames_of(content):
            frame["joint_valid"] = [0] + [1] * 41
            frame["world_coord"][0] = [float("nan")] * 3

    root = edited_set(synthetic_root, "val", joint_3d=joint_3d)
    index = read_index(root, "val")
    assert np.isfinite(index.joints_world).all()
    assert not index.joints_world[:, 0, 4].any(), "InterHand2.6M's first joint is the right thumb's tip"


def test_no_annotations_give_an_empty_index(synthetic_root, edited_set):
    root = edited_set(synthetic_root, "val", data=lambda content: content.update(annotations=[]))
    index = read_index(root, "val")
    assert len(index) == 0
    assert index.joint_valid_image.shape == (0, 2, 21)
    assert index.joints_world.shape == (0, 2, 21, 3)


def test_depth_is_known_unless_the_frames_entry_says_no(synthetic_root, edited_set):
    assert read_index(synthetic_root, "val").depth_known.all()

    def joint_3d(content):
        for frames in content.values():
            for number, frame in enumerate(frames.values()):
                if number % 2:
                    frame["depth_known"] = number % 4 == 1

    root = edited_set(synthetic_root, "val", joint_3d=joint_3d)
    index = read_index(root, "val")
    content = json.loads((root / "annotations/val/InterHand2.6M_val_joint_3d.json").read_text())
    expected = [frame.get("depth_known", True) for frames in content.values() for frame in frames.values()]
    assert not all(expected)
    # The frames of this set are listed in the order in which images refer to them.
    assert index.depth_known.tolist() == expected
    data = InterHandDataModule(str(root), image_size=8, num_workers=0, read_images=False).dataset("val")
    for number in range(len(data)):
        assert data[number]["depth_known"] == expected[index.frame[data.selection.row[number]]]


def drop_frame(content):
    frames = next(iter(content.values()))
    del frames[next(iter(frames))]


def drop_camera(content):
    for table in next(iter(content.values())).values():
        table.clear()


@pytest.mark.parametrize(
    ("kind", "edit", "says"),
    [
        ("joint_3d", drop_frame, "InterHand2.6M_val_joint_3d.json"),
        ("joint_3d", dict.clear, "InterHand2.6M_val_joint_3d.json"),
        ("camera", drop_camera, "InterHand2.6M_val_camera.json"),
        ("camera", dict.clear, "InterHand2.6M_val_camera.json"),
        ("data", lambda content: content["images"].pop(), "InterHand2.6M_val_data.json"),
        ("data", lambda content: content.pop("annotations"), "annotations"),
        ("data", lambda content: content["annotations"][0].pop("bbox"), "bbox"),
        ("data", lambda content: content["annotations"][0].update(bbox=[1, 2, 3]), "annotations/val"),
        ("data", lambda content: content["annotations"][0].update(joint_valid=[1] * 21), "annotations/val"),
        ("data", lambda content: content["annotations"][0].update(hand_type="both"), "both"),
        ("MANO_NeuralAnnot", lambda content: [fit["pose"].pop() for fit in fits_of(content)], "annotations/val"),
        ("MANO_NeuralAnnot", lambda content: next(iter(content.values())).update({"1": 2}), None),
    ],
)
def test_files_that_do_not_fit_together_are_named(synthetic_root, edited_set, kind, edit, says):
    root = edited_set(synthetic_root, "val", **{kind: edit})
    if says is None:
        read_index(root, "val")  # entries to which no image refers are not examined
        return
    with refused(says, root):
        read_index(root, "val")


def test_index_holds_no_python_objects(synthetic_root):
    """Arrays are shared with worker processes; objects would be copied to each of them."""
    index = read_index(synthetic_root, "val")
    columns = {name: value for name, value in vars(index).items() if isinstance(value, np.ndarray)}
    assert len(columns) > 15
    for name, value in columns.items():
        assert value.dtype != object, name
        assert not value.flags.owndata, f"{name} is a copy and not the file's page"
        assert not value.flags.writeable, name
    assert index.split == "val"
