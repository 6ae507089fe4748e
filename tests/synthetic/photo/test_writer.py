"""The photo-like set through its writer: bytes, resuming, and the set in the loader and the check."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from set_files import contents

from gesturehand.data.check import check_data
from gesturehand.data.index import read_index
from gesturehand.errors import UserError
from gesturehand.synthetic.photo.plan import PhotoSettings
from gesturehand.synthetic.photo.writer import write_photo_set

TINY = PhotoSettings(subjects=(2, 1, 1), frames=(40, 4, 8), image_px=96, gestures=("fist", "cup"))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs, each of one colour, which identifies it in every piece."""
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.full((80, 120, 3), 20 * number, np.uint8))
    return folder


@pytest.fixture(scope="module")
def photo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photo") / "set"
    write_photo_set(root, TINY, processes=1, progress=False)
    return root


def test_a_seed_gives_the_same_bytes_whatever_the_number_of_processes(photo_root, tmp_path):
    write_photo_set(tmp_path / "two", TINY, processes=2, progress=False)
    assert len(contents(photo_root)) == 2 * 52 + 3 * 4 + 1
    assert contents(photo_root) == contents(tmp_path / "two")
    write_photo_set(tmp_path / "other", replace(TINY, frames=(4, 0, 0), seed=1), processes=1, progress=False)
    other = contents(tmp_path / "other")
    assert not {path for path in other if path.endswith(".jpg")} <= contents(photo_root).keys() or (
        other.items() - contents(photo_root).items()
    )


def test_a_killed_run_is_continued(photo_root, tmp_path):
    target = tmp_path / "set"
    code = (
        "from gesturehand.synthetic.photo.plan import PhotoSettings\n"
        "from gesturehand.synthetic.photo.writer import write_photo_set\n"
        f"write_photo_set({str(target)!r}, {TINY!r}, processes=1, progress=False)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        while len(list((tmp_path / ".set.progress").glob("chunk*.json"))) < 1:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    assert not target.exists()
    written = write_photo_set(target, TINY, processes=1, progress=False)
    assert 16 <= written.resumed < 52
    assert contents(target) == contents(photo_root)


def test_the_loader_and_the_check_take_it(photo_root):
    assert check_data(photo_root, mano_fits=True).problems == []
    for split, count in (("train", 40), ("val", 4), ("test", 8)):
        index = read_index(photo_root, split)
        assert len(index) == count
        assert index.mano_valid.any()


def test_masks_lie_on_the_joints_and_leave_out_objects_that_hide_the_hand(photo_root):
    split = photo_root / "annotations" / "train"
    data = json.loads((split / "InterHand2.6M_train_data.json").read_text())
    on, levels = [], set()
    for image, annotation in zip(data["images"], data["annotations"], strict=True):
        mask = cv2.imread(
            str((photo_root / "masks/train" / image["file_name"]).with_suffix(".png")), cv2.IMREAD_GRAYSCALE
        )
        assert mask.shape == (96, 96)
        levels |= set(np.unique(mask).tolist())
        x, y, width, height = (round(value) for value in annotation["bbox"])
        on.append((mask[y : y + height + 1, x : x + width + 1] > 0).sum() / max((mask > 0).sum(), 1))
    assert levels == {0, 128, 255}
    assert np.mean(on) > 0.9


def test_the_card_tells_licences_and_shares(photo_root, photographs, tmp_path):
    card = (photo_root / "README.md").read_text()
    assert "CC0" in card
    assert "| train | 2 | 40 |" in card
    assert "| cast shadow |" in card
    settings = replace(TINY, frames=(2, 0, 0), backgrounds=str(photographs), backgrounds_licence="by me,\nfor all")
    write_photo_set(tmp_path / "set", settings, processes=1, progress=False)
    card = (tmp_path / "set" / "README.md").read_text()
    assert "12 photographs, under these terms: by me, for all" in card
    assert str(photographs) not in card


def test_other_photographs_are_other_settings(photographs, tmp_path):
    same = tmp_path / "same"
    same.mkdir()
    for path in photographs.iterdir():
        (same / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in photographs.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    cv2.imwrite(str(changed / "05.png"), np.zeros((80, 120, 3), np.uint8))
    as_json = [
        replace(TINY, backgrounds=str(folder), backgrounds_licence="mine").as_json()
        for folder in (photographs, same, changed)
    ]
    assert as_json[0] == as_json[1] != as_json[2]


def test_wrong_arguments_write_nothing(photographs, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "small").mkdir()
    cv2.imwrite(str(tmp_path / "small" / "a.png"), np.zeros((20, 120, 3), np.uint8))
    for changes, message in (
        ({"image_px": 4}, "image_px"),
        ({"solid_share": 1.5}, "solid_share"),
        ({"two_hand_share": 0.7, "rom_share": 0.7}, "together"),
        ({"gestures": ("fits",)}, "did you mean 'fist'"),
        ({"backgrounds": str(tmp_path / "none"), "backgrounds_licence": "x"}, "not a folder"),
        ({"backgrounds": str(tmp_path / "empty"), "backgrounds_licence": "x"}, "no photograph"),
        ({"backgrounds": str(tmp_path / "broken"), "backgrounds_licence": "x"}, "a.jpg"),
        ({"backgrounds": str(tmp_path / "small"), "backgrounds_licence": "x"}, "smaller than"),
        ({"backgrounds": str(photographs)}, "backgrounds_licence"),
        ({"backgrounds_licence": "x"}, "backgrounds"),
    ):
        with pytest.raises(UserError, match=message):
            replace(TINY, **changes)
    with pytest.raises(UserError, match="processes"):
        write_photo_set(tmp_path / "set", TINY, processes=0)
    assert not (tmp_path / "set").exists()
