"""The index on disk: built once, rebuilt when necessary, never half written, shared by processes."""

import multiprocessing
import os
import pickle
import shutil
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from refusals import refused
from safetensors.numpy import load_file
from set_files import edit_json

from gesturehand.data import column_file
from gesturehand.data.files import annotation_path
from gesturehand.data.formats import interhand
from gesturehand.data.formats.interhand import InterHandFormat
from gesturehand.data.index import read_index
from gesturehand.data.index_build import build_columns
from gesturehand.data.index_file import FORMAT_VERSION, index_places, read_header
from gesturehand.errors import UserError


@pytest.fixture
def root(tmp_path, synthetic_root) -> Path:
    """A copy of a set's annotations without an index."""
    copy = tmp_path / "set"
    shutil.copytree(synthetic_root / "annotations", copy / "annotations", ignore=shutil.ignore_patterns("*index*"))
    return copy


@pytest.fixture
def builds(monkeypatch) -> list[str]:
    """Splits that were built, in order."""
    seen = []

    def counted(root, split, **settings):
        seen.append(split)
        return build_columns(root, split, **settings)

    monkeypatch.setattr(interhand, "build_columns", counted)
    return seen


def same(one, other) -> bool:
    names = [name for name, value in vars(one).items() if isinstance(value, np.ndarray)]
    return len(names) > 15 and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_built_once_beside_the_annotations(root, builds):
    first, second = (read_index(root, "val") for _ in range(2))
    assert builds == ["val"]
    assert first.path == index_places(InterHandFormat(), root, "val")[0]
    assert first.path.parent == root / "annotations" / "val"
    assert same(first, second)


def test_any_safetensors_reader_opens_it(root):
    index = read_index(root, "val")
    columns = load_file(index.path)
    for name in ("annotation_id", "bbox_px", "joints_world", "mano_pose"):
        assert np.array_equal(columns[name], getattr(index, name))


@pytest.mark.parametrize("change", ["size", "time"])
@pytest.mark.parametrize("kind", ["data", "camera", "joint_3d", "MANO_NeuralAnnot"])
def test_changed_json_is_read_again(root, builds, kind, change):
    read_index(root, "val")
    path = annotation_path(root, "val", kind)
    state = path.stat()
    if change == "size":
        path.write_text(path.read_text() + " ")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    else:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    read_index(root, "val")
    assert builds == ["val", "val"]


def test_changed_content_is_seen_and_an_open_index_keeps_its_own(root):
    before = read_index(root, "val")
    old = before.bbox_px[0].copy()
    edit_json(
        annotation_path(root, "val", "data"), lambda content: content["annotations"][0]["bbox"].__setitem__(0, 7.25)
    )
    after = read_index(root, "val")
    assert after.bbox_px[0, 0] == 7.25
    assert np.array_equal(before.bbox_px[0], old)


def test_fits_are_added_when_they_are_asked_for(root, builds):
    assert not read_index(root, "val", mano_fits=False).mano_valid.any()
    assert read_index(root, "val").mano_valid.any()
    blind = read_index(root, "val", mano_fits=False)
    assert builds == ["val", "val"], "an index with fits also serves who wants none"
    for name in ("mano_valid", "mano_pose", "mano_betas", "mano_trans"):
        assert not getattr(blind, name).any()


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "version":
        older = content.replace(f'version\\": {FORMAT_VERSION}'.encode(), f'version\\": {FORMAT_VERSION - 1}'.encode())
        assert older != content
        path.write_bytes(older)
    else:
        path.write_bytes({"cut": content[:-100], "header": content[:20], "empty": b"", "other": b"\0" * 5000}[how])


@pytest.mark.parametrize("how", ["version", "cut", "header", "empty", "other"])
def test_anything_but_a_whole_index_of_this_version_is_rebuilt(root, builds, how):
    index = read_index(root, "val")
    expected = index.bbox_px.copy()
    spoil(index.path, how)
    assert np.array_equal(read_index(root, "val").bbox_px, expected)
    assert builds == ["val", "val"]


def read_only(folder: Path) -> None:
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP)


def test_read_only_set_is_indexed_in_the_cache(root, builds, monkeypatch, tmp_path):
    monkeypatch.setenv("GESTUREHAND_CACHE", str(tmp_path / "cache"))
    folder = root / "annotations" / "val"
    read_only(folder)
    listed = sorted(folder.iterdir())
    index = read_index(root, "val")
    assert index.path.is_relative_to(tmp_path / "cache")
    assert sorted(folder.iterdir()) == listed
    read_index(root, "val")
    assert builds == ["val"]


@pytest.mark.parametrize("how", ["version", "none"])
def test_without_a_writable_place_a_sentence_names_the_remedy(root, monkeypatch, tmp_path, how):
    index = read_index(root, "val")
    spoil(index.path, how) if how == "version" else index.path.unlink()
    cache = tmp_path / "cache"
    (cache / "index").mkdir(parents=True)
    monkeypatch.setenv("GESTUREHAND_CACHE", str(cache))
    place = index_places(InterHandFormat(), root, "val")[1].parent
    place.mkdir()
    read_only(place)
    read_only(root / "annotations" / "val")
    with refused("set GESTUREHAND_CACHE to a folder that you can write to", root, place) as caught:
        read_index(root, "val")
    text = str(caught.value)
    assert (f"version {FORMAT_VERSION - 1}" in text) == (how == "version")


def test_failed_build_leaves_nothing_and_the_old_index(root, builds):
    index = read_index(root, "val")
    before = index.path.read_bytes()
    path = annotation_path(root, "val", "data")
    edit_json(path, lambda content: content["annotations"][5].update(bbox=["a", 0, 0, 0]))
    with refused(path, match=r"`\$\.annotations\[5\]\.bbox\[0\]`"):
        read_index(root, "val")
    assert index.path.read_bytes() == before
    assert not [
        file for file in path.parent.iterdir() if "index" in file.name and file.suffix not in (".safetensors", ".lock")
    ]


def test_full_disk_is_a_sentence_and_leaves_nothing(root, monkeypatch):
    def full(columns, path, note):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(column_file, "save_file", full)
    with pytest.raises(UserError, match="No space left on device"):
        read_index(root, "val")
    assert {file.suffix for file in (root / "annotations" / "val").iterdir()} == {".json", ".lock"}


def opened(root: str) -> tuple[int, int]:
    index = read_index(root, "train")
    return len(index), index.path.stat().st_ino


def test_processes_that_start_together_build_one_index(root):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        results = set(pool.map(opened, [str(root)] * 6))
    assert len(results) == 1, "one file, which nobody replaced"
    assert results.pop()[0] == len(read_index(root, "train"))


def test_pickled_index_is_its_path(root):
    for mano_fits in (True, False):
        index = read_index(root, "val", mano_fits=mano_fits)
        content = pickle.dumps(index)
        assert len(content) < 1000
        copy = pickle.loads(content)
        assert same(index, copy)
        assert copy.mano_valid.any() == mano_fits


def test_header_names_its_sources(root):
    header = read_header(read_index(root, "val").path)
    assert header is not None
    for kind, (size, _) in header["sources"].items():
        assert size == annotation_path(root, "val", kind).stat().st_size
    assert set(header["sources"]) == {"data", "camera", "joint_3d", "MANO_NeuralAnnot"}
    assert read_header(annotation_path(root, "val", "data")) is None
