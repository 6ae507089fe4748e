"""The part of a document that a command writes."""

import pytest

from gesturehand.errors import UserError
from gesturehand.markdown import write_between_markers


def test_only_the_text_between_the_markers_changes(tmp_path):
    document = tmp_path / "text.md"
    document.write_text("before\n<a>\nold\n</a>\nafter\n")
    for text in ("new\n", "newer\n"):
        write_between_markers(document, text, ("<a>", "</a>"))
        assert document.read_text() == f"before\n<a>\n{text}</a>\nafter\n"


@pytest.mark.parametrize("content", ["<a>\nold\n", "old\n</a>\n", "</a>\nold\n<a>\n", ""])
def test_a_document_without_markers_is_left_alone(tmp_path, content):
    document = tmp_path / "text.md"
    document.write_text(content)
    with pytest.raises(UserError, match="has no lines '<a>' and '</a>'"):
        write_between_markers(document, "new\n", ("<a>", "</a>"))
    assert document.read_text() == content


def test_a_missing_document(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        write_between_markers(tmp_path / "text.md", "new\n")
