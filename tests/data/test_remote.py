"""Sets behind URLs: on fsspec's own file systems and on an HTTP server that counts requests."""

import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
import torch

from gesturehand.data.check import check_data
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import UnreadableImageError, read_image
from gesturehand.data.index import read_index
from gesturehand.data.pack import pack_split
from gesturehand.data.remote import local_folder
from gesturehand.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("GESTUREHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def packed_root(synthetic_root, tmp_path_factory) -> Path:
    """Two packed splits, and nothing else."""
    root = tmp_path_factory.mktemp("packed") / "set"
    for split in ("train", "val"):
        pack_split(synthetic_root, split, out=root, shard_mb=0.5, progress=False)
    return root


@pytest.fixture
def memory(packed_root) -> Iterator[str]:
    """The packed set in fsspec's memory."""
    system = fsspec.filesystem("memory")
    system.put(str(packed_root), "/bucket/set", recursive=True)
    yield "memory://bucket/set"
    system.rm("/bucket", recursive=True)


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, by ranges of bytes if they are asked for, and records what it sent."""

    sent: ClassVar[list[tuple[str, int]]] = []
    with_ranges = True
    failures = 0

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        given = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if given and Ranges.failures:
            Ranges.failures -= 1
            self.send_error(503)
            return
        if given and self.with_ranges:
            start, last = int(given[1]), int(given[2])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
            content = content[start : last + 1]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.end_headers()
        if self.command == "GET":
            Ranges.sent.append((path.name, len(content)))
            self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Logs nothing."""


@pytest.fixture
def served(packed_root, tmp_path) -> Iterator[str]:
    """The packed set on an HTTP server of this machine."""
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with aiohttp, which is not installed")
    shutil.copytree(packed_root, tmp_path / "served" / "set")
    Ranges.sent, Ranges.with_ranges, Ranges.failures = [], True, 0

    def handler(*words: object) -> Ranges:
        return Ranges(*words, directory=str(tmp_path / "served"))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/set"
    server.shutdown()
    server.server_close()


def batches(root: object, workers: int = 0) -> list[dict[str, torch.Tensor]]:
    data = InterHandDataModule(str(root), image_size=48, batch_size=16, num_workers=workers)
    data.prepare_data()
    return [*data.train_dataloader(), *data.val_dataloader()]


def same(one: list[dict[str, torch.Tensor]], other: list[dict[str, torch.Tensor]]) -> bool:
    pairs = zip(one, other, strict=True)
    return len(one) > 3 and all(torch.equal(a[name], b[name]) for a, b in pairs for name in a)


def test_memory_gives_the_samples_of_the_folder(synthetic_root, memory):
    assert same(batches(synthetic_root), batches(memory))


def test_workers_read_a_file_url(synthetic_root, packed_root):
    assert same(batches(synthetic_root), batches(f"file://{packed_root}", workers=2))


def test_workers_read_shards_over_http_by_ranges_and_never_whole(synthetic_root, served):
    assert same(batches(synthetic_root), batches(served, workers=2))
    sizes = [size for name, size in Ranges.sent if name.startswith("images_")]
    assert len(sizes) >= 80, "an image, a range"
    assert max(sizes) < 100_000
    assert sum(name.endswith(".safetensors") for name, _ in Ranges.sent) == 4, "index and table of two splits, once"


def test_single_files_behind_a_url(synthetic_root):
    assert same(batches(synthetic_root), batches(f"file://{synthetic_root}"))


def test_index_and_table_are_copied_again_when_they_change_and_only_then(served, tmp_path, cache):
    read_index(served, "val")
    read_index(served, "val")
    assert [name for name, _ in Ranges.sent] == ["index.safetensors", "images.safetensors"]
    table = tmp_path / "served" / "set" / "packed" / "val" / "images.safetensors"
    table.write_bytes(table.read_bytes())
    read_index(served, "val")
    assert [name for name, _ in Ranges.sent][2:] == ["images.safetensors"]
    assert not list(cache.rglob("*.zip"))


def test_a_failing_network_is_tried_again(served, monkeypatch):
    monkeypatch.setattr("gesturehand.data.remote._PAUSE_S", 0.01)
    index = read_index(served, "val")
    wanted = read_image(index.image(0))
    Ranges.failures = 2
    assert (read_image(index.image(0)) == wanted).all()
    Ranges.failures = 4
    (source,) = index.images.of_all([index.file_name[0].decode()])
    with pytest.raises(UnreadableImageError, match=rf"The image '{served}/packed/val/images_0000.zip/Capture.*503"):
        read_image(source)


def test_a_server_without_ranges_is_reported(served):
    index = read_index(served, "val")
    Ranges.with_ranges = False
    with pytest.raises(UnreadableImageError, match="the server sends the whole file in place of a range of bytes"):
        read_image(index.image(0))


def test_an_image_that_does_not_exist_is_missing(memory):
    index = read_index(memory, "val")
    fsspec.filesystem("memory").rm("/bucket/set/packed/val/images_0000.zip")
    (source,) = index.images.of_all([index.file_name[0].decode()])
    words = rf"The image '{memory}/packed/val/images_0000.zip/.*' is missing: copy that shard there again"
    with pytest.raises(UnreadableImageError, match=words):
        read_image(source)


def test_check_and_fingerprint_name_the_url(memory):
    report = check_data(memory, ["val"], progress=False)
    assert (report.root, report.problems) == (memory, [])
    assert read_index(memory, "val").address == memory


def test_a_url_that_holds_no_set_or_cannot_be_read_is_one_sentence():
    with pytest.raises(UserError, match=r"'memory://nowhere' has neither packed/ nor annotations/ .*: pack the set"):
        read_index("memory://nowhere", "train")
    with pytest.raises(UserError, match=r"'nonsense://bucket/set' cannot be read .*: check the URL"):
        InterHandDataModule("nonsense://bucket/set").dataset("train")
    with pytest.raises(UserError, match=r"'http://127.0.0.1:9/set' cannot be read .*: check the URL, the network"):
        read_index("http://127.0.0.1:9/set", "train")
    with pytest.raises(UserError, match="chains file systems"):
        local_folder("simplecache::memory://bucket/set")


@pytest.mark.parametrize(("url", "package"), [("s3://bucket/set", "s3fs"), ("gs://bucket/set", "gcsfs")])
def test_a_missing_package_is_named(url, package):
    import importlib.util

    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(UserError, match=rf"'{url}' cannot be read without a package for .*: pip install {package}\."):
        read_index(url, "train")


def test_a_missing_split_of_a_url_is_left_out(memory):
    data = InterHandDataModule(memory, image_size=32, num_workers=0)
    data.prepare_data()
    with pytest.raises(UserError, match="has no split 'test', packed or not: there are train, val"):
        data.dataset("test")


def test_the_copys_note_is_plain(memory):
    folder = local_folder(memory, ["val"])
    note = json.loads((folder / "remote.json").read_text())
    assert note["url"] == memory
    assert sorted(note["files"]) == ["packed/val/images.safetensors", "packed/val/index.safetensors"]
