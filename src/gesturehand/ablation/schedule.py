"""Prepares a comparison (settings, data, stored crops) and makes tasks for a cluster of the trainings not yet done."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from gesturehand.ablation.grid import Arm, Grid, Pretrain, Size
from gesturehand.ablation.job import RESULT_FILE, Job, Place
from gesturehand.ablation.stored_crops import store_crops
from gesturehand.cluster import Cluster, Failure, Task
from gesturehand.errors import UserError
from gesturehand.file_writing import remove_parts
from gesturehand.splits import SPLITS
from gesturehand.synthetic.writer import write_synthetic_set
from gesturehand.text_file import read_json, write_json

_SETTINGS_FILE: Final = "settings.json"


class Training(Protocol):
    """A training of a comparison, as the scheduler sees it."""

    @property
    def name(self) -> str:
        """Unique within the comparison."""

    @property
    def steps(self) -> int:
        """Its length, for the progress bar."""

    @property
    def needs(self) -> "Training | None":
        """The training whose checkpoint it starts from."""


class Folders(Protocol):
    """The folders in which trainings are kept."""

    def folder(self, job: Any, /) -> Path:
        """A training's folder, which exists once the training has finished."""


def jobs_of(grid: Grid) -> list[Job]:
    """All trainings, one seed after the other, so that early results are complete for a seed.

    Within a seed the pretrainings come first, since many trainings wait for them.
    """
    works: tuple[Pretrain | Arm, ...] = (*grid.pretrains(), *grid.arms)
    return [Job(work, seed) for seed in range(grid.size.seeds) for work in works]


def is_done(job: Training, place: Folders) -> bool:
    """Whether the job's result exists."""
    return (place.folder(job) / RESULT_FILE).is_file()


def tasks_of(
    jobs: Sequence[Training], place: Folders | None = None, run: Callable[[Any, Any], None] | None = None
) -> list[Task]:
    """The trainings as tasks, each with the one that it starts from and its steps as its weight.

    Args:
        jobs: The trainings.
        place: The places of data and results, with absolute paths.
        run: Runs one, given the job and the place, and writes the result. Workers import it.
    """
    return [
        Task(job.name, _train, (run, job, place), () if job.needs is None else (job.needs.name,), job.steps)
        for job in jobs
    ]


def run_all(
    jobs: Sequence[Training],
    place: Folders,
    run: Callable[[Any, Any], None],
    cluster: Cluster,
    *,
    after_each: Callable[[], Any] | None = None,
    progress: bool = True,
) -> list[Failure]:
    """Runs every job that is not done, each after the one it starts from.

    Args:
        jobs: The trainings, in the order in which they are wanted.
        place: As for :func:`tasks_of`.
        run: As for :func:`tasks_of`.
        cluster: The cluster whose workers run them, each one at a time.
        after_each: Called when a training has ended.
        progress: Show a progress bar over the steps of all trainings.

    Returns:
        The trainings that failed; the others are run nevertheless.

    Raises:
        UserError: The cluster cannot be used.
    """
    waiting = [job for job in jobs if not is_done(job, place)]
    failures = cluster.run(
        tasks_of(waiting, place, run),
        on_done=lambda task, result: None if after_each is None else after_each(),
        title="ablation",
        unit="step",
        done=sum(job.steps for job in jobs) - sum(job.steps for job in waiting),
        progress=progress,
    )
    if not failures:
        for folder in {place.folder(job).parent for job in jobs}:
            remove_parts(folder)  # of trainings whose worker died
    return failures


def _train(run: Callable[[Any, Any], None], job: Training, place: Folders) -> None:
    # A worker that was thought lost may have finished it meanwhile.
    if not is_done(job, place):
        run(job, place)


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Notes a comparison's settings in its folder; a comparison that is already there must have the same.

    Raises:
        UserError: The folder's comparison has other settings.
    """
    path = folder / _SETTINGS_FILE
    wanted = json.loads(json.dumps(settings))
    if path.is_file():
        found = read_json(path, "The comparison's settings", "give another --out")
        other = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if other:
            raise UserError(
                f"'{folder}' holds a comparison with another {other[0]} ({found.get(other[0])}, not "
                f"{wanted.get(other[0])}): give another --out."
            )
        return
    write_json(path, wanted)


def prepare_data(size: Size, root: Path, cluster: str = "local") -> None:
    """Writes the open synthetic set of a size by a cluster's workers, unless it exists."""
    if (root / "annotations").is_dir():
        return
    write_synthetic_set(
        root,
        subjects=size.subjects,
        frames=size.frames,
        two_hand_share=size.two_hand_share,
        wrist_cone_deg=35.0,
        without_fit_share=0.0,
        cluster=cluster,
        command="gesturehand ablation",
    )


def store_all_crops(size: Size, place: Place) -> None:
    """Stores the crops of all splits, if the size requires it."""
    if place.crops is not None:
        for split in SPLITS:
            store_crops(place.root, split, place.crops, size.image_size)
