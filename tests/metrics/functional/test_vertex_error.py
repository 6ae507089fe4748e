import numpy as np
import pytest
import torch

from gesturehand.metrics.functional.protocol import PROTOCOLS
from gesturehand.metrics.functional.vertex_error import vertex_errors_mm

NAMES = ("vertices", "true_vertices", "joints", "true_joints")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float64, 1e-6, 0), (np.float32, 0, 1e-4)])
@pytest.mark.parametrize("num_vertices", [30, 101])
def test_agrees_with_the_loop(reference, hands, protocol, dtype, rtol, atol, num_vertices):
    data = hands(0, 5, vertices=num_vertices, dtype=dtype)
    errors = vertex_errors_mm(*(torch.tensor(data[name]) for name in NAMES), protocol)
    for n in np.ndindex(5, 2):
        expected = reference.vertex_error(*(data[name][n].astype(np.float64) for name in NAMES), protocol)
        np.testing.assert_allclose(errors[n].item(), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chunks_do_not_change_the_result(hands, protocol):
    tensors = [torch.tensor(hands(1, 7)[name]) for name in NAMES]
    whole = vertex_errors_mm(*tensors, protocol, chunk_hands=1000)
    for chunk_hands in (1, 3, 14):
        torch.testing.assert_close(vertex_errors_mm(*tensors, protocol, chunk_hands), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_leading_shape(hands, protocol):
    tensors = [torch.tensor(hands(2, 4)[name]) for name in NAMES]
    errors = vertex_errors_mm(*tensors, protocol)
    assert vertex_errors_mm(*(tensor[:0] for tensor in tensors), protocol).shape == (0, 2)
    torch.testing.assert_close(vertex_errors_mm(*(tensor[2, 1] for tensor in tensors), protocol), errors[2, 1])


def test_procrustes_does_not_look_at_the_joints(hands):
    vertices, truth, joints, _ = (torch.tensor(hands(3)[name]) for name in NAMES)
    nothing = torch.full_like(joints, torch.nan)
    assert vertex_errors_mm(vertices, truth, nothing, nothing, "procrustes").isfinite().all()


def test_joints_of_other_hands_are_refused(hands):
    vertices, truth, joints, true_joints = (torch.tensor(hands(4)[name]) for name in NAMES)
    with pytest.raises(ValueError, match=r"prediction_joints must have shape \(6, 2, 21, 3\), but got \(6, 1, 21, 3\)"):
        vertex_errors_mm(vertices, truth, joints[:, :1], true_joints)
    with pytest.raises(ValueError, match="chunk_hands must be a positive integer, but got 0"):
        vertex_errors_mm(vertices, truth, joints, true_joints, chunk_hands=0)
