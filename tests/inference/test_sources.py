"""What inputs stand for."""

import os
import struct

import cv2
import numpy as np
import pytest

from gesturehand.errors import UserError
from gesturehand.inference.sources import Video, find_sources


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


def test_what_cannot_be_found(folder):
    with pytest.raises(UserError, match=r"none.jpg' does not exist"):
        find_sources([folder / "none.jpg"])
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty' holds no images"):
        find_sources([folder / "empty"])
    (folder / "sub" / "b.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"2 inputs are named 'b.jpg'"):
        find_sources([folder, folder / "sub"])


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


def test_what_is_no_video(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match="is not a video that FFmpeg reads"):
        Video(tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("names", "images", "says"),
    [
        pytest.param(
            names,
            images,
            says,
            id=variant,
            marks=pytest.mark.fault(
                kind="phone folder",
                variant=variant,
                outcome="images are predicted, what is left out is counted by its kind, hidden files are passed over",
            ),
        )
        for variant, names, images, says in (
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
        )
    ],
)
def test_what_a_folder_holds_beside_images(tmp_path, names, images, says):
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


@pytest.mark.fault(
    kind="phone folder",
    variant="HEIC and MOV only",
    outcome="refused: the sentence counts what is there, and the remedy",
)
def test_a_folder_without_any_image_that_is_read(tmp_path):
    for name in ("a.heic", "b.heic", "c.mov", "._a.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        UserError, match=r"holds no images \(.*\) but 2 \.heic, 1 \.mov: give .*, convert other formats"
    ):
        find_sources([tmp_path])


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        pytest.param(
            written,
            stored,
            id=variant,
            marks=pytest.mark.fault(
                kind="image's name spelled another way", variant=f"predict: {variant}", outcome="the file is found"
            ),
        )
        for variant, written, stored in (
            ("image in NFC, the file in NFD", "é.jpg", "e\u0301.jpg"),
            ("image with backslashes", "DCIM\\a.jpg", "DCIM/a.jpg"),
            ("folder in NFD, the file system's in NFC", "u\u0308/a.jpg", "ü/a.jpg"),
            ("video in NFD, the file in NFC", "e\u0301.mp4", "é.mp4"),
        )
    ],
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


def picture(width=64, height=48):
    """Red, blue and green quarters: which side is up can be seen."""
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
    """A stream of eight frames of one size and eight of another, as a recorder writes whose source changes."""
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
                kind="video turned by its camera", variant=f"by {degrees}°", outcome="frames are as a player shows them"
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
            marks=pytest.mark.fault(kind="no regular file", variant=f"video: {variant}", outcome="refused at once"),
        )
        for variant, make in (
            ("pipe", os.mkfifo),
            ("device", lambda path: path.symlink_to("/dev/zero")),
        )
    ],
)
def test_a_video_that_is_no_file(tmp_path, make):
    make(tmp_path / "clip.mp4")
    with pytest.raises(UserError, match=r"clip\.mp4' is no regular file: give a video file"):
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
def test_what_is_no_video_either(tmp_path, content):
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
    outcome="the other frames, and how many are left out",
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


@pytest.mark.fault(kind="damaged video", variant="MPEG stream cut in the middle", outcome="the frames up to there")
def test_a_cut_video_gives_its_beginning(tmp_path):
    content = written_video(tmp_path / "clip.ts", (64, 48), frames=40)
    (tmp_path / "clip.ts").write_bytes(content[: len(content) * 2 // 3])
    assert 10 < len(list(Video(tmp_path / "clip.ts"))) < 40
