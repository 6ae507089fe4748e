"""Products in full float32, whatever is set around them."""

import pytest
import torch

from gesturehand.precision import full_matmul_precision, full_precision


@pytest.fixture
def medium_precision():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


def test_neither_autocast_nor_the_trainers_choice_rounds_a_product(medium_precision):
    """0.001 is lost beside 1 in bfloat16, whose next number after 1 is 1.0078."""
    row, column = torch.tensor([[1.001]]), torch.tensor([[1.0]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert float(row @ column) == 1
        with full_precision(torch.device("cpu")):
            assert torch.get_float32_matmul_precision() == "highest"
            assert float(row @ column) == pytest.approx(1.001, abs=1e-6)
        assert float(row @ column) == 1


@pytest.mark.parametrize("make", [full_matmul_precision, lambda: full_precision(torch.device("cpu"))])
def test_the_choice_returns_also_after_an_error(make, medium_precision):
    with pytest.raises(RuntimeError, match="shapes"), make():
        _ = torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert torch.get_float32_matmul_precision() == "medium"
