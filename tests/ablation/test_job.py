"""Trainings of the smallest grid, in this process, up to tables and pictures; finished ones are not run again."""

import json
from dataclasses import replace
from functools import partial

import cv2
import pytest
from small_comparison import SIZE, small_grid

from gesturehand.ablation.job import Job, Place, run_job
from gesturehand.ablation.report import write_documents, write_report
from gesturehand.ablation.results import collect
from gesturehand.ablation.schedule import check_settings, is_done, jobs_of, run_all
from gesturehand.cluster import Cluster
from gesturehand.errors import UserError


@pytest.fixture(scope="module")
def grid():
    return small_grid()


@pytest.fixture(scope="module")
def place(tmp_path_factory, two_hand_root, grid):
    out = tmp_path_factory.mktemp("ablation")
    place = Place(str(two_hand_root), None, out, None, "cpu")
    jobs = jobs_of(grid)
    assert len(jobs) == 5 + 3
    for job in jobs[:-1]:
        run_job(job, place, size=SIZE)
    return place


def test_every_result_is_there_with_its_curve(grid, place):
    results = collect(grid, place)
    assert (results["done"], results["jobs"]) == (7, 8)
    for pretrain in grid.pretrains():
        run = results["runs"][pretrain.name]["0"]
        assert 0 <= run["metrics"]["gesture_fine_top1"] <= 1
        assert run["curve"][-1]["step"] == SIZE.pretrain_steps
    for arm in grid.arms[:-1]:
        run = results["runs"][arm.name]["0"]
        assert run["metrics"]["pa_mpjpe_mm"] > 0
        assert run["steps"] == arm.steps
        assert run["curve"][-1]["step"] == arm.steps
        assert run["curve"][-1]["pa_mpjpe_mm"] > 0
        assert ("two_hands" in run) == (arm.architecture == "EANet")
        if "two_hands" in run:
            assert run["two_hands"]["mrrpe_mm"] > 0
            assert run["metrics"]["mrrpe_mm"] is None, "single-hand frames have no way between two hands"


def test_pretrained_arm_starts_from_the_pretraining(grid, place):
    pretrained = next(arm for arm in grid.arms if arm.pretrain is not None)
    job = Job(pretrained, 0)
    assert job.needs == Job(pretrained.pretrain, 0)
    assert (place.folder(job.needs) / "last.ckpt").is_file()
    scratch = Job(replace(pretrained, pretrain=None), 0)
    values = [json.loads((place.folder(j) / "result.json").read_text())["metrics"] for j in (job, scratch)]
    assert values[0] != values[1]


def test_unfinished_comparison_is_written_with_what_is_missing_marked(grid, place, tmp_path):
    results = collect(grid, place)
    paths = write_report(tmp_path, grid, results)
    text = paths[1].read_text()
    assert "7 of 8 trainings are done" in text
    rows = [line for line in text.splitlines() if line.startswith("| shuffled labels")]
    assert rows
    assert all("–" in row for row in rows)
    for line in text.splitlines():
        assert "nan" not in line.lower()
    for picture in paths[2:]:
        assert cv2.imread(str(picture)).std() > 5
    assert json.loads(paths[0].read_text()) == json.loads(json.dumps(results))
    (tmp_path / "docs").mkdir()
    document = tmp_path / "docs" / "ablation.md"
    document.write_text("before\n<!-- ablation:begin -->\nold\n<!-- ablation:end -->\nafter\n")
    written = write_documents(tmp_path / "docs", tmp_path, grid, results)
    assert all(path.is_file() for path in written)
    content = document.read_text()
    assert content.startswith("before\n")
    assert content.endswith("after\n")
    assert "old" not in content
    assert text in content


def test_done_trainings_are_left_alone_and_a_failed_one_stops_nothing(grid, place, tmp_path):
    """In processes: seven of eight trainings are done; the last one's data is missing, which raises nothing."""
    before = {job.name: (place.folder(job) / "result.json").stat().st_mtime_ns for job in jobs_of(grid)[:-1]}
    lost = replace(place, root=str(tmp_path / "nowhere"))
    with Cluster(workers=1) as cluster:
        (failure,) = run_all(jobs_of(grid), lost, partial(run_job, size=SIZE), cluster, progress=False)
        assert run_all(jobs_of(grid), place, partial(run_job, size=SIZE), cluster, progress=False) == []
    assert failure.name == jobs_of(grid)[-1].name
    assert "nowhere" in failure.reason
    assert all(is_done(job, place) for job in jobs_of(grid))
    after = {job.name: (place.folder(job) / "result.json").stat().st_mtime_ns for job in jobs_of(grid)[:-1]}
    assert after == before
    assert collect(grid, place)["done"] == 8


def test_folder_of_another_comparison_is_refused(tmp_path):
    check_settings(tmp_path, {"name": "quick", "frames": (1, 2, 3)})
    check_settings(tmp_path, {"name": "quick", "frames": (1, 2, 3)})
    with pytest.raises(UserError, match=r"another frames.*--out"):
        check_settings(tmp_path, {"name": "quick", "frames": (1, 2, 4)})
