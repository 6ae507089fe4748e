"""The header of an image file: format, size, how the camera was held, and whether the file is complete.

JPEG: ITU-T T.81, B.1 and CIPA DC-008 (Exif) 4.5; PNG: W3C Recommendation, third edition, 5 and 11; WebP: RFC 9649, 2.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from PIL import ExifTags, Image

#: More entries, segments or chunks than any program writes, so that a damaged file does not take minutes.
_MOST_PARTS: Final = 1 << 20
_MOST_EXIF_BYTES: Final = 1 << 16
#: Markers that start a frame (T.81, table B.1; C4, C8 and CC are not frames), and those without a length.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE: Final = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
_APP1, _SCAN = 0xE1, 0xDA
_EXIF: Final = b"Exif\0\0"


class ImageHeader(NamedTuple):
    """Information on an image before it is decoded.

    Attributes:
        size: Width and height as stored, px.
        orientation: Exif's, 1 to 8; 1 if the file has none.
        pixels_at: The beginning of the pixels, bytes from the file's start.
        whole: False if the file ends too early; always True for a JPEG, whose header does not tell.
    """

    size: tuple[int, int]
    orientation: int
    pixels_at: int
    whole: bool = True

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as a viewer shows the image, px: rotated as ``orientation`` says."""
        return (self.size[1], self.size[0]) if self.orientation >= 5 else self.size


def read_header(file: BinaryIO, file_size: int) -> ImageHeader | None:
    """Reads the header of a JPEG, PNG, WebP or BMP; nothing is decoded.

    Args:
        file: Open for reading, at its beginning; buffered, as it is read in small pieces.
        file_size: Its size, bytes.

    Returns:
        The header, or None: another format, or damaged.
    """
    start = file.read(16)
    try:
        if start[:2] == b"\xff\xd8":
            return _jpeg(file)
        if start[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(file)
        if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            return _webp(file, file_size)
        if start[:2] == b"BM":
            return _bmp(file, file_size)
    except struct.error:  # it ends within its header
        pass
    return None


def format_name(start: bytes) -> str | None:
    """The format by a file's first 16 bytes, if it is one of images or videos that are not read here.

    Returns:
        For example "HEIC"; None for any other.
    """
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12].rstrip(), "MP4 or MOV")
    return next((name for magic, name in _MAGIC if start.startswith(magic)), None)


_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    b"crx": "Canon raw",
}
_MAGIC: Final = (
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF or raw"),
    (b"MM\0*", "TIFF or raw"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"II\xbc", "JPEG XR"),
    (b"FUJIFILM", "Fujifilm raw"),
    (b"8BPS", "Photoshop"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\0\0\1\0", "ICO"),
    (b"qoif", "QOI"),
    (b"%PDF", "PDF"),
    *((b"P%d" % number, "PNM") for number in range(1, 8)),
    (b"<svg", "SVG"),
    (b"<?xml", "XML or SVG"),
    (b"RIFF", "AVI or WAV"),
    (b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (b"\0\5\x16\7", "AppleDouble (macOS's notes on a file, not the file)"),
)


def _jpeg(file: BinaryIO) -> ImageHeader | None:
    size, orientation, place = None, 0, 2
    for _ in range(_MOST_PARTS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return None
        marker = head[1]
        if marker == 0xFF:  # a byte of filling
            place += 1
            continue
        if marker in _BARE:
            return None
        length = int.from_bytes(head[2:])
        if length < 2:
            return None
        if marker in _FRAMES and size is None:
            height, width = struct.unpack(">xHH", file.read(5))
            size = (width, height)
        elif marker == _APP1 and not orientation and file.read(6) == _EXIF:
            orientation = exif_orientation(file.read(length - 8))
        place += 2 + length
        if marker == _SCAN:
            return ImageHeader(size, orientation or 1, place) if size and size[0] and size[1] else None
    return None


def _png(file: BinaryIO) -> ImageHeader | None:
    size, orientation, pixels_at = None, 1, 0
    for name, place, length in _chunks(file, 8, ">I4s", checksum=4):
        if name == b"IHDR":
            size = struct.unpack(">II", file.read(8))
        elif name == b"IDAT":
            pixels_at = pixels_at or place
        elif name == b"eXIf":
            orientation = exif_orientation(file.read(min(length, _MOST_EXIF_BYTES)))
        elif name == b"IEND":
            return ImageHeader(size, orientation, pixels_at) if size and all(size) else None
        if size is None:
            return None
    return ImageHeader(size, orientation, pixels_at, whole=False) if size and all(size) else None


def _webp(file: BinaryIO, file_size: int) -> ImageHeader | None:
    file.seek(4)
    end = struct.unpack("<I", file.read(4))[0] + 8
    size, orientation, pixels_at = None, 1, 0
    for name, place, length in _chunks(file, 12, "<4sI"):
        if place >= end:
            break
        if name == b"EXIF":
            orientation = exif_orientation(file.read(min(length, _MOST_EXIF_BYTES)))
            continue
        if name in (b"VP8 ", b"VP8L", b"ANMF"):
            pixels_at = pixels_at or place
        if size is not None:
            continue
        head = file.read(10)
        if name == b"VP8X":
            size = (int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1)
        elif name == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack("<HH", head[6:10])
            size = (width & 0x3FFF, height & 0x3FFF)
        elif name == b"VP8L" and head[:1] == b"\x2f":
            bits = int.from_bytes(head[1:5], "little")
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        else:
            return None
    return ImageHeader(size, orientation, pixels_at, end <= file_size) if size and all(size) else None


def _bmp(file: BinaryIO, file_size: int) -> ImageHeader | None:
    file.seek(10)
    pixels_at, header = struct.unpack("<II", file.read(8))
    if header == 12:
        width, height, _, bits = struct.unpack("<HHHH", file.read(8))
        packed = 0
    else:
        width, height, _, bits, packed = struct.unpack("<iiHHI", file.read(16))
    height = abs(height)  # below 0: the first row comes first
    if width <= 0 or not height:
        return None
    stored = (width * bits + 31) // 32 * 4 * height if packed in (0, 3) else 0
    return ImageHeader((width, height), 1, pixels_at, pixels_at + stored <= file_size)


def _chunks(file: BinaryIO, place: int, head: str, checksum: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of each chunk, with the file positioned at its content. RIFF's are of even length."""
    for _ in range(_MOST_PARTS):
        file.seek(place)
        raw = file.read(8)
        if len(raw) < 8:
            return
        first, second = struct.unpack(head, raw)
        name, length = (second, first) if isinstance(first, int) else (first, second)
        yield name, place + 8, length
        place += 8 + length + (checksum or length % 2)


def exif_orientation(exif: bytes) -> int:
    """The orientation in Exif data.

    Args:
        exif: A TIFF header and its directory, with or without the six bytes "Exif", 0, 0 in front.

    Returns:
        1 to 8; 1 if there is none or the data are damaged.
    """
    found = Image.Exif()
    try:
        found.load(exif)
        orientation = found.get(ExifTags.Base.Orientation)
    except Exception:  # damaged data fails in any way
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
