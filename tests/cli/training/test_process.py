"""What a training's process sets up for itself, seen from outside: another process counts its page faults."""

import os
import platform
import subprocess
import sys

import pytest

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
