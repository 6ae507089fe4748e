"""A video's frames."""

import os
import struct

import cv2
import numpy as np
import pytest

from gesturehand.errors import UserError
from gesturehand.inference.video import Video


def test_video_frames(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 12.5, (64, 48))
    for value in (0, 100, 200):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[..., 2] = value  # red, in OpenCV's order
        writer.write(frame)
    writer.release()
    video = Video(path)
    frames = list(video)
    assert (video.frames, video.fps) == (3, 12.5)
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
    for value, frame in zip((0, 100, 200), frames, strict=True):
        assert np.abs(frame.reshape(-1, 3).mean(0) - [value, 0, 0]).max() < 6


def test_files_that_are_not_videos(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match="is not a video that FFmpeg reads"):
        Video(tmp_path / "clip.mp4")


def picture(width=64, height=48):
    """Red, blue and green quarters, which show the side that is up."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2, 0] = image[: height // 2, width // 2 :, 2] = image[height // 2 :, :, 1] = 255
    return image


def written_video(path, size, code="mp4v", frames=8):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25, size)
    for _ in range(frames):
        writer.write(picture(*size)[..., ::-1])
    writer.release()
    return path.read_bytes()


def jpegs(size, frames=8):
    return cv2.imencode(".jpg", picture(*size)[..., ::-1])[1].tobytes() * frames


def two_sizes(folder, kind, first=(64, 48), second=(48, 80)):
    """A stream of eight frames of one size and eight of another, as written by a recorder whose source changes."""
    path = folder / f"clip.{kind}"
    if kind == "mjpeg":
        parts = [jpegs(first), jpegs(second)]
    else:
        parts = [
            written_video(folder / f"{n}.{kind}", size, "mp4v" if kind == "ts" else "MPG2")
            for n, size in enumerate((first, second))
        ]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind,
            marks=pytest.mark.fault(
                kind="video whose size changes", variant=variant, outcome="every frame has its own size and proportions"
            ),
        )
        for kind, variant in (("mjpeg", "Motion JPEG"), ("mpg", "MPEG-2"), ("ts", "MPEG-4 in a transport stream"))
    ],
)
def test_frames_of_a_video_whose_size_changes(tmp_path, kind):
    video = Video(two_sizes(tmp_path, kind))
    frames = list(video)
    shapes = [frame.shape[:2] for frame in frames]
    assert shapes == sorted(shapes, key=lambda shape: shape != (48, 64))
    assert set(shapes) == {(48, 64), (80, 48)}
    assert video.damaged == 0
    for frame in frames:
        expected = picture(frame.shape[1], frame.shape[0]).astype(int)
        assert np.median(np.abs(frame.astype(int) - expected)) < 12


@pytest.mark.parametrize(
    "degrees",
    [
        pytest.param(
            degrees,
            marks=pytest.mark.fault(
                kind="video turned by its camera",
                variant=f"by {degrees}°",
                outcome="frames look as they do in a player",
            ),
        )
        for degrees in (90, 180, 270)
    ],
)
def test_video_is_turned_as_a_player_turns_it(tmp_path, degrees):
    """Against OpenCV, which turns by the same entry of the file (ISO 14496-12, 8.3.2: the matrix of a track)."""
    content = bytearray(written_video(tmp_path / "clip.mp4", (64, 48)))
    unity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    place = content.index(unity, content.index(b"tkhd"))
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content[place : place + 36] = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    path = tmp_path / "turned.mp4"
    path.write_bytes(content)
    capture = cv2.VideoCapture(str(path))
    expected = capture.read()[1][..., ::-1].astype(int)
    capture.release()
    frames = list(Video(path))
    assert len(frames) == 8
    assert frames[0].shape[:2] == ((48, 64) if degrees == 180 else (64, 48))
    np.testing.assert_allclose(frames[0].astype(int), expected, atol=3)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            make,
            marks=pytest.mark.fault(kind="not a regular file", variant=f"video: {variant}", outcome="refused at once"),
        )
        for variant, make in (
            ("pipe", os.mkfifo),
            ("device", lambda path: path.symlink_to("/dev/zero")),
        )
    ],
)
def test_a_video_that_is_not_a_file(tmp_path, make):
    make(tmp_path / "clip.mp4")
    with pytest.raises(UserError, match=r"clip\.mp4' is not a regular file: give a video file"):
        Video(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            content,
            id=variant,
            marks=pytest.mark.fault(kind="no video", variant=variant, outcome="refused in one sentence"),
        )
        for variant, content in (
            ("empty file", b""),
            ("text", b"no video"),
            ("playlist that names an address", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
            ("MP4 that ends before its table", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)),
            ("sound only", b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0D\xac\0\0D\xac\0\0\1\0\x08\0data\4\0\0\0\0\0\0\0"),
        )
    ],
)
def test_further_files_that_are_not_videos(tmp_path, content):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"clip\.mp4' is not a video that FFmpeg reads"):
        list(Video(tmp_path / "clip.mp4"))


@pytest.mark.fault(
    kind="too large an image",
    variant="video that claims frames of 10,000 × 10,000",
    outcome="refused before anything is decoded",
)
def test_a_video_with_frames_larger_than_images_may_be(tmp_path):
    content = bytearray(written_video(tmp_path / "clip.avi", (64, 48), "I420"))
    place = content.index(struct.pack("<ii", 64, 48), content.index(b"strf"))
    content[place : place + 8] = struct.pack("<ii", 10_000, 10_000)
    (tmp_path / "clip.avi").write_bytes(content)
    with pytest.raises(UserError, match="claims frames of 10000 x 10000 pixels, more than 67108864"):
        Video(tmp_path / "clip.avi")


@pytest.mark.fault(
    kind="damaged video",
    variant="Motion JPEG with a broken frame",
    outcome="the other frames are predicted, and those left out are counted",
)
def test_a_broken_frame_is_counted(tmp_path):
    whole = jpegs((64, 48), 1)
    broken = whole[:2] + bytes(40) + whole[42:]
    path = tmp_path / "clip.mjpeg"
    path.write_bytes(whole * 3 + broken + whole * 3)
    video = Video(path)
    frames = list(video)
    assert len(frames) + video.damaged >= 6
    assert len(frames) >= 5


@pytest.mark.fault(
    kind="damaged video", variant="MPEG stream cut in the middle", outcome="the frames up to the damage are predicted"
)
def test_a_cut_video_gives_its_beginning(tmp_path):
    content = written_video(tmp_path / "clip.ts", (64, 48), frames=40)
    (tmp_path / "clip.ts").write_bytes(content[: len(content) * 2 // 3])
    assert 10 < len(list(Video(tmp_path / "clip.ts"))) < 40
