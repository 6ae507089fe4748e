"""The grid holds everything that the comparison needs exactly once."""

import pytest

from gesturehand.ablation.grid import ARCHITECTURES, SECTIONS, SIZES, make_grid
from gesturehand.ablation.schedule import jobs_of


@pytest.fixture(params=sorted(SIZES))
def grid(request):
    return make_grid(SIZES[request.param])


def test_names_are_unique_and_contrasts_are_of_arms(grid):
    names = [arm.name for arm in grid.arms]
    assert len(set(names)) == len(names)
    assert {name for c in grid.contrasts for name in (c.arm, c.reference)} <= set(names)
    assert {arm.section for arm in grid.arms} == set(SECTIONS)
    jobs = [job.name for job in jobs_of(grid)]
    assert len(set(jobs)) == len(jobs) == grid.size.seeds * (len(names) + len(grid.pretrains()))


def test_both_architectures_all_backbones_with_and_without_pretraining(grid):
    main = {(arm.architecture, arm.backbone, arm.pretrain is not None) for arm in grid.arms if arm.section == "main"}
    assert main == {(a, b, p) for a in ARCHITECTURES for b in grid.size.backbones for p in (True, False)}
    assert len(grid.size.backbones) >= 2


def test_contrasts_compare_what_they_say(grid):
    arms = {arm.name: arm for arm in grid.arms}
    for contrast in grid.contrasts:
        one, other = arms[contrast.arm], arms[contrast.reference]
        if contrast.equal == "equal stage-2 steps":
            assert one.steps == other.steps
            assert one.pretrain_steps > other.pretrain_steps == 0
        else:
            assert one.steps + one.pretrain_steps == other.steps + other.pretrain_steps
        assert (one.architecture, one.backbone, one.fit_share) == (other.architecture, other.backbone, other.fit_share)


def test_every_pretraining_gain_stands_beside_equal_total_steps(grid):
    gains = [(c.label, c.equal) for c in grid.contrasts if c.label.endswith("pretrained − from scratch")]
    labels = {label for label, _ in gains}
    assert len(labels) == len(ARCHITECTURES) * len(grid.size.backbones) + len(grid.size.few_fits)
    assert sorted(gains) == sorted((label, e) for label in labels for e in ("equal stage-2 steps", "equal total steps"))


def test_shuffled_labels_stand_beside_every_share_of_fits(grid):
    shares = {arm.fit_share for arm in grid.arms}
    assert {arm.fit_share for arm in grid.arms if arm.pretrain and arm.pretrain.shuffled} == shares
    arms = {arm.name: arm for arm in grid.arms}
    compared = [c for c in grid.contrasts if c.label.endswith("pretrained − shuffled labels")]
    assert {arms[contrast.reference].fit_share for contrast in compared} == shares
    assert all(arms[contrast.reference].pretrain.shuffled for contrast in compared)


def test_factors_vary_one_at_a_time(grid):
    base = next(arm for arm in grid.arms if arm.pretrain is not None)
    factors = ("architecture", "backbone", "fusion", "gesture_levels", "fit_share", "steps")
    for arm in grid.arms:
        if arm.section in ("fusion", "levels"):
            differing = [name for name in factors if getattr(arm, name) != getattr(base, name)]
            assert differing == [{"fusion": "fusion", "levels": "gesture_levels"}[arm.section]]


def test_a_pretraining_comes_before_what_needs_it(grid):
    place = {job.name: number for number, job in enumerate(jobs_of(grid))}
    for job in jobs_of(grid):
        if job.needs is not None:
            assert place[job.needs.name] < place[job.name]
