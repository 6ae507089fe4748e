"""Devices: GPUs and the CPU, and the precisions in which each of them computes, found by trying."""

import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gesturehand.doctor.finding import Examination, Finding, State, examined_apart
from gesturehand.errors import brief

if TYPE_CHECKING:
    import torch

_PATIENCE_S: Final = 300.0
_GIB: Final = 2**30
#: For each word of ``trainer.precision`` or a document, the largest relative error of a small network's output.
#: bfloat16 has 8 bits of mantissa, float16 and TF32 11, float32 24; a layer adds a few hundred products.
TOLERANCES: Final = {"fp32": 1e-5, "tf32": 2e-2, "bf16-mixed": 5e-2, "fp16-mixed": 1e-2}
#: The first NVIDIA GPUs that have TF32 and bfloat16.
_AMPERE: Final = (8, 0)


def devices() -> Iterator[Finding]:
    """Findings on the driver and, from PyTorch in a separate process, on every device."""
    driver = nvidia_driver()
    if driver is not None:
        yield Finding("NVIDIA driver", driver)
    yield from examined_apart(__name__, "computed", _PATIENCE_S, "" if driver is None else driver)


def nvidia_driver() -> str | None:
    """The version of NVIDIA's driver; None if there is none."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
        if done.stdout.strip():
            return done.stdout.split()[0]
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        words = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return next((word for word in words if word.replace(".", "").isdecimal() and "." in word), "of unknown version")


def computed(driver: str = "") -> Examination:
    """PyTorch's information on the devices, and the precisions in which each of them computes.

    Args:
        driver: The version of NVIDIA's driver; empty if there is none.
    """
    yield "import torch"
    try:
        import torch
    except Exception as error:  # the versions also report that it cannot be imported
        yield Finding("PyTorch", f"no device can be examined: {brief(error)}", "problem", "pip install torch")
        return
    yield "PyTorch"
    yield Finding("PyTorch's threads", f"{torch.get_num_threads()} for an operation")
    yield from _builds(driver)
    yield from _backends()
    yield "cpu"
    yield Finding("cpu", f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}")
    yield from precisions(torch.device("cpu"))
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        yield f"cuda:{number}"
        about = torch.cuda.get_device_properties(number)
        kind = "" if torch.version.hip else f", capability {about.major}.{about.minor}"
        yield Finding(f"cuda:{number}", f"{about.name}, {about.total_memory / _GIB:.1f} GiB{kind}")
        yield from precisions(torch.device("cuda", number))
    mps = torch.backends.mps.is_available()
    if mps or platform.system() == "Darwin":
        yield "mps"
        yield Finding("mps", "Apple's GPU" if mps else "not available")
        if mps:
            yield from precisions(torch.device("mps"))


def _builds(driver: str) -> Examination:
    import torch

    built = torch.version.cuda or (f"ROCm {torch.version.hip}" if torch.version.hip else None)
    if torch.cuda.is_available():
        cudnn = torch.backends.cudnn.version()
        yield Finding("CUDA", f"PyTorch is built for {built}" + (f", cuDNN {cudnn}" if cudnn else ""))
    elif not driver:
        yield Finding("CUDA", f"no GPU; PyTorch is built {f'for {built}' if built else 'without it'}")
    elif built is None:
        yield Finding(
            "CUDA",
            "there is a GPU, and PyTorch is built without CUDA",
            "problem",
            "install a build with CUDA: pytorch.org/get-started names its package index",
        )
    else:
        yield Finding(
            "CUDA",
            f"there is an NVIDIA driver {driver}, and PyTorch, built for CUDA {built}, finds no GPU",
            "problem",
            "update the driver or install a build for an older CUDA; check CUDA_VISIBLE_DEVICES",
        )


def _backends() -> Examination:
    import torch
    from torch import distributed

    if not distributed.is_available():
        yield Finding("distributed training", "PyTorch is built without it", "warning", "install another build")
        return
    found = [name for name in ("gloo", "nccl", "mpi") if getattr(distributed, f"is_{name}_available")()]
    lacking = torch.cuda.device_count() > 1 and "nccl" not in found
    remedy = "several GPUs need NCCL: install a build that has it" if lacking else ""
    yield Finding.judged("distributed training", ", ".join(found) or "no backend", bool(found) and not lacking, remedy)


def precisions(device: "torch.device") -> Examination:
    """Computes a small network in every precision that a training may use, and compares it with float64.

    Args:
        device: Where to compute.
    """
    import torch

    for name, tolerance in TOLERANCES.items():
        title = f"{device} {name}"
        if name == "tf32" and (device.type != "cuda" or torch.version.hip):
            continue
        yield title
        if name == "tf32" and torch.cuda.get_device_capability(device) < _AMPERE:
            yield Finding(title, "this GPU has none")
            continue
        try:
            error = error_of(device, name)
        except Exception as failure:  # missing kernels raise many kinds of errors
            yield Finding(title, brief(failure), *_without(name))
            continue
        if not error < tolerance:
            yield Finding(title, f"wrong by {error:.1e}, more than {tolerance:.0e}", *_without(name))
        elif name == "fp16-mixed" and device.type == "cpu":
            yield Finding(title, f"works, to {error:.0e}, and is so slow on a CPU that `fit` refuses it")
        else:
            yield Finding(title, f"works, to {error:.0e}")


def _without(name: str) -> tuple[State, str]:
    if name == "fp32":
        return "problem", "install PyTorch's build for this device, or use --trainer.accelerator=cpu"
    return "warning", "train with --trainer.precision=32" if name != "tf32" else "leave TF32 off, as it is by default"


def error_of(device: "torch.device", name: str) -> float:
    """The relative error of a convolution and a matrix product, forward and backward, against float64 on the CPU.

    Args:
        device: Where to compute.
        name: One of :data:`TOLERANCES`.

    Returns:
        The largest difference of an output or gradient, relative to its largest absolute value.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((4, 8, 16, 16), (16, 8, 3, 3), (16, 32))
    ]
    truth = _network(inputs, torch.device("cpu"), torch.float64, None)
    mixed = {"bf16-mixed": torch.bfloat16, "fp16-mixed": torch.float16}.get(name)
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = name == "tf32"
        found = _network(inputs, device, torch.float32, mixed)
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
    errors = [
        float((one - other).abs().max() / other.abs().max()) if one.isfinite().all() else float("inf")
        for one, other in zip(found, truth, strict=True)
    ]
    return max(errors)


def _network(
    inputs: "list[torch.Tensor]", device: "torch.device", dtype: "torch.dtype", mixed: "torch.dtype | None"
) -> "list[torch.Tensor]":
    """Output and gradients, float64 on the CPU."""
    import torch

    image, kernel, weight = (value.to(device, dtype, copy=True).requires_grad_() for value in inputs)
    with torch.autocast(device.type, dtype=mixed or torch.bfloat16, enabled=mixed is not None):
        features = torch.nn.functional.conv2d(image, kernel, padding=1)
        output = features.mean((2, 3)) @ weight
    output.to(dtype).square().mean().backward()
    results = [output, image.grad, kernel.grad, weight.grad]
    return [value.detach().cpu().double() for value in results if value is not None]
