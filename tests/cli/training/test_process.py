"""What a training's process sets up for itself, seen from outside: another process counts its page faults."""

import logging
import os
import platform
import subprocess
import sys
import warnings

import pytest

from gesturehand.cli.training.process import silence_what_is_meant

PROGRAM = """
import resource, sys
import torch
from gesturehand.cli.training.process import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    for _ in range(5):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
counts = [faults() for _ in range(8)]  # blocks find their places in the first rounds
print(min(after - before for before, after in zip(counts, counts[1:])))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
@pytest.mark.parametrize(
    ("word", "variables", "kept"),
    [("keep", {}, True), ("leave", {}, False), ("keep", {"MALLOC_TRIM_THRESHOLD_": "131072"}, False)],
    ids=["kept", "as glibc does", "as the environment says"],
)
def test_freed_memory_is_taken_again_without_page_faults(word, variables, kept):
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, word]
    done = subprocess.run(command, env=plain | variables, capture_output=True, text=True, check=True)
    # 5 × 64 MB in pages of 4 kB, or of the 2 MB that some systems give.
    assert (int(done.stdout) < 5 * 32) == kept


def test_remarks_that_nobody_can_act_on_are_left_out(caplog):
    """Lightning's own messages go through one logger; those that say something new still do."""
    logger = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    before = list(logger.filters)
    try:
        with warnings.catch_warnings():
            silence_what_is_meant()
        with caplog.at_level(logging.INFO, logger.name):
            logger.propagate, kept = True, logger.propagate
            for message in (
                "GPU available: False, used: False",
                "Loading `train_dataloader` to estimate number of stepping batches.",
                "`Trainer.fit` stopped: `max_epochs=5` reached.",
                "`Trainer.fit` stopped: No training batches.",
                "Finished: runs/demo",
            ):
                logger.info(message)
            logger.propagate = kept
        assert caplog.messages == ["`Trainer.fit` stopped: No training batches.", "Finished: runs/demo"]
    finally:
        logger.filters = before
