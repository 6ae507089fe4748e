"""Arithmetic in full float32, for geometry that half precision would move by tenths of a millimetre."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast, and no TF32 or bfloat16 inside float32 matrix products, whatever the trainer has chosen.

    Code that compiles the block inside has to choose the products' precision outside.
    """
    with torch.autocast(device.type, enabled=False):
        if torch.compiler.is_compiling():
            yield
        else:
            with full_matmul_precision():
                yield


@contextmanager
def full_matmul_precision() -> Iterator[None]:
    """No TF32 or bfloat16 inside float32 matrix products."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
