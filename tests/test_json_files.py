"""JSON files."""

import json
import math

import pytest
import torch

from gesturehand.json_files import none_for_nan, write_json


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file.json"
    write_json(path, {"a": [1, 2.5, None]})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_json_has_none_for_what_is_not_finite():
    value = {"a": [1.0, math.nan], "b": torch.tensor(math.inf), "c": {"d": torch.tensor(2)}, "e": "nan", "f": True}
    assert none_for_nan(value) == {"a": [1.0, None], "b": None, "c": {"d": 2}, "e": "nan", "f": True}
