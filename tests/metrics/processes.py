"""Every metric on samples that are shared out among gloo processes; run by test_processes.py.

python processes.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from gesturehand.metrics import MPJPE, MPVPE, MRRPE, PCKAUC, FScore, PCKCurve
from gesturehand.metrics.protocol import PROTOCOLS

WORLD_SIZES = (2, 3)
NUM_SAMPLES = (1, 7, 32, 33)
BATCH = 3


def samples(num_samples: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(num_samples)
    joints = torch.rand(num_samples, 2, 21, 3, generator=random) / 5
    vertices = torch.rand(num_samples, 2, 40, 3, generator=random) / 5
    return {
        "joints": joints,
        "vertices": vertices,
        "predicted_joints": joints + torch.randn(joints.shape, generator=random) / 100,
        "predicted_vertices": vertices + torch.randn(vertices.shape, generator=random) / 100,
        "valid": torch.rand(num_samples, 2, 21, generator=random) < 0.95,
        "group": torch.randint(0, 4, (num_samples, 2), generator=random),
        "fit": torch.rand(num_samples, 2, generator=random) < 0.9,
        "interacting": torch.rand(num_samples, generator=random) < 0.5,
    }


def results(num_samples: int, rank: int = 0, world_size: int = 1, batch: int = BATCH) -> dict[str, list[float]]:
    """What one process gets from every metric after every ``world_size``-th sample from ``rank`` on."""
    data = {name: tensor[rank::world_size] for name, tensor in samples(num_samples).items()}
    joint_metrics = {f"{cls.__name__} {p}": cls(p) for cls in (MPJPE, PCKCurve, PCKAUC) for p in PROTOCOLS}
    vertex_metrics = {f"MPVPE {p}": MPVPE(p) for p in PROTOCOLS}
    fscore, mrrpe = FScore(), MRRPE()
    for start in range(0, len(data["joints"]), batch):
        part = {name: tensor[start : start + batch] for name, tensor in data.items()}
        joints = part["predicted_joints"], part["joints"]
        vertices = part["predicted_vertices"], part["vertices"]
        for joint_metric in joint_metrics.values():
            joint_metric.update(*joints, part["valid"], part["group"])
        for vertex_metric in vertex_metrics.values():
            vertex_metric.update(*vertices, *joints, part["fit"], part["interacting"])
        fscore.update(*vertices, part["fit"])
        mrrpe.update(*joints, part["valid"], part["interacting"])
    metrics = {**joint_metrics, **vertex_metrics, "FScore": fscore, "MRRPE": mrrpe}
    found = {name: metric.compute() for name, metric in metrics.items()}
    for name, metric in metrics.items():
        if isinstance(metric, MPJPE):
            found[f"{name} per joint"] = metric.per_joint()
        elif isinstance(metric, MPVPE):
            found[f"{name} by kind"] = metric.by_kind()
    return {name: value.flatten().tolist() for name, value in found.items()}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    for world_size in WORLD_SIZES:
        if rank >= world_size:
            continue
        store = f"file://{folder}/store{world_size}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world_size)
        found = {num_samples: results(num_samples, rank, world_size) for num_samples in NUM_SAMPLES}
        Path(folder, f"{world_size}.{rank}.json").write_text(json.dumps(found))
        dist.destroy_process_group()


if __name__ == "__main__":
    # Forked from a process that has done nothing yet, so that the imports, seconds each, are done once.
    mp.start_processes(work, args=(sys.argv[1],), nprocs=max(WORLD_SIZES), start_method="fork")
