"""A comparison of a few trainings of a few steps, five of which tests of two machines run on a cluster.

python small_comparison.py DATA OUT ADDRESS
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from gesturehand.ablation.grid import SIZES, Grid, make_grid
from gesturehand.ablation.job import Place, run_job
from gesturehand.ablation.schedule import jobs_of, run_all
from gesturehand.cluster import Cluster

SIZE = replace(SIZES["tiny"], seeds=1, stored_crops=False, pretrain_steps=3, finetune_steps=2)


def small_grid() -> Grid:
    """One backbone, from scratch, pretrained and pretrained on shuffled labels, with both architectures."""
    whole = make_grid(SIZE)
    first = [arm for arm in whole.arms if arm.backbone == SIZE.backbones[0] and arm.section in ("main", "controls")]
    arms = tuple(arm for arm in first if not arm.label.endswith("equal total"))
    names = {arm.name for arm in arms}
    return Grid(SIZE, arms, tuple(c for c in whole.contrasts if {c.arm, c.reference} <= names))


if __name__ == "__main__":
    data, out, address = sys.argv[1:]
    place = Place(data, None, Path(out), None, "cpu")
    with Cluster(address, workers=2 if address == "local" else None, folder=Path(out, "jobs")) as cluster:
        jobs = [job for job in jobs_of(small_grid()) if job.work.architecture == "TokenFusion"]
        for failure in run_all(jobs, place, partial(run_job, size=SIZE), cluster):
            sys.exit(str(failure))
