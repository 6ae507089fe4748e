"""Text comes back as it was written, whichever program saved it."""

import codecs
import json
import math
import shutil

import pytest
import torch
from refusals import refused
from trainings import exit_code

from gesturehand.cli.main import main
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.files import annotation_path
from gesturehand.errors import UserError
from gesturehand.evaluation.summary import summarise
from gesturehand.text_file import none_for_nan, read_json, read_text, write_json

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
        pytest.param(
            b"caf\x81", "UTF-8", marks=fault("bytes of no encoding", "refused in one sentence that names the byte")
        ),
        pytest.param(codecs.BOM_UTF16_LE + b"a\0b", "UTF-16", marks=fault("UTF-16, cut in two", "refused by name")),
        pytest.param(b"a,b\n\0\0\0", "zero bytes", marks=fault("zero bytes in the text", "refused")),
    ],
)
def test_content_that_is_not_text_is_refused_in_one_sentence(raw, named, tmp_path):
    (tmp_path / "table.csv").write_bytes(raw)
    with refused("table.csv", "UTF-8", match=named):
        read_text(tmp_path / "table.csv")


def test_empty_file_is_empty_text(tmp_path):
    (tmp_path / "empty.json").write_bytes(b"")
    assert read_text(tmp_path / "empty.json") == ""


def test_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "none.csv")


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file.json"
    write_json(path, {"a": [1, 2.5, None]})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_json_has_null_for_numbers_that_are_not_finite():
    value = {"a": [1.0, math.nan], "b": torch.tensor(math.inf), "c": {"d": torch.tensor(2)}, "e": "nan", "f": True}
    assert none_for_nan(value) == {"a": [1.0, None], "b": None, "c": {"d": 2}, "e": "nan", "f": True}


DEEP = {
    "lists": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a": ' * 100_000 + "1" + "}" * 100_000,
    "lists that do not end": "[" * 100_000,
}


def deep_fault(variant, outcome="refused in one sentence"):
    return pytest.mark.fault(kind="deeply nested JSON", variant=variant, outcome=outcome)


@pytest.fixture(params=[pytest.param(text, id=name, marks=deep_fault(name)) for name, text in DEEP.items()])
def deep(request, tmp_path):
    path = tmp_path / "deep.json"
    path.write_text(request.param)
    return path


def test_deeply_nested_json_is_one_sentence(deep):
    with pytest.raises(UserError, match=r"'.*deep.json' is not valid JSON \(it is nested too deeply\): mend it"):
        read_json(deep, "The file", "mend it")


@deep_fault("joints to import")
def test_joints(deep, tmp_path, capsys):
    assert main(["data", "import", f"--joints={deep}", f"--images={tmp_path}", f"--out={tmp_path / 'set'}"]) == 2
    assert capsys.readouterr().err.startswith(f"gesturehand: The joints file '{deep}'")


@deep_fault("a subset list")
def test_subset(deep, synthetic_root):
    data = InterHandDataModule(str(synthetic_root), num_workers=0, test_split="val", test_subset=str(deep))
    with pytest.raises(UserError, match=r"The subset list '.*deep.json' is not valid JSON"):
        data.dataset("test")


@deep_fault("RootNet's boxes")
def test_rootnet(deep, synthetic_root):
    data = InterHandDataModule(
        str(synthetic_root), num_workers=0, test_split="val", boxes="rootnet", rootnet_file=str(deep)
    )
    with pytest.raises(UserError, match=r"RootNet's file '.*deep.json' is not valid JSON"):
        data.dataset("test")


@deep_fault("annotation files", "named by the index and the check")
def test_annotations(deep, val_root, capsys):
    path = annotation_path(val_root, "val", "data")
    shutil.copy(deep, path)
    assert main(["data", "index", f"--root={val_root}"]) == 2
    assert str(path) in capsys.readouterr().err
    assert exit_code(["data", "check", f"--root={val_root}"]) == 1
    assert "annotation file unreadable" in capsys.readouterr().out


@deep_fault("the report of a test")
def test_report(deep, tmp_path):
    (tmp_path / "config.yaml").write_text("{}")
    shutil.copy(deep, tmp_path / "report.json")
    with pytest.raises(UserError, match=r"The report '.*report.json' is not valid JSON .*: test the run again"):
        summarise(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_encodings_of_unicode(tmp_path, encoding):
    path = tmp_path / "file.json"
    path.write_bytes('{"Hände": ["✋", 1.5]}'.encode(encoding))
    assert read_json(path, "The file", "mend it") == {"Hände": ["✋", 1.5]}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        (b"{", "Expecting property name"),
        (b"", "Expecting value"),
        (b"9" * 5000, "Exceeds the limit"),
    ],
)
def test_text_that_is_not_json(tmp_path, raw, says):
    path = tmp_path / "file.json"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=f"The file '{path}' is not valid JSON .*{says}.*: mend it"):
        read_json(path, "The file", "mend it", unique_keys=True)


def test_paths_that_are_not_files(tmp_path):
    with pytest.raises(UserError, match="does not exist: check the path"):
        read_json(tmp_path / "none.json", "The file", "mend it")
    with pytest.raises(UserError, match=r"cannot be read .Is a directory"):
        read_json(tmp_path, "The file", "mend it")
