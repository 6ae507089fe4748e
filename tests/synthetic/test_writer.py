import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gesturehand.data.index import read_index
from gesturehand.errors import UserError
from gesturehand.synthetic import writer
from gesturehand.synthetic.storage import GrowingSet
from gesturehand.synthetic.writer import write_synthetic_set

TINY: dict[str, Any] = {
    "subjects": (2, 1, 1),
    "frames": (8, 2, 2),
    "gestures": ("fist", "cup"),
    "without_fit_share": 0.2,
    "processes": 1,
    "progress": False,
}


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


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


def test_it_says_what_it_wrote_and_the_card_too(tmp_path):
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
    # What is half done does not load.
    with pytest.raises(UserError, match="annotations"):
        read_index(tmp_path / ".set.partial", "train")

    written = write_synthetic_set(target, **(options | {"overwrite": existing}))
    assert written.resumed == 32
    assert len(calls) == 36 + 44 - 32
    assert contents(target) == contents(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "whole"]


def test_what_other_settings_left_is_refused_unless_told(tmp_path, monkeypatch):
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


def test_an_empty_folder_may_be_there(tmp_path):
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
        ({"seed": -1}, "seed"),
        ({"wrist_cone_deg": 200.0}, "wrist_cone_deg"),
        ({"processes": 0}, "processes"),
        ({"frames": (0, 0, 0)}, "no frame"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        write_synthetic_set(tmp_path / "set", **(TINY | changes))
    assert not list(tmp_path.iterdir())


def test_annotations_are_plain_json(synthetic_root):
    for path in (synthetic_root / "annotations").rglob("*.json"):
        assert "NaN" not in path.read_text()
        assert json.loads(path.read_text())


def test_neither_smplx_nor_torch_nor_dask_is_imported():
    code = "import sys, gesturehand.synthetic.writer; print({'smplx', 'torch', 'dask'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
