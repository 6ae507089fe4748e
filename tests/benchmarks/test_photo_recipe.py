"""The recipe's parts run at a small size, and its sum is that of its parts."""

import itertools
import re
from copy import deepcopy

import photo_recipe
import pytest
from omegaconf import OmegaConf

from gesturehand.synthetic.photo.plan import OPENPHOTO_V1
from gesturehand.text_file import read_json


@pytest.fixture(scope="module")
def recipe():
    return OmegaConf.load(photo_recipe.RECIPE / "finetune.yaml")


def test_the_least_of_the_repeats_counts(monkeypatch):
    clock = iter((0, 5, 10, 13, 20, 24))
    monkeypatch.setattr(photo_recipe.time, "process_time", lambda: next(clock))
    runs = itertools.count()
    assert photo_recipe.processor_s(lambda: next(runs), 3) == 3
    assert next(runs) == 3


@pytest.mark.parametrize("part", photo_recipe.PARTS)
def test_every_part_runs_with_the_recipes_settings(part, recipe):
    """At 64 px and with two crops."""
    small = deepcopy(recipe)
    small.data.image_size, small.data.batch_size = 64, 2
    assert photo_recipe.PARTS[part](small, 1) > 0


def test_the_sum_follows_from_the_parts(monkeypatch, recipe):
    """Steps: all rendered hands of all epochs, with the second ones, and the photos' share beside them."""
    seconds = {("step", True): 2.0, ("step", False): 4.0, ("augmentation", True): 0.25}
    monkeypatch.setattr(
        photo_recipe, "in_a_process", lambda part, _, environment: seconds[part, environment == photo_recipe.KEPT]
    )
    text = photo_recipe.text_of(recipe, None, 1)
    drawn = read_json(photo_recipe.ROOT / "docs" / "results" / "photo_set.json", "The figures", "measure them")
    second = sum(share for name, share in drawn["elements"].items() if name.startswith("second hand"))
    assert 0 < second < 1
    hands = OPENPHOTO_V1.frames[0] * (1 + second) * recipe.trainer.max_epochs
    photos = sum(entry.share for entry in recipe.data.sets)
    steps = (hands + hands * photos / (1 - photos)) / recipe.data.batch_size
    said = re.search(r"about ([\d,]+) steps: ([\d.]+) hours of one core for the steps, and ([\d.]+) for", text)
    assert said is not None
    assert int(said[1].replace(",", "")) == round(steps)
    assert float(said[2]) == pytest.approx(steps * 2.25 / 3600, abs=0.051)
    drawing = sum(OPENPHOTO_V1.frames) * drawn["ms_per_frame_of_one_core"] / 1000 / 3600
    assert float(said[3]) == pytest.approx(drawing, abs=0.051)
    for shown in ("2.0 s", "4.0 s", "0.25 s"):
        assert f" {shown} |" in text
