"""Single files and shards give the same samples bit for bit; the documented rule decides which of them is read."""

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from set_files import copy_split, edit_json

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.files import annotation_path
from gesturehand.data.formats.registry import format_of
from gesturehand.data.image_file import StoredImage, UnreadableImageError, read_image
from gesturehand.data.index import read_index
from gesturehand.data.pack import pack_split
from gesturehand.data.set_images import SetImages
from gesturehand.data.shards import LocalShards
from gesturehand.errors import UserError

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def packed_root(synthetic_root, tmp_path_factory) -> Path:
    """All splits packed, and nothing else: neither annotations nor single files."""
    root = tmp_path_factory.mktemp("packed") / "set"
    for split in SPLITS:
        pack_split(synthetic_root, split, out=root, shard_mb=0.1, progress=False)
    return root


@pytest.fixture
def both(tmp_path, synthetic_root) -> Path:
    """The validation split with annotations, single files and shards."""
    root = tmp_path / "both"
    copy_split(synthetic_root, "val", root)
    pack_split(root, "val", progress=False)
    return root


def batches(root: Path, workers: int) -> list[dict[str, torch.Tensor]]:
    settings = {"image_size": 48, "batch_size": 16, "num_workers": workers, "hands": "all", "noise_probability": 0.5}
    data = InterHandDataModule(str(root), **settings, blur_probability=0.5)
    assert data.augmentation is not None
    found = list(data.train_dataloader())
    return found + list(data.val_dataloader()) + list(data.test_dataloader())


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_are_the_same_bit_for_bit(synthetic_root, packed_root, workers):
    loose, packed = batches(synthetic_root, workers), batches(packed_root, workers)
    assert len(loose) == len(packed) > 4
    for one, other in zip(loose, packed, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(batch["image"].float().std() > 10 for batch in packed), "they are pictures"


@pytest.mark.parametrize("start", [pytest.param("spawn", marks=pytest.mark.slow), "fork"])
def test_workers_read_on_with_handles_that_were_open_before_they_started(packed_root, start):
    if start == "fork" and not hasattr(os, "fork"):
        pytest.skip("Windows cannot fork")
    dataset = InterHandDataModule(str(packed_root), image_size=32, num_workers=0).dataset("val")
    numbers = list(range(len(dataset)))
    wanted = dataset.__getitems__(numbers)  # opens all shards here
    loader = torch.utils.data.DataLoader(dataset, 4, num_workers=2, multiprocessing_context=start, collate_fn=as_it_is)
    found = torch.cat([batch["image"] for batch in loader])
    assert torch.equal(found, wanted["image"])


def as_it_is(samples):
    return samples


def test_a_packed_set_is_complete_by_itself(synthetic_root, packed_root):
    assert sorted(path.name for path in packed_root.iterdir()) == ["packed"]
    known = format_of(packed_root)
    assert (known.name, known.splits(packed_root)) == ("interhand", list(SPLITS))
    assert format_of(packed_root, "interhand").splits(packed_root) == list(SPLITS)
    with pytest.raises(UserError):
        format_of(packed_root, "freihand")
    loose, packed = read_index(synthetic_root, "test"), read_index(packed_root, "test")
    assert np.array_equal(loose.joints_world, packed.joints_world)
    for row in range(len(loose)):
        assert isinstance(packed.image(row), StoredImage)
        assert np.array_equal(read_image(loose.image(row)), read_image(packed.image(row)))
    assert pickle.loads(pickle.dumps(packed)).image(0).content() == loose.image(0).read_bytes()
    with pytest.raises(UserError, match="has no split 'extra', packed or not: there are train, val, test"):
        read_index(packed_root, "extra")


def test_some_splits_packed_without_annotations_and_others_with(synthetic_root, packed_root, tmp_path):
    root = tmp_path / "mixed"
    shutil.copytree(packed_root / "packed" / "train", root / "packed" / "train")
    copy_split(synthetic_root, "val", root)
    assert format_of(root).splits(root) == ["train", "val"]
    train, val = read_index(root, "train"), read_index(root, "val")
    assert isinstance(train.image(0), StoredImage)
    assert isinstance(val.image(0), Path)
    assert val.path.is_relative_to(root / "annotations")
    (root / "annotations" / "val" / "InterHand2.6M_val_camera.json").unlink()
    with pytest.raises(UserError, match=r"InterHand2.6M_val_camera.json' is missing"):
        read_index(root, "val")


def test_packed_without_fits_it_says_so(synthetic_root, tmp_path):
    pack_split(synthetic_root, "val", out=tmp_path, mano_fits=False, progress=False)
    assert not read_index(tmp_path, "val", mano_fits=False).mano_valid.any()
    with pytest.raises(UserError, match=r"was packed without MANO fits: set data.mano_fits to false"):
        read_index(tmp_path, "val")


def test_the_shard_comes_first_and_single_files_fill_the_gaps(both):
    index = read_index(both, "val")
    file = index.image_file(0)
    assert isinstance(index.image(0), StoredImage)
    content = file.read_bytes()
    file.unlink()
    assert index.image(0).content() == content
    assert index.images.of("Capture9/other.jpg") == both / "images" / "val" / "Capture9" / "other.jpg"
    shutil.rmtree(both / "packed")
    file.write_bytes(content)
    assert read_index(both, "val").image(0) == file


def test_changed_annotations_need_no_packing(both):
    """The table refers to names, so that rows may be added, removed and moved."""
    before = read_index(both, "val")
    edit_json(annotation_path(both, "val", "data"), lambda c: c.update(annotations=c["annotations"][::-1][:5]))
    shutil.rmtree(both / "images")
    after = read_index(both, "val")
    rows = {name: row for row, name in enumerate(before.file_name)}
    for row in range(5):
        assert after.image(row).content() == before.image(rows[after.file_name[row]]).content()


def test_a_missing_or_damaged_shard_is_one_sentence_with_the_remedy(both):
    index = read_index(both, "val")
    (path,) = (both / "packed" / "val").glob("images_*.zip")
    content = bytearray(path.read_bytes())
    place = index.images.table.find(index.file_name[0].decode())
    content[place.start + 700] ^= 255
    path.write_bytes(content)
    words = r"The image '.*images_0000.zip/Capture.*jpg' cannot be read \(its bytes are not those that were packed\): "
    with pytest.raises(UnreadableImageError, match=words + "copy that shard again, or remove '.*' to read single"):
        read_image(index.image(0))
    path.write_bytes(content[: place.start + 9])
    with pytest.raises(UnreadableImageError, match="its shard ends too early"):
        read_image(read_index(both, "val").image(0))
    path.unlink()
    with pytest.raises(UnreadableImageError, match=r"images_0000.zip/.*' is missing: copy that shard again"):
        read_image(read_index(both, "val").image(0))


def test_unreadable_in_a_shard_is_left_out_or_ends_as_elsewhere(both):
    (path,) = (both / "packed" / "val").glob("images_*.zip")
    content = bytearray(path.read_bytes())
    index = read_index(both, "val")
    place = index.images.table.find(index.file_name[3].decode())
    content[place.start + 700] ^= 255
    path.write_bytes(content)
    settings = {"image_size": 32, "num_workers": 0, "batch_size": 16, "hands": "all"}
    with pytest.raises(UnreadableImageError):
        list(InterHandDataModule(str(both), **settings).val_dataloader())
    with pytest.warns(UserWarning, match="Left out: The image"):
        found = list(InterHandDataModule(str(both), **settings, unreadable="skip").val_dataloader())
    counted = torch.cat([batch["counted"] for batch in found])
    ids = torch.cat([batch["annotation_id"] for batch in found])
    assert set(ids[~counted].tolist()) == {int(index.annotation_id[3])}


@pytest.mark.parametrize("damage", ["cut", "version", "outside"])
def test_a_damaged_table_is_refused_and_not_passed_over(both, damage):
    path = both / "packed" / "val" / "images.safetensors"
    content = path.read_bytes()
    changes = {
        "cut": content[:-1],
        "version": content.replace(b'\\"version\\": 1', b'\\"version\\": 9'),
        "outside": content.replace(b"images_0000.zip", b"../../etc/passw"),
    }
    assert changes[damage] != content
    path.write_bytes(changes[damage])
    with pytest.raises(UserError, match=r"table of shards '.*' is damaged or of another version"):
        read_index(both, "val")


def test_names_may_not_lead_out_of_the_folder(both):
    images = SetImages(both, "val", both / "images" / "val")
    with pytest.raises(UserError, match="lies outside"):
        images.of("../../secret.jpg")


def test_threads_read_at_a_time_while_handles_come_and_go(packed_root, monkeypatch):
    monkeypatch.setattr("gesturehand.data.shards._MOST_OPEN", 2)
    index = read_index(packed_root, "train")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: index.image(row).content(), list(range(len(index))) * 3))
    assert found == [index.image(row).content() for row in range(len(index))] * 3
    assert len(index.images._shards._files) == 2


def test_without_pread_it_reads_the_same(packed_root, monkeypatch):
    index = read_index(packed_root, "val")
    wanted = [index.image(row).content() for row in range(len(index))]
    monkeypatch.delattr(os, "pread")
    again = read_index(packed_root, "val")
    assert isinstance(again.images._shards, LocalShards)
    assert [again.image(row).content() for row in range(len(again))] == wanted
