"""Text files as people's programs save them: with a byte-order mark, as UTF-16, or in Windows' code page."""

import codecs
from pathlib import Path
from typing import Final

from gesturehand.errors import UserError

#: UTF-32's little-endian mark begins with UTF-16's, so it comes first.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What Excel writes as "CSV" in Western Europe and America.
_WINDOWS: Final = "cp1252"
_REMEDY: Final = "save it as text in UTF-8"


def read_text(path: str | Path) -> str:
    """The text of a file, whatever Unicode encoding it is in.

    A byte-order mark names the encoding and is left out. Without one it is UTF-8, or UTF-16 where one of the first two
    bytes is zero; what is neither is read as Windows-1252.

    Args:
        path: The file.

    Returns:
        Its text, line ends as they are.

    Raises:
        OSError: The file cannot be read.
        UserError: It is not text, or in none of these encodings.
    """
    raw = Path(path).read_bytes()
    if raw.startswith(b"PK\x03\x04"):
        raise UserError(f"'{path}' is an archive or an Excel workbook and not text: {_REMEDY} (CSV or JSON).")
    encoding = _encoding(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or raw.startswith(codecs.BOM_UTF8):
            raise UserError(
                f"'{path}' is not the {encoding.upper()} it seems to be ({error.reason}): {_REMEDY}."
            ) from None
        try:
            text = raw.decode(_WINDOWS)
        except UnicodeDecodeError:
            raise UserError(
                f"'{path}' is neither in UTF-8 nor in Windows-1252 (byte {error.start} is {raw[error.start]:#04x}): "
                f"{_REMEDY}."
            ) from None
    if "\0" in text:
        raise UserError(f"'{path}' contains zero bytes and is not text: {_REMEDY}.")
    return text.removeprefix("\ufeff")


def _encoding(raw: bytes) -> str:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return encoding
    # The first character of a table or of JSON is ASCII, of which UTF-16 leaves one byte of two zero.
    if len(raw) >= 2 and len(raw) % 2 == 0 and (raw[0] == 0) != (raw[1] == 0):
        return "utf-16-be" if raw[0] == 0 else "utf-16-le"
    return "utf-8"
