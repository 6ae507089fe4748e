"""Reading images: the quick look at a JPEG's header against Pillow's, what is refused, the same pixels as imread."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from gesturehand.data.image_file import UnreadableImageError, problem_of_header, read_image


@pytest.fixture
def picture() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8), (5, 5), 2)


def saved(picture, format, **settings) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format, **settings)
    return buffer.getvalue()


def exif(orientation) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize(
    ("name", "format", "settings"),
    [
        ("baseline.jpg", "JPEG", {}),
        ("progressive.jpg", "JPEG", {"progressive": True}),
        ("turned.jpg", "JPEG", {"exif": exif(6)}),
        ("long_comment.jpg", "JPEG", {"comment": b"a" * 60_000}),  # the size comes after the first bytes
        ("picture.png", "PNG", {}),
        ("picture.webp", "WEBP", {"lossless": True}),
        ("picture.bmp", "BMP", {}),
    ],
)
def test_every_kind_is_read_as_pillow_reads_it(tmp_path, picture, name, format, settings):
    path = tmp_path / name
    path.write_bytes(saved(picture, format, **settings))
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    # Two JPEG decoders may round differently; the other formats keep every bit.
    np.testing.assert_allclose(read_image(path), expected, atol=4 if format == "JPEG" else 0)
    assert problem_of_header(path, (70, 50)) is None
    assert problem_of_header(path, (50, 70)) == "is 70 x 50 and not 50 x 70 as announced"


def test_grey_jpeg_has_three_channels(tmp_path, picture):
    path = tmp_path / "grey.jpg"
    path.write_bytes(saved(picture[..., 0], "JPEG"))
    image = read_image(path)
    assert image.shape == (50, 70, 3)
    assert (image[..., :1] == image).all()


def test_real_frames_are_read_as_before(real_sample):
    files = sorted((real_sample / "images").rglob("*.jpg"))
    assert files
    for file in files:
        expected = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        np.testing.assert_array_equal(read_image(file), expected)
        assert problem_of_header(file, expected.shape[1::-1]) is None


def test_size_that_a_jpeg_claims_is_checked_before_decoding(tmp_path, picture):
    content = bytearray(saved(picture, "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", 60_000, 50_000)
    path = tmp_path / "bomb.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="claims 50000 x 60000 pixels, more than"):
        read_image(path)


@pytest.mark.parametrize("left", [0, 1, 2, 20, 160, 400, -300, -30])
def test_cut_jpeg_is_refused_and_not_filled_with_grey(tmp_path, picture, left):
    path = tmp_path / "cut.jpg"
    path.write_bytes(saved(picture, "JPEG")[:left])
    with pytest.raises(UnreadableImageError, match=r"cut\.jpg' is not a readable image: get it again"):
        read_image(path)


def test_missing_image(tmp_path):
    with pytest.raises(UnreadableImageError, match="is missing: find it"):
        read_image(tmp_path / "none.jpg", remedy="find it")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x00", b"\xff\xd8" + b"\xff" * 5000]
)
def test_what_is_no_image(tmp_path, content):
    path = tmp_path / "none.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="is not a readable image"):
        read_image(path)
