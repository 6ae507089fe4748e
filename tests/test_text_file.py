"""Text comes back as it was written, whatever program saved it."""

import codecs

import pytest

from gesturehand.errors import UserError
from gesturehand.text_file import read_text

TEXT = 'image;hand\r\n"Küche/été ñ.jpg";left\r\n'
KIND = "text encodings"
READ = "read as written"


def fault(variant: str, outcome: str = READ):
    return pytest.mark.fault(kind=KIND, variant=variant, outcome=outcome)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(TEXT.encode(), id="plain"),
        pytest.param(codecs.BOM_UTF8 + TEXT.encode(), marks=fault("UTF-8 with a byte-order mark"), id="utf-8-sig"),
        pytest.param(TEXT.encode("utf-16"), marks=fault("UTF-16 with a byte-order mark"), id="utf-16"),
        pytest.param(codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), marks=fault("UTF-16, big-endian"), id="utf-16-be"),
        pytest.param(TEXT.encode("utf-16-le"), marks=fault("UTF-16 without a mark"), id="utf-16 bare"),
        pytest.param(TEXT.encode("utf-32"), marks=fault("UTF-32"), id="utf-32"),
        pytest.param(TEXT.encode("cp1252"), marks=fault("Windows-1252"), id="cp1252"),
    ],
)
def test_text_is_read_as_it_was_written(raw, tmp_path):
    (tmp_path / "table.csv").write_bytes(raw)
    assert read_text(tmp_path / "table.csv") == TEXT


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        pytest.param(b"PK\x03\x04rest", "Excel", marks=fault("an Excel workbook named .csv", "refused by name")),
        pytest.param(b"caf\x81", "UTF-8", marks=fault("bytes of no encoding", "refused, names the byte")),
        pytest.param(codecs.BOM_UTF16_LE + b"a\0b", "UTF-16", marks=fault("UTF-16, cut in two", "refused by name")),
        pytest.param(b"a,b\n\0\0\0", "zero bytes", marks=fault("zero bytes in the text", "refused")),
    ],
)
def test_what_is_not_text_is_refused_in_one_sentence(raw, named, tmp_path):
    (tmp_path / "table.csv").write_bytes(raw)
    with pytest.raises(UserError, match=named) as error:
        read_text(tmp_path / "table.csv")
    assert "table.csv" in str(error.value)
    assert "UTF-8" in str(error.value)


def test_empty_file_is_empty_text(tmp_path):
    (tmp_path / "empty.json").write_bytes(b"")
    assert read_text(tmp_path / "empty.json") == ""


def test_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none.csv")
