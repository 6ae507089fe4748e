"""Measures the overhead of the cluster, and simulates how long the paper's comparison takes on many GPUs.

    python benchmarks/cluster.py overhead --before CHECKOUT [--frames 32 400 4000] [--no-ablation] [--repeats 3]
    python benchmarks/cluster.py jobs
    python benchmarks/cluster.py grid [--images 2]

``overhead`` runs ``data synth``, with few frames and with many, and the smallest ablation, alternating between this
version and another checkout; the processor seconds of all processes count, and the best of each, since other programs
may run at the same time. Rows of earlier calls are kept. ``jobs`` lets 32 workers, which are threads of one process,
run 1,000 dependent jobs of 10 ms. ``grid`` measures a training step of each network of the comparison's default size,
and schedules the comparison's real jobs on 8, 64 and 512 GPUs. Each writes its part of docs/results/cluster.json and
the tables of docs/performance.md.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from gesturehand.ablation.grid import SIZES, Arm, Pretrain, make_grid
from gesturehand.ablation.schedule import jobs_of
from gesturehand.cluster import Cluster, Task
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.text_file import read_json, write_json

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results" / "cluster.json"
MARKERS = ("<!-- cluster:begin -->", "<!-- cluster:end -->")
GPUS = (1, 8, 64, 512)
JOBS, JOB_S, WORKERS = 1000, 0.01, 32
SYNTH = "`data synth`, {:,} frames, 2 processes"
#: One chunk for each process, which takes little longer than the start; few chunks; and many.
FRAMES = (32, 400, 4000)
Network = tuple[str, str, str]


def read_results() -> dict[str, Any]:
    return read_json(RESULTS, "The results", "remove it") if RESULTS.is_file() else {}


def seconds_of(command: list[str], source: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command with all its processes, with the package of a checkout."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1"}
    program = "import sys; from gesturehand.cli.main import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", program, *command], env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def overhead(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both versions by command; the best of the repeats counts."""
    here = Path(__file__).parents[1]
    commands = {
        SYNTH.format(frames): ["data", "synth", "--frames", f"[{frames},0,0]", "--subjects=[8,0,0]", "--views=1"]
        for frames in options.frames
    }
    if options.ablation:
        commands["`ablation --size tiny --seeds 1`, 2 processes"] = ["ablation", "--size=tiny", "--seeds=1"]
    found: dict[str, Any] = {}
    for name, command in commands.items():
        best: dict[str, list[float]] = {"before": [1e9, 1e9], "now": [1e9, 1e9]}
        for _ in range(options.repeats):
            for version, source in (("before", options.before), ("now", here)):
                with tempfile.TemporaryDirectory() as folder:
                    taken = seconds_of([*command, "--processes=2", f"--out={folder}/out"], source)
                best[version] = [min(pair) for pair in zip(best[version], taken, strict=True)]
                print(f"{name}, {version}: {taken[0]:.1f} s, of processors {taken[1]:.1f} s", flush=True)
        found[name] = {version: {"wall_s": wall, "cpu_s": cpu} for version, (wall, cpu) in best.items()}
        found[name]["repeats"] = options.repeats
    return found


def pause(seconds: float) -> None:
    time.sleep(seconds)


def chain_of(number: int) -> tuple[str, ...]:
    """Every fourth job starts a chain of three further ones, as trainings need a pretraining."""
    return () if number % 4 == 0 else (f"job {number - number % 4}",)


def many_jobs(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds for the jobs, as measured and at best."""
    from distributed import LocalCluster

    tasks = [Task(f"job {number}", pause, (JOB_S,), chain_of(number)) for number in range(JOBS)]
    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=False, dashboard_address=None, memory_limit=0
        ) as workers,
        Cluster(workers.scheduler_address) as cluster,
    ):
        cluster.run(tasks[:WORKERS], progress=False)
        start, cpu = time.perf_counter(), time.process_time()
        assert cluster.run(tasks, progress=False) == []
        taken, cpu = time.perf_counter() - start, time.process_time() - cpu
    best = makespan([(JOB_S, None if not chain_of(n) else n - n % 4) for n in range(JOBS)], WORKERS)
    return {"wall_s": taken, "best_s": best, "per_job_ms": 1000 * cpu / JOBS}


def makespan(jobs: list[tuple[float, int | None]], machines: int) -> float:
    """The time at which the last job ends if each free machine takes the first job that can begin.

    Args:
        jobs: For each job, its length and the number of the job that it needs.
        machines: Number of machines, each of which does one job at a time.
    """
    waiting: dict[int, list[int]] = {}
    ready: list[int] = []
    for number, (_, needed) in enumerate(jobs):
        if needed is None:
            heappush(ready, number)
        else:
            waiting.setdefault(needed, []).append(number)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < machines:
            number = heappop(ready)
            heappush(running, (now + jobs[number][0], number))
        now, ended = heappop(running)
        for number in waiting.get(ended, ()):
            heappush(ready, number)
    return now


def network_of(work: Pretrain | Arm) -> Network:
    return type(work).__name__, work.architecture, work.backbone


def step_seconds(images: int, repeats: int = 2) -> dict[Network, float]:
    """Seconds of a training step of each network of the default size; on a CPU, processor seconds."""
    import torch
    from training_step import module_step, quiet_lightning, synthetic_batch

    from gesturehand.trainers.eanet_regressor import EANetRegressor
    from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
    from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

    size = SIZES["default"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clock = time.perf_counter if device == "cuda" else time.process_time
    batches = {layout: synthetic_batch(size.image_size, images, layout) for layout in ("per_hand", "two_hand")}
    found: dict[Network, float] = {}
    for work in (job.work for job in jobs_of(make_grid(size))):
        network = network_of(work)
        if network in found:
            continue
        two_hands = work.architecture == "EANet"
        shared = {"backbone": work.backbone, "image_size": size.image_size, "feature_stride": size.feature_stride}
        if isinstance(work, Pretrain):
            module = GesturePretrainer(**shared)
        elif two_hands:
            module = EANetRegressor(**shared, width=size.width, depth=size.eanet_depth)
        else:
            module = TokenFusionRegressor(**shared, width=size.width, depth=size.depth)
        batch = batches["two_hand" if two_hands and isinstance(work, Arm) else "per_hand"]
        with quiet_lightning():
            step = module_step(module.to(device).train(), batch, device)
        taken = []
        for _ in range(repeats + 1):  # the first one allocates
            start = clock()
            step()
            taken.append(clock() - start)
        found[network] = min(taken[1:])
        print(*network, f"{found[network]:.2f} s", flush=True)
    return found


def grid(options: argparse.Namespace) -> dict[str, Any]:
    """Makespans of the default comparison, in steps of its first network's stage 2."""
    import torch

    seconds = step_seconds(options.images)
    unit = seconds["Arm", "TokenFusion", SIZES["default"].backbones[0]]
    works = jobs_of(make_grid(SIZES["default"]))
    place = {job: number for number, job in enumerate(works)}
    jobs = [
        (job.steps * seconds[network_of(job.work)] / unit, None if job.needs is None else place[job.needs])
        for job in works
    ]
    chains = [length + (0 if needed is None else jobs[needed][0]) for length, needed in jobs]
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "a CPU",
        "jobs": len(jobs),
        "relative_step": {" ".join(network): value / unit for network, value in seconds.items()},
        "work": sum(length for length, _ in jobs),
        "longest_chain": max(chains),
        "makespan": {str(gpus): makespan(jobs, gpus) for gpus in GPUS},
    }


def overhead_table(found: dict[str, Any]) -> str:
    rows = [["command", "processor seconds before", "now", "ratio", "target"]]
    for name, versions in sorted(found.items(), key=lambda item: item[1]["now"]["cpu_s"]):
        before, now = versions["before"]["cpu_s"], versions["now"]["cpu_s"]
        rows.append([name, f"{before:.1f}", f"{now:.1f}", f"{now / before:.2f}", "≤ 1.05"])
    text = "The local cluster, compared with the version before it:\n\n" + markdown_table(rows)
    few, many = FRAMES[:2]
    if {SYNTH.format(few), SYNTH.format(many)} <= found.keys():
        lines = []
        for version in ("before", "now"):
            short, long = (found[SYNTH.format(frames)][version]["cpu_s"] for frames in (few, many))
            frame = (long - short) / (many - few)
            lines.append(f"{version} {short - few * frame:.1f} s and {1000 * frame:.1f} ms a frame")
        text += f"\n`data synth` takes, by its rows of {few} and {many} frames: {', '.join(lines)}.\n"
    return text


def jobs_table(found: dict[str, Any]) -> str:
    rows = [
        ["1,000 dependent jobs of 10 ms, 32 workers", ""],
        ["best possible", f"{found['best_s']:.2f} s"],
        ["measured", f"{found['wall_s']:.2f} s"],
        ["processor time per job (client, scheduler and workers)", f"{found['per_job_ms']:.1f} ms"],
    ]
    return markdown_table(rows)


def grid_table(found: dict[str, Any]) -> str:
    rows = [["GPUs", "makespan, 1,000 steps", "speed-up", "GPUs' time in use"]]
    for gpus, length in found["makespan"].items():
        speed = found["work"] / length
        rows.append([gpus, f"{length / 1000:.1f}", f"{speed:.1f} ×", f"{speed / int(gpus):.0%}"])
    relative = ", ".join(f"{name} {value:.2f}" for name, value in found["relative_step"].items())
    return (
        f"This is a simulation of the comparison at its default size, {found['jobs']} trainings: each free GPU takes\n"
        "the first training that can begin. The unit is a step of TokenFusion with "
        f"{SIZES['default'].backbones[0]}. To get\n"
        "seconds, multiply the makespan by the time of such a step on your GPU. The table depends only on the ratios\n"
        f"between steps, which were measured on {found['device']}.\n\n{markdown_table(rows)}\n"
        f"The longest chain of trainings takes {found['longest_chain'] / 1000:.1f} thousand steps, which no number\n"
        f"of GPUs can undercut. Time of a step in that unit: {relative}.\n"
    )


PARTS: dict[str, tuple[Callable[[argparse.Namespace], dict[str, Any]], Callable[[dict[str, Any]], str]]] = {
    "overhead": (overhead, overhead_table),
    "jobs": (many_jobs, jobs_table),
    "grid": (grid, grid_table),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "tables"], help="tables: only write the document again")
    parser.add_argument("--before", type=Path, help="checkout of the version to compare with")
    parser.add_argument("--frames", type=int, nargs="*", default=FRAMES)
    parser.add_argument("--ablation", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=2, help="images of a measured step; 64 on a GPU")
    options = parser.parse_args()
    found = read_results()
    if options.part in PARTS:
        measured = PARTS[options.part][0](options)
        found = read_results()
        found[options.part] = found.get(options.part, {}) | measured
        write_json(RESULTS, found)
    texts = [
        f"<!-- written by `python benchmarks/cluster.py {name}` -->\n{table(found[name])}"
        for name, (_, table) in PARTS.items()
        if name in found
    ]
    write_between_markers(DOCS / "performance.md", "\n".join(texts), MARKERS)


if __name__ == "__main__":
    main()
