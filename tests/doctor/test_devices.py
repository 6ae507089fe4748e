"""Precisions: errors are those of the formats, and a format that a device does not compute is a finding."""

import pytest
import torch

from gesturehand.doctor import devices
from gesturehand.doctor.devices import TOLERANCES, error_of, precisions

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "bits"), [("fp32", 24), ("bf16-mixed", 8), ("fp16-mixed", 11)])
def test_error_is_that_of_the_format(name, bits):
    """Of sums of some hundred products, rounded to so many bits; a format with 3 more bits would be below."""
    step = 2.0**-bits
    assert step / 4 < error_of(CPU, name) < 50 * step
    assert error_of(CPU, name) < TOLERANCES[name]


def test_settings_are_as_before():
    torch.set_float32_matmul_precision("medium")
    try:
        error_of(CPU, "tf32")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_precision_that_fails_is_a_warning_and_float32_a_problem(monkeypatch):
    def error(device, name):
        if name == "fp16-mixed":
            raise RuntimeError("no kernel image is available for execution on the device")
        return 0.3

    monkeypatch.setattr(devices, "error_of", error)
    found = {row.name: row for row in precisions(CPU) if not isinstance(row, str)}
    assert found["cpu fp32"].state == "problem"
    assert "wrong by 3.0e-01" in found["cpu fp32"].value
    assert found["cpu bf16-mixed"].state == "warning"
    assert "no kernel image" in found["cpu fp16-mixed"].value
    assert "tf32" not in " ".join(found)


def test_gpu_without_a_build_for_it_is_a_problem(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (found,) = devices._builds("570.10")
    assert (found.state, found.value) == ("problem", "there is a GPU, and PyTorch is built without CUDA")
    (found,) = devices._builds("")
    assert found.state == "ok"
