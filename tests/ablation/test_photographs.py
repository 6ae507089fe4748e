"""The comparison on photographs: the differences between its trainings, and its smallest size with tables."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gesturehand.ablation.photographs import (
    ENCODERS,
    LABELS,
    PHOTO_SIZES,
    PhotoPlace,
    collect_photo_results,
    photo_contrasts,
    photo_trainings,
    run_photo_training,
)
from gesturehand.ablation.photographs_report import photo_markdown, save_photo_differences
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries

SIZE = replace(PHOTO_SIZES["tiny"], seeds=1, image_size=32, batch_size=8, pretrain_steps=4, finetune_steps=3)


def test_every_arm_has_the_same_steps_but_the_longer_one():
    size = PHOTO_SIZES["quick"]
    jobs = photo_trainings(size)
    assert len({job.name for job in jobs}) == len(jobs) == size.seeds * len(ENCODERS) * (4 + 2 * len(LABELS))
    for job in jobs:
        if job.joints_2d is None:
            assert job.steps == size.pretrain_steps
            continue
        total = job.steps + (job.needs.steps if job.needs else 0)
        assert total == size.finetune_steps + (0 if job.labels == "none" else size.pretrain_steps)
        if job.needs:
            assert (job.needs.encoder, job.needs.labels, job.needs.seed) == (job.encoder, job.labels, job.seed)


def test_a_training_comes_after_the_one_it_starts_from():
    jobs = photo_trainings(PHOTO_SIZES["quick"])
    place = {job.name: number for number, job in enumerate(jobs)}
    assert all(place[job.needs.name] < place[job.name] for job in jobs if job.needs)


def test_contrasts_are_of_arms_that_exist():
    arms = {job.arm for job in photo_trainings(SIZE)}
    for encoder in ENCODERS:
        for joints_2d in (True, False):
            contrasts = list(photo_contrasts(encoder, joints_2d))
            assert {name for _, *names in contrasts for name in names} <= arms
            assert len(set(contrasts)) == len(contrasts)


@pytest.fixture(scope="module")
def place(synthetic_root, tmp_path_factory):
    """The open set as the rendered one, and two sets of made-up photos with labels and 2D joints."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    roots = []
    for name in ("digits", "more"):
        hands = []
        (folder / name).mkdir()
        for number in range(12):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / name / f"{number}.png")
            joints = rng.uniform(5, 35, (21, 2)).tolist()
            split = ("train", "test")[number % 3 == 0]
            hand = {"image": f"{number}.png", "hand": "right", "joints_2d": joints, "presence": 1.0, "split": split}
            hands.append({**hand, "label": "AB"[number % 2], "set": name})
        (folder / f"{name}.json").write_text(json.dumps(hands))
        convert(read_entries(folder / f"{name}.json"), folder / name, folder / f"set_{name}")
        roots.append((name, str(folder / f"set_{name}")))
    return PhotoPlace(str(synthetic_root), tuple(roots), folder / "out", "cpu")


@pytest.mark.slow
def test_smallest_size_up_to_tables_and_picture(place, tmp_path):
    jobs = [job for job in photo_trainings(SIZE) if job.encoder == "scratch"]
    for job in jobs[:-1]:
        run_photo_training(job, place, size=SIZE)
    results = collect_photo_results(SIZE, place)
    assert results["done"] == len(jobs) - 1
    for arm, seeds in results["runs"].items():
        metrics = seeds["0"]["metrics"]
        if arm.endswith("stage1"):
            learned = arm.split("-")[1] in ("photos", "shuffled")
            assert ("digits/own_label_top1" in metrics) == learned
        else:
            assert metrics["rendered/pa_mpjpe_mm"] > 0
            assert metrics["digits/joints_2d_percent"] > 0
            assert metrics["digits/pa_mpjpe_mm"] is None, "photos have no 3D truth"
    of_stage = {name: seeds["0"]["metrics"] for name, seeds in results["runs"].items()}
    assert of_stage["scratch-photos-stage1"] != of_stage["scratch-shuffled-stage1"]
    assert of_stage["scratch-none-with2d"] != of_stage["scratch-none-without2d"]
    text = photo_markdown(results)
    assert "nan" not in text.lower()
    rows = Counter(line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| … and labels"))
    assert rows["… and labels of photos"] == 2, "only the encoder that was trained has tables"
    save_photo_differences(tmp_path / "differences.png", results)
    assert np.asarray(Image.open(tmp_path / "differences.png")).std() > 5
