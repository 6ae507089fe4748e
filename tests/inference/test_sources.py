"""The meaning of inputs."""

import cv2
import numpy as np
import pytest
from faults import fault, faults

from gesturehand.data import image_file
from gesturehand.errors import UserError
from gesturehand.inference.sources import Stream, find_sources, stream_of


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt", "clip.mp4", "sub/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_folder_is_its_images(folder):
    sources = find_sources([folder])
    assert [path.name for path in sources.images] == ["a.PNG", "b.jpg"]
    assert sources.videos == ()


def test_files_one_by_one(folder):
    sources = find_sources([folder / "clip.mp4", str(folder / "b.jpg"), folder / "b.jpg", folder / "sub"])
    assert [path.name for path in sources.images] == ["b.jpg", "c.jpg"]
    assert [path.name for path in sources.videos] == ["clip.mp4"]


def test_names_of_results(folder):
    (folder / "b.png").write_bytes(b"")
    names = find_sources([folder]).output_names()
    assert {path.name: name for path, name in names.items()} == {"a.PNG": "a", "b.jpg": "b.jpg", "b.png": "b.png"}


def test_inputs_that_cannot_be_found(folder):
    with pytest.raises(UserError, match=r"none.jpg' does not exist"):
        find_sources([folder / "none.jpg"])
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty' holds no images"):
        find_sources([folder / "empty"])
    (folder / "sub" / "b.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"2 inputs are named 'b.jpg'"):
        find_sources([folder, folder / "sub"])


@pytest.mark.parametrize(
    ("names", "images", "says"),
    faults(
        "phone folder",
        "images are predicted, other files are counted by kind, and hidden ones are skipped",
        (
            (
                "HEIC, GIF and MOV",
                ["a.jpg", "b.HEIC", "c.heic", "d.GIF", "e.MOV"],
                ["a.jpg"],
                "2 .heic, 1 .gif, 1 .mov",
            ),
            ("macOS's ._ files and .DS_Store", ["IMG_0.JPG", "._IMG_0.JPG", ".DS_Store"], ["IMG_0.JPG"], None),
            ("Android's .thumbnails and .trashed", ["a.jpg", ".thumbnails/b.jpg", ".trashed-1-b.jpg"], ["a.jpg"], None),
            ("raw photos", ["a.jpg", "a.dng", "b.CR2", "c.dng"], ["a.jpg"], "2 .dng, 1 .cr2"),
            ("TIFF, PPM and AVIF", ["a.png", "a.tif", "b.tiff", "c.ppm", "d.avif"], ["a.png"], "1 .tif, 1 .tiff"),
            ("folders in it", ["a.jpg", "100APPLE/b.jpg", "101APPLE/c.jpg"], ["a.jpg"], "2 folders"),
            ("a folder with an image's name", ["a.jpg", "b.jpg/c.jpg"], ["a.jpg"], "1 folder."),
            ("a file without a suffix", ["a.jpg", "IMG"], ["a.jpg"], "1 file without a suffix"),
            ("rarer suffixes of JPEG", ["a.JPE", "b.jfif"], ["a.JPE", "b.jfif"], None),
        ),
    ),
)
def test_other_contents_of_a_folder_of_images(tmp_path, monkeypatch, names, images, says):
    # With the packages for HEIC and AVIF, they are images: tests/data/test_image_file.py.
    monkeypatch.setattr(image_file, "heif_suffixes", lambda: ())
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    sources = find_sources([tmp_path])
    assert [path.name for path in sources.images] == images
    if says is None:
        assert sources.left_out == ()
    else:
        (sentence,) = sources.left_out
        assert f"Left out of '{tmp_path}': {says}" in sentence


@fault("phone folder", "HEIC and MOV only", "refused in one sentence that counts what is there and names the remedy")
def test_a_folder_without_any_image_that_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "heif_suffixes", lambda: ())
    for name in ("a.heic", "b.heic", "c.mov", "._a.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        UserError, match=r"holds no images \(.*\) but 2 \.heic, 1 \.mov: give .*, convert other formats"
    ):
        find_sources([tmp_path])


@pytest.mark.parametrize(
    ("written", "stored"),
    faults(
        "image's name spelled another way",
        "the file is found",
        (
            ("image in NFC, the file in NFD", "é.jpg", "e\u0301.jpg"),
            ("image with backslashes", "DCIM\\a.jpg", "DCIM/a.jpg"),
            ("folder in NFD, the file system's in NFC", "u\u0308/a.jpg", "ü/a.jpg"),
            ("video in NFD, the file in NFC", "e\u0301.mp4", "é.mp4"),
        ),
        within="predict: ",
    ),
)
def test_inputs_are_found_however_they_are_spelled(tmp_path, written, stored):
    (tmp_path / stored).parent.mkdir(exist_ok=True)
    (tmp_path / stored).write_bytes(b"")
    sources = find_sources([tmp_path / written])
    assert sources.images + sources.videos == (tmp_path / stored,)


def test_case_is_pointed_to(tmp_path):
    (tmp_path / "IMG.JPG").write_bytes(b"")
    if (tmp_path / "img.jpg").exists():
        pytest.skip("this file system knows no case")
    with pytest.raises(UserError, match=r"img\.jpg' does not exist: is 'IMG\.JPG' meant\?"):
        find_sources([tmp_path / "img.jpg"])


def write_clip(path, frames=6):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 30 * number, np.uint8))
    writer.release()


@pytest.mark.parametrize(
    ("text", "source", "name", "stem"),
    [
        ("0", 0, "camera0", "camera0"),
        ("12", 12, "camera12", "camera12"),
        ("rtsp://10.0.0.2:554/live", "rtsp://10.0.0.2:554/live", "rtsp://10.0.0.2:554/live", "live"),
        ("HTTP://a.b/c/d.mp4?t=1", "HTTP://a.b/c/d.mp4?t=1", "http://a.b/c/d.mp4", "d"),
        ("rtsp://me:secret@host/", "rtsp://me:secret@host/", "rtsp://host/", "host"),
        ("https://host/a%20b/..", "https://host/a%20b/..", "https://host/a%20b/..", "host"),
    ],
)
def test_streams(text, source, name, stem):
    assert stream_of(text) == Stream(source, name, stem)


@pytest.mark.parametrize("text", ["photo.jpg", "00x", "-1", "1.5", "C:/a.mp4", "a/b://c", "12345", "٣"])
def test_inputs_that_are_not_streams(text):
    assert stream_of(text) is None


@pytest.mark.parametrize(
    "text", ["file:///etc/passwd", "concat://a", "ftp://a/b.mp4", "http://", "http://[", "rtsp://a:x/", "pipe://0"]
)
def test_addresses_that_are_not_opened(text):
    with pytest.raises(UserError, match="is not opened: give one that begins with http://"):
        find_sources([text])


def test_a_refused_address_does_not_tell_the_password():
    with pytest.raises(UserError) as raised:
        stream_of("ftp://me:secret@host/a.mp4")
    assert "secret" not in str(raised.value)


def test_a_file_of_such_a_name_is_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").write_bytes(b"")
    assert [path.name for path in find_sources(["0"]).images] == ["0"]
    assert find_sources(["1"]).streams == (Stream(1, "camera1", "camera1"),)


def test_a_missing_camera():
    with pytest.raises(UserError, match="There is no camera 97 that can be read"):
        stream_of("97").open()


def test_an_address_is_read(served):
    folder, address = served
    write_clip(folder / "clip.avi")
    video = stream_of(f"{address}/clip.avi").open()
    frames = [frame.mean() for frame in video]
    np.testing.assert_allclose(frames, 30 * np.arange(6), atol=4)
    assert video.fps == 10


def test_an_address_is_read_until_it_is_stopped(served):
    folder, address = served
    write_clip(folder / "clip.avi")
    video = stream_of(f"{address}/clip.avi").open()
    count = 0
    for _ in video:
        count += 1
        if count == 3:
            video.stop()
    assert count == 3


def test_nothing_at_an_address(served):
    folder, address = served
    (folder / "text.mp4").write_text("no video")
    for name in ("none.mp4", "text.mp4"):
        with pytest.raises(UserError, match=f"No video can be read from '{address}/{name}'"):
            stream_of(f"{address}/{name}").open()


def test_a_playlist_on_the_network_opens_no_file_of_this_machine(served, tmp_path_factory):
    folder, address = served
    secret = tmp_path_factory.mktemp("private") / "clip.ts"
    write_clip(secret.with_suffix(".avi"))
    secret.write_bytes(secret.with_suffix(".avi").read_bytes())
    (folder / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n")
    with pytest.raises(UserError, match="No video can be read"):
        stream_of(f"{address}/list.m3u8").open()
