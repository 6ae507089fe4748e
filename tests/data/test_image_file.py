"""Reading images, against Pillow, which turns them as Exif says; import, loader, check and predict agree."""

import contextlib
import io
import json
import os
import socket
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from faults import faults
from hostile_files import claims
from PIL import ExifTags, Image, ImageOps, features
from refusals import refused

from gesturehand.cli.main import main
from gesturehand.data.crop import crop_affine
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.image_file import (
    MAX_IMAGE_PIXELS,
    UnreadableImageError,
    avif_is_read,
    decode_heif,
    heic_is_read,
    image_suffixes,
    look_at_image,
    read_image,
)
from gesturehand.inference.query import ImageQuery, exif_intrinsics, image_of
from gesturehand.inference.sources import find_sources

WIDTH, HEIGHT = 70, 50
HEIC_FILE = pytest.param("HEIF", ".heic", marks=pytest.mark.skipif(not heic_is_read(), reason="pillow-heif is missing"))
AVIF_FILE = pytest.param("AVIF", ".avif", marks=pytest.mark.skipif(not avif_is_read(), reason="Pillow has no AVIF"))


def smooth() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8), (5, 5), 2)


def saved(picture, format, **settings) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format, **settings)
    return buffer.getvalue()


def exif(orientation, kind=3, order="<", count=1) -> bytes:
    """Exif data with one entry, as cameras write it: Pillow would not write the odd ones."""
    value = struct.pack(order + {1: "B", 3: "H", 4: "I", 9: "i"}[kind], orientation).ljust(4, b"\0")
    entry = struct.pack(f"{order}HHI", 0x0112, kind, count) + value
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return b"Exif\0\0" + head + struct.pack(f"{order}H", 1) + entry + bytes(4)


def with_chunk_after_pixels(png: bytes, name: bytes, content: bytes) -> bytes:
    chunk = struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png[:-12] + chunk + png[-12:]


def shown_by_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


LOSSLESS = {"JPEG": {"quality": 95}, "PNG": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize(
    ("name", "format", "settings"),
    [
        ("baseline.jpg", "JPEG", {}),
        ("progressive.jpg", "JPEG", {"progressive": True}),
        ("turned.jpg", "JPEG", {"exif": exif(6)}),
        ("long_comment.jpg", "JPEG", {"comment": b"a" * 60_000}),  # the size comes after the first bytes
        ("picture.png", "PNG", {}),
        ("picture.webp", "WEBP", {"lossless": True}),
        ("lossy.webp", "WEBP", {"quality": 90}),
        ("picture.bmp", "BMP", {}),
    ],
)
def test_every_kind_is_read_as_pillow_reads_it(tmp_path, name, format, settings):
    path = tmp_path / name
    path.write_bytes(saved(smooth(), format, **settings))
    expected = shown_by_pillow(path).astype(int)
    # Two lossy decoders may round differently; the other formats keep every bit.
    np.testing.assert_allclose(read_image(path), expected, atol=4 if name.endswith("jpg") or "lossy" in name else 0)
    height, width = expected.shape[:2]
    assert look_at_image(path, (width, height)) == (width, height)
    with pytest.raises(UnreadableImageError, match=rf"is {width} x {height}.* and not {height} x {width} as announced"):
        look_at_image(path, (height, width))


def test_grey_jpeg_has_three_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    path.write_bytes(saved(smooth()[..., 0], "JPEG"))
    image = read_image(path)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert (image[..., :1] == image).all()


def test_real_frames_are_read_as_before(real_sample):
    files = sorted((real_sample / "images").rglob("*.jpg"))
    assert files
    for file in files:
        expected = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        np.testing.assert_array_equal(read_image(file), expected)
        assert look_at_image(file) == expected.shape[1::-1]


@pytest.mark.parametrize("left", [0, 1, 2, 20, 160, 400, -300, -30, -1])
def test_cut_jpeg_is_refused_and_not_filled_with_grey(tmp_path, left):
    path = tmp_path / "cut.jpg"
    path.write_bytes(saved(smooth(), "JPEG")[:left])
    with pytest.raises(UnreadableImageError, match=r"cut\.jpg' (is not a readable image|is cut short.*): get it again"):
        read_image(path)


@pytest.mark.fault(
    kind="image with more after its end",
    variant="JPEG with a film behind it (motion photo)",
    outcome="read in full",
)
def test_bytes_after_a_whole_jpeg_are_ignored(tmp_path):
    path = tmp_path / "motion.jpg"
    path.write_bytes(saved(smooth(), "JPEG") + b"MotionPhoto" + bytes(5000))
    assert read_image(path).shape == (HEIGHT, WIDTH, 3)


def test_missing_image(tmp_path):
    with pytest.raises(UnreadableImageError, match="is missing: find it"):
        read_image(tmp_path / "none.jpg", remedy="find it")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x00", b"\xff\xd8" + b"\xff" * 5000]
)
def test_files_that_are_not_images(tmp_path, content):
    path = tmp_path / "none.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match="is not a readable image"):
        read_image(path)


# --- one reading for everybody: a set of one image, made by the ordinary command, and what each of the four reports


def joints_of(name):
    return {
        "image": name,
        "hand": "right",
        "split": "train",
        "joints_2d": [[8 + k, 9 + 3 * (k % 5)] for k in range(21)],
    }


def imported(folder: Path, name: str) -> int:
    """`data import` of the folder's one image into ``folder/set``."""
    (folder / "joints.json").write_text(json.dumps([joints_of(name)]))
    return main(
        ["data", "import", f"--images={folder}", f"--joints={folder / 'joints.json'}", f"--out={folder / 'set'}"]
    )


def only_image(root: Path) -> Path:
    (path,) = (path for path in (root / "images").rglob("*") if path.name.startswith("image"))
    return path


def loaded(root: Path):
    return InterHandDataModule(str(root), image_size=32, num_workers=0, augment=False, test_split="train").dataset(
        "test"
    )


def checked(root: Path, out: Path) -> dict[str, int]:
    with contextlib.suppress(SystemExit):
        main(["data", "check", f"--root={root}", f"--out={out}", "--mano_fits=false"])
    return {kind: n for kind, n in json.loads(out.read_text())["counts"].items() if "image" in kind}


def turned_files():
    for format, ending in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")):
        for orientation in range(2, 9):
            content = saved(smooth(), format, exif=exif(orientation), **LOSSLESS[format])
            yield f"{format}, Exif orientation {orientation}", ending, content
    late = with_chunk_after_pixels(saved(smooth(), "PNG"), b"eXIf", exif(8).removeprefix(b"Exif\0\0"))
    yield "PNG, Exif orientation 8 after the pixels", "png", late
    yield "JPEG, Exif orientation 6 in big-endian order", "jpg", saved(smooth(), "JPEG", exif=exif(6, order=">"))
    yield "JPEG, Exif orientation 6 as a long number", "jpg", saved(smooth(), "JPEG", exif=exif(6, kind=4))
    yield "JPEG, Exif orientation 5, progressive", "jpg", saved(smooth(), "JPEG", exif=exif(5), progressive=True)
    yield "PNG named .jpg, Exif orientation 6", "jpg", saved(smooth(), "PNG", exif=exif(6))
    yield "JPEG, Exif orientation 9, which there is not", "jpg", saved(smooth(), "JPEG", exif=exif(9))
    yield "JPEG, Exif orientation 0", "jpg", saved(smooth(), "JPEG", exif=exif(0))


@pytest.mark.parametrize(
    ("ending", "content"),
    faults(
        "photo turned by its camera", "import, loader, check and predict see it as a viewer shows it", turned_files()
    ),
)
def test_everybody_sees_the_same_as_a_viewer(tmp_path, ending, content):
    path = tmp_path / f"photo.{ending}"
    path.write_bytes(content)
    expected = shown_by_pillow(path)
    near = 5 if content[:2] == b"\xff\xd8" else 0
    assert imported(tmp_path, path.name) == 0
    data = json.loads(
        (tmp_path / "set" / "annotations" / "train" / "InterHand2.6M_train_data.json").read_text(encoding="utf-8")
    )
    assert (data["images"][0]["height"], data["images"][0]["width"]) == expected.shape[:2]
    assert checked(tmp_path / "set", tmp_path / "found.json") == {}
    dataset = loaded(tmp_path / "set")
    crop = cv2.warpAffine(expected, crop_affine(dataset.boxes[0], 32), (32, 32), flags=cv2.INTER_LINEAR)
    np.testing.assert_allclose(dataset[0]["image"].permute(1, 2, 0).numpy().astype(int), crop.astype(int), atol=near)
    np.testing.assert_allclose(image_of(ImageQuery(path)).astype(int), expected.astype(int), atol=near)


def jpeg_that_claims(width: int, height: int) -> bytes:
    content = bytearray(saved(smooth(), "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(path.parent)  # the names of sockets must be short
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


JPEG, PNG = saved(smooth(), "JPEG"), saved(smooth(), "PNG")
CUT, OTHER, LARGE, NO_FILE = "image cut short", "image of another format", "image too large", "image unreadable"
#: Only the first bytes of such files; if the packages for them are installed, they count as damaged.
HEIC = (NO_FILE, "is not a readable image: ") if heic_is_read() else (OTHER, "but HEIC: read it after pip install")
AVIF = (NO_FILE, "is not a readable image: ") if avif_is_read() else (OTHER, "but AVIF: read it after pip install")
#: The content in place of the image (bytes, or a function that writes it), the check's kind, and everybody's message.
REFUSED = [
    ("cut image", "JPEG, second half missing", half(JPEG), CUT, "is cut short"),
    ("cut image", "JPEG, last byte missing", JPEG[:-1], CUT, "is cut short"),
    ("cut image", "JPEG, second half zeros, as of a broken copy", half(JPEG).ljust(len(JPEG), b"\0"), CUT, "is cut"),
    ("cut image", "progressive JPEG, cut", half(saved(smooth(), "JPEG", progressive=True)), CUT, "is cut short"),
    ("cut image", "PNG, cut", half(PNG), CUT, "is cut short"),
    ("cut image", "PNG without its last chunk", PNG[:-12], CUT, "is cut short"),
    ("cut image", "WebP, cut", half(saved(smooth(), "WEBP")), CUT, "is cut short"),
    ("cut image", "BMP, cut", half(saved(smooth(), "BMP")), CUT, "is cut short"),
    ("image of another format", "TIFF", saved(smooth(), "TIFF"), OTHER, "but TIFF or raw: convert it to JPEG, PNG"),
    ("image of another format", "GIF", saved(smooth(), "GIF"), OTHER, "but GIF: convert it to JPEG"),
    ("image of another format", "JPEG 2000", saved(smooth(), "JPEG2000"), OTHER, "but JPEG 2000: convert it"),
    ("image of another format", "PPM", saved(smooth(), "PPM"), OTHER, "but PNM: convert it"),
    ("image of another format", "AVIF", b"\0\0\0\x1cftypavif" + bytes(99), *AVIF),
    ("image of another format", "HEIC", b"\0\0\0\x24ftypheic" + bytes(99), *HEIC),
    ("image of another format", "JPEG XL", b"\xff\x0a" + bytes(99), OTHER, "but JPEG XL: convert it"),
    ("image of another format", "film named .jpg", b"\0\0\0\x20ftypisom" + bytes(99), OTHER, "but MP4 or MOV"),
    ("image of another format", "macOS's ._ file", b"\0\5\x16\7\0\2" + bytes(99), OTHER, "but AppleDouble"),
    ("too large an image", "PNG of 20,000 × 20,000", claims(PNG, 20_000, 20_000), LARGE, "claims 20000 x 20000 pixels"),
    ("too large an image", "JPEG of 50,000 × 60,000", jpeg_that_claims(50_000, 60_000), LARGE, "claims 50000 x 60000"),
    ("too large an image", "PNG of 2³¹ − 1 rows", claims(PNG, 1, 2**31 - 1), LARGE, "pixels, more than 67108864"),
    ("not a regular file", "pipe", os.mkfifo, NO_FILE, "is not a regular file"),
    ("not a regular file", "folder", Path.mkdir, NO_FILE, "is not a regular file"),
    ("not a regular file", "device", lambda p: p.symlink_to("/dev/zero"), NO_FILE, "is not a regular file"),
    ("not a regular file", "socket", listening, NO_FILE, "cannot be read"),
    ("not a regular file", "link to nothing", lambda p: p.symlink_to("nothing"), "image missing", "is missing"),
    ("not a regular file", "link to itself", lambda p: p.symlink_to(p.name), NO_FILE, "cannot be read"),
    ("no image", "empty file", b"", NO_FILE, "is not a readable image"),
    ("no image", "web page", b"<!DOCTYPE html><html>404</html>", NO_FILE, "is not a readable image"),
    ("no image", "PNG with a wrong checksum", PNG[:60] + bytes(8) + PNG[68:], NO_FILE, "is not a readable image"),
    ("no image", "JPEG of no height", jpeg_that_claims(70, 0), NO_FILE, "is not a readable image"),
]  # fmt: skip


def put(thing, path: Path) -> None:
    if callable(thing):
        thing(path)
    else:
        path.write_bytes(thing)


@pytest.mark.parametrize(
    ("thing", "kind", "says"),
    [
        pytest.param(
            thing,
            kind,
            says,
            id=variant,
            marks=pytest.mark.fault(
                kind=fault, variant=variant, outcome="import, loader, check and predict refuse it in one sentence"
            ),
        )
        for fault, variant, thing, kind, says in REFUSED
    ],
)
def test_everybody_refuses_the_same(tmp_path, capsys, thing, kind, says):
    path = tmp_path / "photo.jpg"
    put(thing, path)
    with refused(says, f"The image '{path}' "):
        image_of(ImageQuery(path))

    assert imported(tmp_path, path.name) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "set").exists()

    good = tmp_path / "good"
    good.mkdir()
    (good / "photo.jpg").write_bytes(JPEG)
    assert imported(good, "photo.jpg") == 0
    only_image(good / "set").unlink()
    put(thing, next((good / "set" / "images").rglob("cam*")) / "image0.jpg")
    dataset = loaded(good / "set")
    with refused(says):
        dataset[0]
    assert checked(good / "set", tmp_path / "found.json") == {kind: 1}


def test_largest_image_that_is_read(tmp_path):
    """The limit is one of pixels; an image with one row fewer than too many is read."""
    path = tmp_path / "image.png"
    path.write_bytes(claims(PNG, 8192, 8192))
    assert look_at_image(path) == (8192, 8192)
    path.write_bytes(claims(PNG, 8192, 8193))
    with pytest.raises(UnreadableImageError, match=f"more than {MAX_IMAGE_PIXELS} in all"):
        look_at_image(path)


@pytest.mark.parametrize(
    "content",
    faults(
        "image of another size than annotated",
        "loader and check refuse it and name both sizes",
        (
            ("scaled down", saved(cv2.resize(smooth(), (35, 25)), "JPEG")),
            ("scaled up", saved(cv2.resize(smooth(), (140, 100)), "JPEG")),
            ("cropped by a column", saved(np.ascontiguousarray(smooth()[:, 1:]), "JPEG")),
            ("turned by hand", saved(np.ascontiguousarray(np.rot90(smooth())), "JPEG")),
            ("an Exif orientation 6 added", saved(smooth(), "JPEG", exif=exif(6))),
            ("another format and size", saved(cv2.resize(smooth(), (64, 64)), "PNG")),
        ),
    ),
)
def test_image_of_another_size_than_annotated(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG)
    assert imported(tmp_path, path.name) == 0
    image = only_image(tmp_path / "set")
    image.write_bytes(content)
    height, width = shown_by_pillow(image).shape[:2]
    with pytest.raises(UnreadableImageError) as caught:
        loaded(tmp_path / "set")[0]
    assert f"is {width} x {height}" in str(caught.value)
    assert f"not {WIDTH} x {HEIGHT} as announced: put back the image that was annotated" in str(caught.value)
    assert checked(tmp_path / "set", tmp_path / "found.json") == {"image size other than announced": 1}
    (problem,) = json.loads((tmp_path / "found.json").read_text())["problems"]
    assert f"{width} x {height}" in problem["detail"]
    assert f"{WIDTH} x {HEIGHT}" in problem["detail"]


#: The name in the joints file, and that in the file system.
SPELLINGS = [
    ("backslashes between folders", "kitchen\\left\\a.jpg", "kitchen/left/a.jpg"),
    ("both slashes", "kitchen\\left/a.jpg", "kitchen/left/a.jpg"),
    ("./ in front", "./kitchen//a.jpg", "kitchen/a.jpg"),
    (".\\ in front", ".\\a.jpg", "a.jpg"),
    ("NFC, the file in NFD", "küche/é.jpg", "ku\u0308che/e\u0301.jpg"),
    ("NFD, the file in NFC", "ku\u0308che/e\u0301.jpg", "küche/é.jpg"),
    ("half NFC, half NFD", "küche/e\u0301.jpg", "ku\u0308che/é.jpg"),
    ("NFD and backslashes", "ku\u0308che\\a.jpg", "küche/a.jpg"),
    ("Hangul in NFD", "\u1112\u1161\u11ab.jpg", "한.jpg"),
    ("a backslash that is part of the file's name", "a\\b.jpg", "a\\b.jpg"),
]


@pytest.mark.parametrize(
    ("written", "stored"),
    faults("image's name spelled another way", "import, loader, check and predict find the file", SPELLINGS),
)
def test_file_is_found_however_its_name_is_spelled(tmp_path, written, stored):
    (tmp_path / stored).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / stored).write_bytes(JPEG)
    expected = shown_by_pillow(tmp_path / stored).astype(int)
    np.testing.assert_allclose(image_of(ImageQuery(tmp_path / written)), expected, atol=5)
    assert imported(tmp_path, written) == 0

    # Somebody else's set whose annotations spell the name this way.
    table = tmp_path / "set" / "annotations" / "train" / "InterHand2.6M_train_data.json"
    content = json.loads(table.read_text(encoding="utf-8"))
    content["images"][0]["file_name"] = written
    table.write_text(json.dumps(content), encoding="utf-8")
    target = tmp_path / "set" / "images" / "train" / stored
    target.parent.mkdir(parents=True, exist_ok=True)
    only_image(tmp_path / "set").replace(target)
    assert loaded(tmp_path / "set")[0]["image"].any()
    assert checked(tmp_path / "set", tmp_path / "found.json") == {}


@pytest.mark.fault(
    kind="image's name spelled another way",
    variant="another case (.JPG for .jpg)",
    outcome="refused, because it may be another file; the sentence names the one that is there",
)
def test_name_in_another_case_is_named(tmp_path):
    (tmp_path / "IMG_1.JPG").write_bytes(JPEG)
    if (tmp_path / "img_1.jpg").exists():
        pytest.skip("this file system knows no case")
    with pytest.raises(UnreadableImageError, match=r"img_1\.jpg' is missing \('IMG_1\.JPG' exists\)"):
        read_image(tmp_path / "img_1.jpg")


@pytest.mark.fault(
    kind="image's name spelled another way",
    variant="two hands of one image, one spelled NFC and one NFD",
    outcome="imported as one image with two hands",
)
def test_two_spellings_of_one_image_are_one_image(tmp_path):
    (tmp_path / "é.jpg").write_bytes(JPEG)
    hands = [joints_of("é.jpg"), {**joints_of("e\u0301.jpg"), "hand": "left"}]
    (tmp_path / "joints.json").write_text(json.dumps(hands))
    words = [f"--images={tmp_path}", f"--joints={tmp_path / 'joints.json'}", f"--out={tmp_path / 'set'}"]
    assert main(["data", "import", *words]) == 0
    table = tmp_path / "set" / "annotations" / "train" / "InterHand2.6M_train_data.json"
    (annotation,) = json.loads(table.read_text())["annotations"]
    assert annotation["hand_type"] == "interacting"


def picture(width=96, height=64):
    """A picture whose colours change slowly, which a codec keeps, and which is not its own mirror image."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return (np.stack([x, y, x * y], -1) * 200 + 30).astype(np.uint8)


def written(path, kind, image=None, **tags):
    exif = Image.Exif()
    for name, value in tags.items():
        place = exif if name == "Orientation" else exif.get_ifd(ExifTags.IFD.Exif)
        place[ExifTags.Base[name]] = value
    Image.fromarray(picture() if image is None else image).save(path, kind, quality=95, exif=exif.tobytes())
    return path


@pytest.mark.parametrize(("kind", "suffix"), [HEIC_FILE, AVIF_FILE])
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
    # The file's content decides, not its name.
    path.rename(tmp_path / "b.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), found)


@pytest.mark.parametrize(("kind", "suffix"), [HEIC_FILE, AVIF_FILE])
def test_the_focal_length_is_read(tmp_path, kind, suffix):
    path = written(tmp_path / f"a{suffix}", kind, FocalLengthIn35mmFilm=26)
    expected = 26 / np.hypot(36, 24) * np.hypot(96, 64)
    assert exif_intrinsics(path, 96, 64)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "suffix"), [HEIC_FILE, AVIF_FILE])
def test_damaged_images_are_refused_in_one_sentence(tmp_path, kind, suffix):
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


@pytest.mark.parametrize(("kind", "suffix"), [HEIC_FILE, AVIF_FILE])
def test_sixteen_bits_grey_and_transparency(tmp_path, kind, suffix):
    for mode in ("L", "RGBA", "LA"):
        Image.fromarray(picture()).convert(mode).save(tmp_path / f"{mode}{suffix}", kind, quality=95)
        found = read_image(tmp_path / f"{mode}{suffix}")
        assert (found.shape, found.dtype) == ((64, 96, 3), np.uint8)


@pytest.mark.parametrize(("kind", "suffix"), [HEIC_FILE, AVIF_FILE])
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


@pytest.mark.parametrize(("kind", "suffix"), [HEIC_FILE, AVIF_FILE])
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
