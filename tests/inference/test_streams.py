"""Cameras and addresses; addresses against a server on this machine."""

import cv2
import numpy as np
import pytest

from gesturehand.errors import UserError
from gesturehand.inference.sources import find_sources
from gesturehand.inference.streams import Stream, stream_of


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
def test_what_is_no_stream(text):
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


def test_a_camera_that_is_not_there():
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
