"""Different spellings of the name of one file."""

from pathlib import Path

import pytest

from gesturehand.data.spelling import find_file, similar_name, spelled


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("a\\b.jpg", "a/b.jpg"),
        (".\\a//b.jpg", "a/b.jpg"),
        ("e\u0301.jpg", "é.jpg"),
        ("/tmp\\a", "/tmp/a"),
        ("../a", "../a"),
    ],
)
def test_one_spelling(name, expected):
    assert spelled(name) == expected
    assert spelled(expected) == expected


def test_the_very_name_comes_first(tmp_path):
    for name in ("é.jpg", "e\u0301.jpg"):
        (tmp_path / name).write_text(name)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system knows one spelling only")
    for name in ("é.jpg", "e\u0301.jpg"):
        assert find_file(tmp_path / name) == tmp_path / name


def test_relative_and_absolute_paths(tmp_path, monkeypatch):
    (tmp_path / "ü").mkdir()
    (tmp_path / "ü" / "a.jpg").write_text("")
    monkeypatch.chdir(tmp_path)
    assert find_file(Path("u\u0308\\a.jpg")) == Path("ü/a.jpg")
    assert find_file(tmp_path / "u\u0308\\a.jpg") == tmp_path / "ü" / "a.jpg"
    assert find_file(tmp_path / "u\u0308\\b.jpg") is None
    assert find_file(tmp_path / "none" / "a.jpg") is None
    assert find_file(Path("a\0b")) is None


def test_a_file_that_comes_later_is_found(tmp_path):
    assert find_file(tmp_path / "é.jpg") is None
    (tmp_path / "e\u0301.jpg").write_text("")
    assert find_file(tmp_path / "é.jpg") is not None


def test_names_that_differ_in_case(tmp_path):
    (tmp_path / "Ä.JPG").write_text("")
    assert similar_name(tmp_path / "a\u0308.jpg") == "Ä.JPG"
    assert similar_name(tmp_path / "b.jpg") is None
    assert similar_name(tmp_path / "none" / "b.jpg") is None
