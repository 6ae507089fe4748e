"""Suggestions of the nearest word and path."""

import pytest

from gesturehand.suggestions import did_you_mean, nearest, nearest_path


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("max_epoch", ["min_epochs", "max_epochs"], "max_epochs"),
        ("Max-Epochs", ["min_epochs", "max_epochs"], "max_epochs"),
        ("batch", ["batch_size", "image_size"], "batch_size"),
        ("fti", ["fit", "test"], "fit"),
        ("", ["fit"], None),
        ("nothing_like_it", ["fit"], None),
    ],
)
def test_nearest(word, known, found):
    assert nearest(word, known) == found


def test_sentence_ends():
    assert did_you_mean("crss", ["cross"], "choose cross.") == "did you mean 'cross'?"
    assert did_you_mean("zzz", ["cross"], "choose cross.") == "choose cross."


def test_every_part_of_a_path_may_be_misspelled(tmp_path):
    (tmp_path / "experiments" / "demo").mkdir(parents=True)
    wanted = tmp_path / "experiments" / "demo" / "finetune.yaml"
    wanted.write_text("")
    for typo in ("experimets/demo/finetune.yaml", "experiments/dmo/finetun.yaml", "experiments/demo/finetune.yml"):
        assert nearest_path(tmp_path / typo) == wanted
    assert nearest_path(tmp_path / "experiments" / "demo" / "finetune") == wanted
    assert nearest_path(tmp_path / "quite" / "another") is None
    assert nearest_path(wanted) is None, "it is there"
    assert nearest_path(tmp_path / "experiments" / ("x" * 5000)) is None
