"""Packing: byte for byte, in whole shards only; it continues after a kill, names unreadable images and checks sums."""

import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from set_files import edit_json

from gesturehand.data.check import check_data, verify_split
from gesturehand.data.files import annotation_path
from gesturehand.data.image_file import StoredImage, UnreadableImageError
from gesturehand.data.index import read_index
from gesturehand.data.pack import pack_split
from gesturehand.data.shards import TABLE_NAME, name_hash, open_table
from gesturehand.errors import UserError

#: So small that a shard holds a few images.
SMALL_MB = 0.1


@pytest.fixture
def root(tmp_path, synthetic_root) -> Path:
    """A copy of a set that may be written to."""
    copy = tmp_path / "set"
    shutil.copytree(synthetic_root, copy, ignore=shutil.ignore_patterns("*.safetensors", "masks"))
    return copy


def loose_files(root: Path, split: str) -> dict[str, bytes]:
    folder = root / "images" / split
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


def members(folder: Path) -> dict[str, bytes]:
    """The members that Python's own reader finds in the shards, in their order."""
    found = {}
    for path in sorted(folder.glob("images_*.zip")):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            found |= {name: archive.read(name) for name in archive.namelist()}
    return found


def test_images_are_the_same_bytes_by_any_reader_of_zip_files(root):
    report = pack_split(root, "train", shard_mb=SMALL_MB, progress=False)
    files = loose_files(root, "train")
    assert members(report.folder) == files
    assert (report.images, report.kept, report.left_out) == (len(files), 0, [])
    assert report.shards > 5
    assert report.image_bytes == sum(map(len, files.values()))
    shards = sorted(report.folder.glob("images_*.zip"))
    assert all(path.stat().st_size <= 1e6 * SMALL_MB for path in shards)
    sums = (report.folder / "SHA256SUMS").read_text()
    assert sums == "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in shards)


def test_the_tables_ranges_hold_the_files(root):
    folder = pack_split(root, "train", shard_mb=SMALL_MB, progress=False).folder
    table = open_table(folder)
    assert len(table) == len(loose_files(root, "train"))
    assert sum(shard["images"] for shard in table.shards) == len(table)
    for name, content in loose_files(root, "train").items():
        place = table.find(name)
        shard = (folder / table.shards[place.shard]["name"]).read_bytes()
        assert shard[place.start : place.start + place.length] == content
        assert place.crc32 == zlib.crc32(content)
    assert table.find("Capture0/none.jpg") is None


def test_frames_of_a_sequence_and_camera_lie_together_in_their_order(root):
    folder = pack_split(root, "train", shard_mb=SMALL_MB, progress=False).folder
    names = list(members(folder))
    groups = [name.rpartition("/")[0] for name in names]
    assert len([1 for one, other in itertools.pairwise(groups) if one != other]) == len(set(groups)) - 1
    sequences = [group.partition("/cam")[0] for group in groups]
    changes = [1 for one, other in itertools.pairwise(sequences) if one != other]
    assert len(changes) == len(set(sequences)) - 1
    numbers = [int(name.rpartition("/image")[2][:-4]) for name in names]
    for group in set(groups):
        own = [number for number, other in zip(numbers, groups, strict=True) if other == group]
        assert own == sorted(own)


def test_the_same_images_make_the_same_shards_whatever_the_number_of_workers(root, tmp_path):
    one = pack_split(root, "val", out=tmp_path / "one", shard_mb=SMALL_MB, workers=1, progress=False).folder
    other = pack_split(root, "val", out=tmp_path / "other", shard_mb=SMALL_MB, workers=5, progress=False).folder
    for path in one.glob("*"):
        assert path.read_bytes() == (other / path.name).read_bytes()
    assert not (root / "packed").exists()


def test_packed_again_there_is_nothing_to_do(root):
    folder = pack_split(root, "val", shard_mb=SMALL_MB, progress=False).folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("images_*.zip")}
    report = pack_split(root, "val", shard_mb=SMALL_MB, progress=False)
    assert report.kept == report.images
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("images_*.zip")} == before


#: Packs slowly enough to be killed in the middle of a shard.
KILLED = """
import sys, time
from gesturehand.data import pack
read = pack.read_image_bytes
def slowly(*words, **settings):
    time.sleep(0.01)
    return read(*words, **settings)
pack.read_image_bytes = slowly
pack.pack_split(sys.argv[1], "train", shard_mb=float(sys.argv[2]), workers=1, progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_after_a_kill_whole_shards_are_kept_and_the_rest_follows(root, tmp_path):
    whole = pack_split(root, "train", out=tmp_path / "whole", shard_mb=SMALL_MB, progress=False).folder
    folder = root / "packed" / "train"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(SMALL_MB)])
    while process.poll() is None and not (
        (folder / "images_0002.zip").exists() and list(folder.glob(".images*.part*"))
    ):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = sorted(path.name for path in folder.glob("images_*.zip"))
    assert "images_0002.zip" in kept
    for name in kept:
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    assert open_table(folder) is None, "a loader would take a part for all"
    assert isinstance(read_index(root, "train").image(0), Path)
    with pytest.raises(UserError, match="not completely: run `gesturehand data pack"):
        verify_split(root, "train", progress=False)

    os.utime(folder / kept[0], ns=(5, 5))
    report = pack_split(root, "train", shard_mb=SMALL_MB, progress=False)
    assert report.kept > 0
    assert (folder / kept[0]).stat().st_mtime_ns == 5, "it was written again"
    assert {path.name for path in folder.glob("[!.]*")} == {path.name for path in whole.glob("[!.]*")}
    assert not list(folder.glob(".images*"))
    for path in whole.glob("[!.]*"):
        if path.name != "index.safetensors":
            assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_shard_that_a_kill_left_without_a_sum_is_checked_and_kept(root):
    folder = pack_split(root, "val", shard_mb=SMALL_MB, progress=False).folder
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text("".join(sums.splitlines(keepends=True)[:-1]))
    (folder / TABLE_NAME).unlink()
    report = pack_split(root, "val", shard_mb=SMALL_MB, progress=False)
    assert report.kept == report.images
    assert (folder / "SHA256SUMS").read_text() == sums

    last = sorted(folder.glob("images_*.zip"))[-1]
    (folder / "SHA256SUMS").unlink()
    content = bytearray(last.read_bytes())
    content[200] ^= 1
    last.write_bytes(content)
    with pytest.raises(UserError, match=f"The shard '.*{last.name}' is damaged .*: remove it and pack again"):
        pack_split(root, "val", shard_mb=SMALL_MB, progress=False)


def test_one_at_a_time(root, tmp_path):
    program = """
import sys, time
from gesturehand.file_writing import try_lock
from pathlib import Path
lock = try_lock(Path(sys.argv[1])); print("locked", flush=True); sys.stdin.read()
"""
    folder = root / "packed" / "val"
    folder.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match="Another process packs into"):
            pack_split(root, "val", progress=False)
        other.stdin.close()
    assert pack_split(root, "val", progress=False).images


@pytest.mark.parametrize("damage", ["missing", "cut short", "of another size", "text"])
def test_an_unreadable_image_ends_the_packing_or_is_left_out_by_name(root, damage):
    folder = root / "images" / "train"
    names = list(loose_files(root, "train"))
    bad = folder / names[40]
    content = bad.read_bytes()
    if damage == "missing":
        bad.unlink()
    elif damage == "cut short":
        bad.write_bytes(content[:-200])
    elif damage == "text":
        bad.write_text("no image")
    else:
        import cv2

        cv2.imwrite(str(bad), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(UnreadableImageError, match=names[40]):
        pack_split(root, "train", shard_mb=SMALL_MB, progress=False)
    packed = members(root / "packed" / "train")
    assert 0 < len(packed) < len(names), "what was packed before is kept"
    assert open_table(root / "packed" / "train") is None

    with pytest.raises(UserError, match="1 images of split 'train' cannot be read, more than unreadable_limit allows"):
        pack_split(root, "train", shard_mb=SMALL_MB, unreadable="skip", unreadable_limit=0, progress=False)
    report = pack_split(root, "train", shard_mb=SMALL_MB, unreadable="skip", progress=False)
    assert len(report.left_out) == 1
    assert names[40] in report.left_out[0]
    assert report.images == len(names) - 1
    index = read_index(root, "train")
    row = [name.decode() for name in index.file_name].index(names[40])
    assert index.image(row) == bad, "what is in no shard is a single file"

    bad.write_bytes(content)
    report = pack_split(root, "train", shard_mb=SMALL_MB, progress=False)
    assert (report.images, report.left_out) == (len(names), [])
    assert members(report.folder) == loose_files(root, "train"), "a repaired image comes into a shard of its own"


def test_verify_names_shards_and_images(root):
    folder = pack_split(root, "train", shard_mb=SMALL_MB, progress=False).folder
    assert verify_split(root, "train", progress=False) == []
    table = open_table(folder)
    name = list(loose_files(root, "train"))[7]
    place = table.find(name)
    path = folder / table.shards[place.shard]["name"]
    content = bytearray(path.read_bytes())
    content[place.start + place.length // 2] ^= 16
    path.write_bytes(content)
    gone = folder / table.shards[(place.shard + 1) % len(table.shards)]["name"]
    gone.rename(gone.with_suffix(".away"))
    found = {(problem.kind, problem.where) for problem in verify_split(root, "train", progress=False)}
    assert found == {("shard damaged", str(path)), ("shard missing", str(gone)), ("image damaged in its shard", name)}
    gone.with_suffix(".away").rename(gone)
    path.write_bytes(content[: place.start + 5])
    kinds = [problem.kind for problem in verify_split(root, "train", progress=False)]
    assert kinds[0] == "shard damaged"
    assert len(kinds) > 1


def test_data_check_reads_the_images_that_training_reads(root):
    folder = pack_split(root, "val", shard_mb=SMALL_MB, progress=False).folder
    shutil.rmtree(root / "images" / "val")
    assert check_data(root, ["val"], progress=False).problems == []
    path = folder / "images_0000.zip"
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    (problem,) = check_data(root, ["val"], progress=False).problems
    assert problem.kind == "image unreadable"
    assert "its bytes are not those that were packed" in problem.detail


def test_packed_again_if_images_have_changed_and_never_without_them(root):
    folder = pack_split(root, "val", shard_mb=SMALL_MB, progress=False).folder
    names = list(loose_files(root, "val"))
    changed, other = (root / "images" / "val" / name for name in names[:2])
    shutil.copy(other, changed)
    assert pack_split(root, "val", shard_mb=SMALL_MB, progress=False).kept == len(names)
    pack_split(root, "val", shard_mb=SMALL_MB, overwrite=True, progress=False)
    assert members(folder) == loose_files(root, "val")
    changed.unlink()
    with pytest.raises(UserError, match=f"holds the only copy of '{names[0]}': give another --out"):
        pack_split(root, "val", overwrite=True, progress=False)
    assert len(members(folder)) == len(names)


def test_packed_from_shards_into_other_shards(root, tmp_path):
    first = pack_split(root, "val", out=tmp_path / "first", shard_mb=SMALL_MB, progress=False)
    files = loose_files(root, "val")
    shutil.rmtree(root)
    second = pack_split(tmp_path / "first", "val", out=tmp_path / "second", progress=False)
    assert first.shards > second.shards == 1
    assert members(second.folder) == files


def test_several_annotations_of_one_image_need_it_once(root):
    def twice(content):
        content["annotations"] += [{**entry, "id": 10_000 + entry["id"]} for entry in content["annotations"]]

    edit_json(annotation_path(root, "val", "data"), twice)
    index = read_index(root, "val")
    report = pack_split(root, "val", progress=False)
    assert 2 * report.images == len(index)
    index = read_index(root, "val")
    assert all(isinstance(index.image(row), StoredImage) for row in range(len(index)))


@pytest.mark.parametrize(("settings", "words"), [
    ({"shard_mb": 0}, "shard_mb is 0: give a number above 0"),
    ({"shard_mb": 5000}, "up to 4000"),
    ({"workers": 0}, "workers is 0"),
])  # fmt: skip
def test_settings_out_of_range(root, settings, words):
    with pytest.raises(UserError, match=words):
        pack_split(root, "val", **settings)


def test_names_that_mean_one_file_have_one_hash():
    assert name_hash("a\\b/é.jpg") == name_hash("a/b//e\u0301.jpg") == name_hash("./a/b/é.jpg")
    assert len({name_hash(f"Capture{a}/{b}.jpg") for a in range(100) for b in range(100)}) == 10_000
