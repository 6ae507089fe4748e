"""Every kind of damage to a data set is found, named and counted, and a correct set has none."""

import json
import shutil

import cv2
import numpy as np
import pytest

from gesturehand.cli.main import main
from gesturehand.data.check import check_data


@pytest.fixture
def root(tmp_path, synthetic_root):
    copy = tmp_path / "set"
    for folder in ("annotations", "images"):
        shutil.copytree(synthetic_root / folder / "val", copy / folder / "val")
    return copy


def kinds(root, **settings):
    return check_data(root, progress=False, **settings).counts()


def edit(root, kind, change):
    path = root / "annotations" / "val" / f"InterHand2.6M_val_{kind}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


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


def claims(png: bytes, width: int, height: int) -> bytes:
    """A PNG whose header says another size, with the checksum of a correct one."""
    import zlib

    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


#: Kind of file, what is done to it, what the check calls it.
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
    for frames in content.values():
        for fits in frames.values():
            for fit in (fits or {}).values():
                if fit:
                    fit["shape"][3] = 1e6
                    return


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
    path = root / "annotations" / "val" / "InterHand2.6M_val_camera.json"
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
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 1
    report = json.loads((tmp_path / "problems.json").read_text())
    assert report["counts"] == {"image missing": 1}
    assert report["problems"][0]["where"] in str(lost)
    assert "image missing: 1" in capsys.readouterr().out
