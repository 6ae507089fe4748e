"""What inputs stand for."""

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
    with pytest.raises(UserError, match="is not a video that OpenCV reads"):
        Video(tmp_path / "clip.mp4")
