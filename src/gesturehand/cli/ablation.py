"""``gesturehand ablation``: the paper's comparison with one command."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Literal

from gesturehand.cli.console import say, say_deprecated
from gesturehand.settings import ExistingPath


def ablation(
    size: Literal["quick", "default", "tiny"] = "quick",
    out: str = "runs/ablation",
    data: ExistingPath | None = None,
    mano: ExistingPath | None = None,
    imagenet_weights: bool | None = None,
    seeds: int | None = None,
    processes: int | None = None,
    cluster: str = "local",
    run: bool = True,
    docs: str | None = None,
) -> None:
    """Trains TokenFusion and EANet with and without gesture pretraining, and writes tables and pictures.

    The same command continues an interrupted comparison where it stopped.

    Args:
        size: "quick" is for two CPU cores, "default" for one GPU; "tiny" only shows that everything runs.
        out: Folder of the comparison; it gets results.json, ablation.md, two pictures, and a folder for each training.
        data: InterHand2.6M's folder, or another set in the same files; without it, an open synthetic set is written.
        mano: MANO's file or folder; without it, the open hand.
        imagenet_weights: Start encoders from timm's weights, which are downloaded; "default" does so unless told
            otherwise.
        seeds: Number of seeds; 3 unless given.
        processes: Trainings at a time; by default one per GPU, or one per core if there is no GPU.
        cluster: Where to train: "local", a scheduler's address as "tcp://host:8786", or a YAML file for SLURM, PBS or
            LSF; for a file, processes is the number of its jobs. See docs/cluster.md.
        run: Run the trainings that are not done yet; otherwise only write tables and pictures.
        docs: Deprecated; scripts/document_tables.py writes documents.
    """
    from gesturehand.ablation.grid import SIZES, make_grid
    from gesturehand.ablation.job import Place, accelerator_of, run_job
    from gesturehand.ablation.report import write_documents, write_report, write_results
    from gesturehand.ablation.results import collect
    from gesturehand.ablation.schedule import check_settings, jobs_of, prepare_data, run_all, store_all_crops
    from gesturehand.cluster import Cluster, Failure
    from gesturehand.errors import UserError

    if (seeds is not None and seeds < 1) or (processes is not None and processes < 1):
        raise UserError("--seeds and --processes must be at least 1.")
    chosen = SIZES[size]
    changes = {"imagenet_weights": imagenet_weights, "seeds": seeds}
    chosen = replace(chosen, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    grid = make_grid(chosen)
    folder = Path(out)
    settings = {**asdict(chosen), "data": data, "mano": mano}
    check_settings(folder, {name: value for name, value in settings.items() if name != "seeds"})
    whole = folder.resolve()  # workers start in other folders
    place = Place(
        root=str(Path(data).resolve()) if data else str(whole / "data"),
        mano=str(Path(mano).resolve()) if mano else None,
        out=whole,
        crops=whole / "crops" if chosen.stored_crops else None,
        accelerator=accelerator_of(cluster),
    )
    failures: list[Failure] = []
    if run:
        workers = Cluster(cluster, workers=processes, gpu=True, folder=whole / "jobs")
        if data is None:
            prepare_data(chosen, Path(place.root), cluster)
        store_all_crops(chosen, place)
        with workers:
            failures = run_all(
                jobs_of(grid),
                place,
                partial(run_job, size=chosen),
                workers,
                after_each=lambda: write_results(folder, collect(grid, place)),
            )
    results = collect(grid, place)
    written = write_report(folder, grid, results)
    if docs:
        say_deprecated("--docs", "ablation")
        written += write_documents(Path(docs), folder, grid, results)
    for failure in failures:
        say(f"failed: {failure}")
    say(f"{results['done']} of {results['jobs']} trainings are done.")
    say(f"Written: {', '.join(str(path) for path in written)}")
    if failures:
        raise UserError(f"{len(failures)} trainings failed, see above: the same command tries them again.")
