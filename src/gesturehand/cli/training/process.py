"""What a training sets up in its process (cores, memory, warnings), and how its SLURM job gets back into the queue."""

import ctypes
import logging
import os
import subprocess
import warnings
from typing import Final

import torch
from pytorch_lightning.utilities import rank_zero_info, rank_zero_only, rank_zero_warn

#: glibc's names for ``mallopt``'s parameters (malloc.h).
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGEST_INT: Final = 2**31 - 1


def share_cores(workers: int) -> None:
    """Leaves a core to every worker process.

    PyTorch's threads wait for each other in a loop that burns their cores. On a small machine where workers want the
    same cores, that makes training several times slower than with a single thread.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - workers))


def keep_freed_memory() -> None:
    """Lets the process keep memory that it frees, where the C library is glibc; what the environment says comes first.

    glibc gives large blocks back to the system at once. A step on the CPU frees and takes gigabytes, and almost
    half of its time goes into asking for empty pages.
    """
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None or any(name in os.environ for name in names):
        return
    for parameter in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
        mallopt(parameter, _LARGEST_INT)


def silence_what_is_meant() -> None:
    """Warnings about what this command does on purpose, or what users cannot change."""
    for message in (
        "LightningCLI's args parameter is intended",  # --run is expanded before Lightning sees the words
        "The dirpath has changed from",  # a test keeps its results in a folder of its own
        "Experiment logs directory",  # the run folder is new, and only W&B's part of it is old
        ".*isinstance\\(treespec, LeafSpec\\)",
        "The `srun` command is available",
        "Be aware that when using `ckpt_path`",  # a test brings callbacks of its own
    ):
        warnings.filterwarnings("ignore", message)
    # Through the same logger come messages that matter.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_matters)


#: What Lightning says at every start and end, beside its advertisements. A GPU that is not used has a warning.
_SAID_ALWAYS: Final = (
    "GPU available: ",
    "TPU available: ",
    "Loading `train_dataloader` to estimate",
    "Loaded model weights from",
    "`Trainer.fit` stopped: `max_epochs",
)


def _matters(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return "Tip:" not in message and not message.startswith(_SAID_ALWAYS)


@rank_zero_only
def requeue() -> None:
    """Asks SLURM to start this job again; by the first process."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = os.environ["SLURM_JOB_ID"] if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        rank_zero_warn(f"SLURM does not put job {job} back into its queue ({said}): submit it again.")
    else:
        rank_zero_info(f"Job {job} is back in SLURM's queue.")
