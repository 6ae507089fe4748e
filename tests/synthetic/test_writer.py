import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from set_files import contents

from gesturehand.data.files import image_path
from gesturehand.data.index import read_index
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import EANET_TIP_VERTICES, JOINTS_FROM_MANO_AND_TIPS, SIDES
from gesturehand.synthetic import writer
from gesturehand.synthetic.set_writer import GrowingSet, mask_path
from gesturehand.synthetic.writer import write_synthetic_set

TINY: dict[str, Any] = {
    "subjects": (2, 1, 1),
    "frames": (8, 2, 2),
    "gestures": ("fist", "cup"),
    "without_fit_share": 0.2,
    "processes": 1,
    "progress": False,
}


def test_a_seed_gives_the_same_bytes_whatever_the_number_of_processes(tmp_path):
    # More frames than one process takes at a time, so that both work.
    options = TINY | {"frames": (36, 2, 2), "two_hand_share": 0.2}
    for processes in (1, 2):
        write_synthetic_set(tmp_path / str(processes), **(options | {"processes": processes}))
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert len(one) == 2 * 40 + 3 * 4 + 1
    assert one == two
    write_synthetic_set(tmp_path / "other", **(options | {"seed": 1}))
    other = contents(tmp_path / "other")
    assert other.keys() != one.keys() or other != one


def test_it_reports_what_it_wrote_and_so_does_the_card(tmp_path):
    written = write_synthetic_set(tmp_path / "set", **(TINY | {"views": 2}))
    assert written.frames == {"train": 8, "val": 2, "test": 2}
    assert written.images == {"train": 16, "val": 4, "test": 4}
    assert len(list((tmp_path / "set" / "images").rglob("*.jpg"))) == 24
    assert len(list((tmp_path / "set" / "masks").rglob("*.png"))) == 24
    card = (tmp_path / "set" / "README.md").read_text()
    assert "CC0" in card
    assert "| train | 2 |" in card
    assert "| fist | 4 | 1 | 1 |" in card


def test_the_real_loader_reads_it(synthetic_root, two_hand_root):
    for root in (synthetic_root, two_hand_root):
        for split in ("train", "val", "test"):
            index = read_index(root, split)
            assert (index.joint_valid_frame[index.frame] != index.joint_valid_image).any() or split != "train"
            assert index.mano_valid.any()
    assert len(read_index(synthetic_root, "train")) == 128


def test_a_split_without_frames_is_left_out(tmp_path):
    write_synthetic_set(tmp_path / "set", **(TINY | {"frames": (4, 0, 2)}))
    assert sorted(path.name for path in (tmp_path / "set" / "annotations").iterdir()) == ["test", "train"]


@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_run_leaves_an_old_set_as_it_was_and_is_continued(tmp_path, monkeypatch, existing):
    options = TINY | {"frames": (40, 2, 2), "seed": 3}
    target, whole = tmp_path / "set", tmp_path / "whole" / "set"
    write_synthetic_set(whole, **options)
    if existing:
        write_synthetic_set(target, **TINY)
    before = contents(target)
    original, calls = writer.write_frame, []

    def interrupted(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 36:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    monkeypatch.setattr(writer, "write_frame", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_set(target, **(options | {"overwrite": existing}))
    assert contents(target) == before
    assert target.exists() == existing
    # A half-finished set does not load.
    with pytest.raises(UserError, match="annotations"):
        read_index(tmp_path / ".set.partial", "train")

    written = write_synthetic_set(target, **(options | {"overwrite": existing}))
    assert written.resumed == 32
    assert len(calls) == 36 + 44 - 32
    assert contents(target) == contents(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "whole"]


def test_remains_of_other_settings_are_refused_unless_told(tmp_path, monkeypatch):
    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_frame", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_synthetic_set(tmp_path / "set", **TINY)
    with pytest.raises(UserError, match=r"interrupted run with other settings.*overwrite"):
        write_synthetic_set(tmp_path / "set", **(TINY | {"seed": 9}))
    written = write_synthetic_set(tmp_path / "set", **(TINY | {"seed": 9, "overwrite": True}))
    assert written.resumed == 0
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_killed_run_ends_its_processes_and_is_continued(tmp_path):
    options = TINY | {"frames": (400, 0, 0), "processes": 2}
    call = f"writer.write_synthetic_set({str(tmp_path / 'set')!r}, **{options!r})"
    code = f"from gesturehand.synthetic import writer\nif __name__ == '__main__':\n    {call}"
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        progress = tmp_path / ".set.progress"
        while len(list(progress.glob("chunk*.json"))) < 2:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    assert not (tmp_path / "set").exists()
    written = write_synthetic_set(tmp_path / "set", **options)
    assert 32 <= written.resumed < 400
    write_synthetic_set(tmp_path / "whole", **(options | {"processes": 1}))
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_second_writer_of_the_same_set_is_sent_away(tmp_path):
    with GrowingSet(tmp_path / "set").locked(), pytest.raises(UserError, match="Another process"):
        write_synthetic_set(tmp_path / "set", **TINY)


def test_an_existing_folder_is_not_touched_unless_told(tmp_path):
    target = tmp_path / "set"
    write_synthetic_set(target, **TINY)
    before = contents(target)
    with pytest.raises(UserError, match=r"not empty.*overwrite"):
        write_synthetic_set(target, **TINY)
    assert contents(target) == before
    write_synthetic_set(target, **(TINY | {"overwrite": True, "seed": 5}))
    assert contents(target) != before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_overwrite_does_not_remove_what_is_not_a_synthetic_set(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "README.md").write_text("# My photographs\n")
    with pytest.raises(UserError, match="does not hold a synthetic set"):
        write_synthetic_set(tmp_path, **(TINY | {"overwrite": True}))
    assert (tmp_path / "README.md").read_text() == "# My photographs\n"


def test_an_empty_folder_may_exist(tmp_path):
    write_synthetic_set(tmp_path / "set", **TINY)
    (tmp_path / "empty").mkdir()
    write_synthetic_set(tmp_path / "empty", **TINY)
    assert contents(tmp_path / "empty") == contents(tmp_path / "set")


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "disk" / "set").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "set")
    write_synthetic_set(tmp_path / "link", **TINY)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "set" / "README.md").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gestures": ["fits"]}, "did you mean 'fist'"),
        ({"processes": 0}, "processes"),
        ({"frames": (0, 0, 0)}, "no frame"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        write_synthetic_set(tmp_path / "set", **(TINY | changes))
    assert not list(tmp_path.iterdir())


def test_annotations_are_plain_json(synthetic_root):
    files = list((synthetic_root / "annotations").rglob("*.json"))
    assert len(files) == 3 * 4
    for path in files:
        assert "NaN" not in path.read_text()
        assert json.loads(path.read_text())


def test_neither_smplx_nor_torch_nor_dask_is_imported():
    code = "import sys, gesturehand.synthetic.writer; print({'smplx', 'torch', 'dask'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Whatever the seed, the files' claims are true.


HANDS = {side: open_hand(side) for side in SIDES}


@settings(
    phases=[Phase.explicit, Phase.generate],
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**31 - 1), views=st.integers(1, 2), cone=st.sampled_from([0.0, 35.0, 90.0, 180.0]))
def test_a_written_set_keeps_its_word(seed, views, cone):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        write_synthetic_set(
            root,
            subjects=(2, 0, 1),
            frames=(10, 0, 6),
            views=views,
            wrist_cone_deg=cone,
            two_hand_share=0.2,
            rom_share=0.2,
            outside_share=0.2,
            without_fit_share=0.3,
            test_only_cameras=["400053"],
            seed=seed,
            processes=1,
            progress=False,
        )
        for split in ("train", "test"):
            check_split(root, split)


def check_split(root: Path, split: str) -> None:
    index = read_index(root, split)
    of_frame = index.joint_valid_frame[index.frame]
    # Valid in an image means valid in the frame and inside the image; somewhere the two flags differ.
    assert not (index.joint_valid_image & ~of_frame).any()
    assert (index.joint_valid_image != of_frame).any()
    joints = index.joints_world[index.frame].astype(np.float64)
    rotation, translation = index.camera_rotation[index.camera], index.camera_translation[index.camera]
    inside = np.einsum("nij,nhkj->nhki", rotation, joints) + translation[:, None, None]
    pixels = np.einsum("nij,nhkj->nhki", index.intrinsics[index.camera], inside)
    pixels = pixels[..., :2] / pixels[..., 2:]
    claimed = np.asarray(index.joint_valid_image)
    limit = index.image_size_px[:, None, None] - 1
    in_image = ((pixels > -0.01) & (pixels < limit + 0.01)).all(-1)
    assert in_image[claimed].all()
    # A frame with a fit has every joint, and each joint inside the image is claimed.
    complete = index.mano_valid[index.frame]
    assert of_frame[complete].all()
    strictly = ((pixels > 0.01) & (pixels < limit - 0.01)).all(-1)
    assert claimed[strictly & complete[..., None]].all()

    for frame, hand in np.argwhere(index.mano_valid):
        data = HANDS[SIDES[hand]]
        rotvec = index.mano_pose[frame, hand].astype(np.float64)
        rotvec[3:] += data.hands_mean
        matrices = Rotation.from_rotvec(rotvec.reshape(16, 3)).as_matrix()
        betas = index.mano_betas[frame, hand].astype(np.float64)
        vertices, skeleton = skin(data, matrices[None], betas[None], index.mano_trans[frame, hand][None])
        every = np.concatenate([skeleton[0], vertices[0, list(EANET_TIP_VERTICES)]])[list(JOINTS_FROM_MANO_AND_TIPS)]
        assert np.linalg.norm(every - index.joints_world[frame, hand], axis=1).max() < 1e-4

    for row in range(len(index)):
        name = index.file_name[row].decode()
        image = cv2.imread(str(image_path(root, split, name)))
        mask = cv2.imread(str(mask_path(root, split, name)), cv2.IMREAD_UNCHANGED)
        assert image.shape[1::-1] == tuple(index.image_size_px[row])
        assert mask.shape == image.shape[:2]
        # A hand is clearly brighter than the dark dome.
        assert mask.any()
        assert image[mask > 0].mean() > 15
