"""File names that are put together against those of the JSON."""

import json
import unicodedata

import numpy as np
import pytest

from gesturehand.data.index import read_index
from gesturehand.data.selection import select


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


@pytest.mark.fault(
    kind="image's name spelled another way",
    variant="a list of images (data.train_subset) with backslashes, ./ and NFD",
    outcome="the rows are found; what is not there is named as it was written",
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
