"""MPJPE and MPVPE (eanet) on many samples at once, against one sample and one joint at a time in Python.

    python benchmarks/metrics.py [--samples 20000] [--vertices 778]

Prints both times, their ratio, the extra memory at its peak, and the difference between the results. Linux only: the
peak is read from /proc.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gesturehand.metrics import MPJPE, MPVPE
from gesturehand.skeleton import MIDDLE_MCP, NUM_JOINTS, WRIST

Arrays = dict[str, np.ndarray]
Result = tuple[float, float]


def random_hands(samples: int, vertices: int) -> Arrays:
    """Float32 hands about 8 cm in size, predictions 1 cm from them, and a tenth of the joints invalid."""
    random = np.random.default_rng(0)
    arrays: Arrays = {}
    for name, points in (("joints", NUM_JOINTS), ("vertices", vertices)):
        truth = random.standard_normal((samples, points, 3), dtype=np.float32)
        truth *= 0.08
        error = random.standard_normal((samples, points, 3), dtype=np.float32)
        error *= 0.01
        error += truth
        arrays[f"true_{name}"], arrays[f"predicted_{name}"] = truth, error
    arrays["valid"] = random.random((samples, NUM_JOINTS)) < 0.9
    arrays["valid"][:, [WRIST, MIDDLE_MCP]] = True
    return arrays


def at_once(arrays: Arrays) -> Result:
    """This library's metrics, all samples in one update."""
    tensors = {name: torch.from_numpy(array)[:, None] for name, array in arrays.items()}
    joints = tensors["predicted_joints"], tensors["true_joints"]
    samples = len(arrays["valid"])
    mpjpe, mpvpe = MPJPE("eanet"), MPVPE("eanet")
    mpjpe.update(*joints, tensors["valid"])
    fit, interacting = torch.ones(samples, 1, dtype=torch.bool), torch.zeros(samples, dtype=torch.bool)
    mpvpe.update(tensors["predicted_vertices"], tensors["true_vertices"], *joints, fit, interacting)
    return mpjpe.compute().item(), mpvpe.compute().item()


def one_at_a_time(arrays: Arrays) -> Result:
    """The usual evaluation: a Python loop over samples and joints."""
    joint_errors: list[list[float]] = [[] for _ in range(NUM_JOINTS)]
    vertex_errors: list[float] = []
    for n in range(len(arrays["valid"])):
        predicted, true = arrays["predicted_joints"][n], arrays["true_joints"][n]
        length = np.linalg.norm(predicted[MIDDLE_MCP] - predicted[WRIST])
        scale = np.linalg.norm(true[MIDDLE_MCP] - true[WRIST]) / length
        moved, truth = (predicted - predicted[MIDDLE_MCP]) * scale, true - true[MIDDLE_MCP]
        for j in range(NUM_JOINTS):
            if arrays["valid"][n, j]:
                joint_errors[j].append(np.sqrt(np.sum((moved[j] - truth[j]) ** 2)) * 1000)
        vertices = (arrays["predicted_vertices"][n] - predicted[MIDDLE_MCP]) * scale
        true_vertices = arrays["true_vertices"][n] - true[MIDDLE_MCP]
        vertex_errors.append(np.sqrt(np.sum((vertices - true_vertices) ** 2, 1)).mean() * 1000)
    per_joint = [np.mean(errors, dtype=np.float64) for errors in joint_errors]
    return float(np.mean(per_joint)), float(np.mean(vertex_errors, dtype=np.float64))


def memory_mb(field: str) -> float:
    """``VmRSS`` (resident now) or ``VmHWM`` (its peak) of this process."""
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def measure(function: Callable[[Arrays], Result], arrays: Arrays) -> tuple[Result, float, float]:
    """The result, the seconds and the extra memory in MB at its peak."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before, start = memory_mb("VmRSS"), time.perf_counter()
    result = function(arrays)
    seconds = time.perf_counter() - start
    return result, seconds, memory_mb("VmHWM") - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--vertices", type=int, default=778)
    parser.add_argument("--repeats", type=int, default=3, help="how often each is timed, alternately; the best counts")
    arguments = parser.parse_args()
    at_once(random_hands(8, arguments.vertices))  # what is loaded at the first use counts for neither
    arrays = random_hands(arguments.samples, arguments.vertices)
    ours, our_seconds, our_mb = measure(at_once, arrays)
    usual, usual_seconds, usual_mb = measure(one_at_a_time, arrays)
    # Memory is that of the first call, time that of the best: another process's turn on the core counts for neither.
    for _ in range(arguments.repeats - 1):
        our_seconds = min(our_seconds, measure(at_once, arrays)[1])
        usual_seconds = min(usual_seconds, measure(one_at_a_time, arrays)[1])
    print(f"{arguments.samples} samples, {arguments.vertices} vertices, {torch.get_num_threads()} threads")
    for name, (mpjpe, mpvpe), seconds, extra in (
        ("at once", ours, our_seconds, our_mb),
        ("one at a time", usual, usual_seconds, usual_mb),
    ):
        print(f"{name:13}  {seconds:7.2f} s  {extra:6.0f} MB extra  MPJPE {mpjpe:.6f} mm  MPVPE {mpvpe:.6f} mm")
    difference = np.abs(np.subtract(ours, usual)).max()
    print(f"ratio {usual_seconds / our_seconds:.1f}, largest difference of the results {difference:.1e} mm")


if __name__ == "__main__":
    main()
