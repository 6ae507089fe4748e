"""``gesturehand data``: the commands as a user types them."""

import json
import shutil
import subprocess
import sys

import cv2
import pytest
from trainings import exit_code

from gesturehand.cli.main import main
from gesturehand.data.index import read_index


def test_synth_writes_the_requested_set(tmp_path, capsys, refusal):
    out = tmp_path / "set"
    words = ["data", "synth", "--out", str(out), "--subjects", "[1,1,1]", "--frames", "[4,2,2]"]
    words += ["--gestures", "[fist,cup]", "--processes", "1"]
    assert main(words) == 0
    assert "4 train, 2 val, 2 test" in capsys.readouterr().out
    assert len(read_index(out, "train")) == 4

    assert refusal(*words).startswith(f"gesturehand: '{out}' is not empty")
    assert main([*words, "--overwrite=true"]) == 0


def test_an_unknown_gesture_is_one_sentence(tmp_path, refusal):
    said = refusal("data", "synth", "--out", str(tmp_path / "set"), "--gestures", "[fits]")
    assert said == "gesturehand: Unknown gesture 'fits': did you mean 'fist'?"
    assert not list(tmp_path.iterdir())


def test_gallery_shows_35_poses(tmp_path, capsys):
    out = tmp_path / "gallery.png"
    assert main(["data", "gallery", "--out", str(out), "--tile_px", "80"]) == 0
    assert "35" in capsys.readouterr().out
    picture = cv2.imread(str(out))
    assert picture.shape == (7 * 80, 5 * 120, 3)
    tiles = picture.reshape(7, 80, 5, 120, 3).swapaxes(1, 2).reshape(35, -1)
    assert all((tile > 100).mean() > 0.01 for tile in tiles)


@pytest.mark.parametrize("name", ["gallery.txt", "missing/gallery.png"])
def test_gallery_refuses_a_wrong_name(tmp_path, refusal, name):
    refusal("data", "gallery", "--out", str(tmp_path / name))


def test_stats_writes_json_and_still_a_table_into_a_document(synthetic_root, tmp_path, capsys):
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- summary:begin -->\nold\n<!-- summary:end -->\nafter\n")
    words = ["data", "stats", "--root", str(synthetic_root), "--out", str(tmp_path / "s.json"), "--into", str(document)]
    assert main(words) == 0
    poses = json.loads((tmp_path / "s.json").read_text())["poses"]
    text = document.read_text()
    assert f"| {poses['mean_pose']['canonical_mm']:.1f} |" in " ".join(text.split())
    assert "fist" in text
    assert "old" not in text
    printed = capsys.readouterr()
    assert "oracle" in printed.out
    assert "scripts/document_tables.py" in printed.err


def test_samples_draws_frames(synthetic_root, tmp_path):
    out = tmp_path / "samples.jpg"
    assert main(["data", "samples", "--root", str(synthetic_root), "--out", str(out), "--count", "3"]) == 0
    assert cv2.imread(str(out)).shape[0] == 326


def test_index_builds_every_split_and_summarises_it(tmp_path, synthetic_root, capsys, refusal):
    shutil.copytree(synthetic_root / "annotations", tmp_path / "annotations", ignore=shutil.ignore_patterns("*index*"))
    assert main(["data", "index", "--root", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    rows = [line.replace("│", " ").split() for line in text.splitlines()]
    assert ["images", "128", "32", "48"] in rows
    assert "was there" not in text
    for split in ("train", "val", "test"):
        assert (tmp_path / f"annotations/{split}/InterHand2.6M_{split}_index.safetensors").is_file()
    assert main(["data", "index", "--root", str(tmp_path), "--split", "val"]) == 0
    assert "was there" in capsys.readouterr().out
    assert "does not exist" in refusal("data", "index", "--root", str(tmp_path / "none"))
    said = refusal("data", "index", "--root", str(tmp_path), "--split", "vall")
    assert "InterHand2.6M_vall_data.json' is missing" in said


def test_drawing_a_set_does_not_load_pytorch():
    """PyTorch would take longer to start than a hundred frames take to draw."""
    code = "import sys, gesturehand.cli.data; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_split_is_packed_verified_and_trained_on(val_root, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["data", "pack", "--root", str(val_root), "--split", "val", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert f"{out}/packed/val: 32 images in 1 shard\n" in printed.out
    assert "% more than the images themselves" in printed.out
    assert "val images: 100%" in printed.err
    assert main(words) == 0
    assert "32 images (32 of them were there)" in capsys.readouterr().out
    assert main([*words, "--verify", "true"]) == 0
    assert capsys.readouterr().out == f"{out}: split val is as it was packed\n"
    assert main(["data", "index", "--root", str(out)]) == 0
    assert "packed/val" in capsys.readouterr().out
    assert main(["data", "check", "--root", str(out)]) == 0
    assert "no problems" in capsys.readouterr().out
    assert main(["data", "show", "--root", str(out), "--split", "val", "--out", str(tmp_path / "show.png")]) == 0
    assert (tmp_path / "show.png").stat().st_size > 1000


def test_damage_of_shards_is_listed_and_the_status_is_1(val_root, capsys):
    words = ["data", "pack", "--root", str(val_root), "--split", "val"]
    assert main(words) == 0
    path = val_root / "packed" / "val" / "images_0000.zip"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    capsys.readouterr()
    assert exit_code([*words, "--verify", "true"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(f"shard damaged: {path}\nimage damaged in its shard: Capture")
    assert printed.endswith("split val has 2 problems\n")


@pytest.mark.parametrize(("words", "message"), [
    (["--split", "val", "--shard_mb", "0"], "shard_mb is 0"),
    (["--split", "val", "--verify", "true"], "Split 'val' of '{root}' is not packed"),
    (["--split", "training"], "training"),
    (["--split", "val", "--shardmb", "3"], "did you mean"),
    (["--split", "val", "--unreadable", "ignore"], "unreadable"),
])  # fmt: skip
def test_slips_of_packing_are_one_sentence(val_root, refusal, words, message):
    assert message.format(root=val_root) in refusal("data", "pack", "--root", str(val_root), *words)


def test_a_url_is_not_packed_where_it_is(refusal):
    said = refusal("data", "pack", "--root", "memory://bucket/set", "--split", "val")
    assert "cannot be packed where it is: name a folder of this machine with --out" in said
