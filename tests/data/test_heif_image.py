"""HEIC and AVIF, as Pillow writes them, through the one reader; and what is said where it cannot."""

import json
import sys

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, features

from gesturehand.cli.main import main
from gesturehand.data.heif_image import avif_is_read, decode_heif, heic_is_read
from gesturehand.data.image_file import UnreadableImageError, image_suffixes, look_at_image, read_image
from gesturehand.inference.exif import exif_intrinsics
from gesturehand.inference.sources import find_sources

HEIC = pytest.param("HEIF", ".heic", marks=pytest.mark.skipif(not heic_is_read(), reason="pillow-heif is missing"))
AVIF = pytest.param("AVIF", ".avif", marks=pytest.mark.skipif(not avif_is_read(), reason="Pillow has no AVIF"))


def picture(width=96, height=64):
    """Colours that change slowly, which a codec keeps, and are not their own mirror image."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return (np.stack([x, y, x * y], -1) * 200 + 30).astype(np.uint8)


def written(path, kind, image=None, **tags):
    exif = Image.Exif()
    for name, value in tags.items():
        place = exif if name == "Orientation" else exif.get_ifd(ExifTags.IFD.Exif)
        place[ExifTags.Base[name]] = value
    Image.fromarray(picture() if image is None else image).save(path, kind, quality=95, exif=exif.tobytes())
    return path


@pytest.mark.parametrize(("kind", "suffix"), [HEIC, AVIF])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_read_as_a_viewer_shows_it(tmp_path, kind, suffix, orientation):
    path = written(tmp_path / f"a{suffix}", kind, Orientation=orientation)
    turned = Image.fromarray(picture())
    turned.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    found = read_image(path)
    assert found.shape == expected.shape
    assert look_at_image(path) == found.shape[1::-1]
    assert np.abs(found - expected).mean() < 4
    # What the file holds decides, not its name.
    path.rename(tmp_path / "b.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), found)


@pytest.mark.parametrize(("kind", "suffix"), [HEIC, AVIF])
def test_the_focal_length_is_read(tmp_path, kind, suffix):
    path = written(tmp_path / f"a{suffix}", kind, FocalLengthIn35mmFilm=26)
    expected = 26 / np.hypot(36, 24) * np.hypot(96, 64)
    assert exif_intrinsics(path, 96, 64)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "suffix"), [HEIC, AVIF])
def test_what_is_damaged_is_refused_in_one_sentence(tmp_path, kind, suffix):
    content = written(tmp_path / f"a{suffix}", kind).read_bytes()
    rng = np.random.default_rng(0)
    for length in rng.integers(12, len(content) - 1, 20):
        path = tmp_path / "cut.heic"
        path.write_bytes(content[:length])
        with pytest.raises(
            UnreadableImageError, match=r"^The image '.*cut\.heic' is not a readable image: get it again"
        ):
            read_image(path)
    assert decode_heif(b"") is None


@pytest.mark.parametrize(("kind", "suffix"), [HEIC, AVIF])
def test_sixteen_bits_grey_and_transparency(tmp_path, kind, suffix):
    for mode in ("L", "RGBA", "LA"):
        Image.fromarray(picture()).convert(mode).save(tmp_path / f"{mode}{suffix}", kind, quality=95)
        found = read_image(tmp_path / f"{mode}{suffix}")
        assert (found.shape, found.dtype) == ((64, 96, 3), np.uint8)


@pytest.mark.parametrize(("kind", "suffix"), [HEIC, AVIF])
def test_folders_give_them_too(tmp_path, kind, suffix):
    path = written(tmp_path / f"IMG_1{suffix.upper()}", kind)
    assert find_sources([tmp_path]).images == (path,)


def test_without_pillow_heif_a_sentence_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x24ftypheic" + bytes(99))
    with pytest.raises(UnreadableImageError) as caught:
        read_image(tmp_path / "a.heic")
    assert str(caught.value) == (
        f"The image '{tmp_path / 'a.heic'}' is not a readable image but HEIC: read it after pip install "
        "'gesturehand[heic]', or convert it to JPEG, PNG, WebP or BMP."
    )
    assert ".heic" not in image_suffixes()
    (tmp_path / "b.jpg").write_bytes(b"")
    (sentence,) = find_sources([tmp_path]).left_out
    assert "Images have to be JPEG, PNG, WebP or BMP (after pip install 'gesturehand[heic]' also HEIC);" in sentence


def test_without_avif_in_pillow_likewise(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x1cftypavif" + bytes(99))
    with pytest.raises(UnreadableImageError, match=r"but AVIF: read it after pip install 'gesturehand\[heic\]', or"):
        read_image(tmp_path / "a.avif")


def test_a_claim_of_too_many_pixels_is_refused_before_anything_is_decoded(tmp_path):
    if not avif_is_read():
        pytest.skip("Pillow has no AVIF")
    content = bytearray(written(tmp_path / "a.avif", "AVIF").read_bytes())
    place = content.index(b"ispe") + 8
    content[place : place + 8] = (60_000).to_bytes(4) * 2
    (tmp_path / "a.avif").write_bytes(content)
    with pytest.raises(UnreadableImageError):
        read_image(tmp_path / "a.avif")


@pytest.mark.parametrize(("kind", "suffix"), [HEIC, AVIF])
def test_import_makes_them_jpeg_and_says_so(tmp_path, capsys, kind, suffix):
    path = written(tmp_path / f"a{suffix}", kind)
    hand = {
        "image": path.name,
        "hand": "right",
        "split": "train",
        "joints_2d": [[8 + k, 9 + 3 * (k % 5)] for k in range(21)],
    }
    (tmp_path / "joints.json").write_text(json.dumps([hand]))
    words = [f"--images={tmp_path}", f"--joints={tmp_path / 'joints.json'}", f"--out={tmp_path / 'set'}"]
    assert main(["data", "import", *words]) == 0
    assert "HEIC or AVIF: 1 image is JPEG in the set." in capsys.readouterr().out
    (copy,) = (file for file in (tmp_path / "set" / "images").rglob("*") if file.is_file())
    assert copy.suffix == ".jpg"
    with Image.open(copy) as image:
        assert image.format == "JPEG"
    assert np.abs(read_image(copy).astype(int) - read_image(path)).mean() < 2
