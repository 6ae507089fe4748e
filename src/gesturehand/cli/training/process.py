"""What the process of a training sets up for itself: its share of the cores, and which warnings it leaves out."""

import logging
import os
import warnings

import torch


def share_cores(workers: int) -> None:
    """Leaves a core to every worker process.

    PyTorch's threads wait for each other in a loop that burns their cores. On a small machine where workers want the
    same cores, that makes training several times slower than with a single thread.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - workers))


def silence_what_is_meant() -> None:
    """Warnings about what this command does on purpose, or what users cannot change."""
    for message in (
        "LightningCLI's args parameter is intended",  # --run is expanded before Lightning sees the words
        "The dirpath has changed from",  # a test keeps its results in a folder of its own
        "Experiment logs directory",  # the run folder is new, W&B's part of it is what is meant
        ".*isinstance\\(treespec, LeafSpec\\)",
        "The `srun` command is available",
    ):
        warnings.filterwarnings("ignore", message)
    # Lightning's advertisements come through the same logger as its messages.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(lambda record: "Tip:" not in record.msg)
