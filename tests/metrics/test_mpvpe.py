import numpy as np
import pytest
import torch

from gesturehand.metrics import MPVPE
from gesturehand.metrics.mpvpe import mpvpe, mpvpe_by_kind, mpvpe_update, vertex_errors_mm
from gesturehand.metrics.protocol import PROTOCOLS

NAMES = ("vertices", "true_vertices", "joints", "true_joints", "fit", "interacting")
MESHES = NAMES[:4]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float64, 1e-6, 0), (np.float32, 0, 1e-4)])
@pytest.mark.parametrize("num_vertices", [30, 101])
def test_errors_agree_with_the_loop(reference, hands, protocol, dtype, rtol, atol, num_vertices):
    data = hands(0, 5, vertices=num_vertices, dtype=dtype)
    errors = vertex_errors_mm(*(torch.tensor(data[name]) for name in MESHES), protocol)
    for n in np.ndindex(5, 2):
        expected = reference.vertex_error(*(data[name][n].astype(np.float64) for name in MESHES), protocol)
        np.testing.assert_allclose(errors[n].item(), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chunks_do_not_change_the_result(hands, protocol):
    tensors = [torch.tensor(hands(1, 7)[name]) for name in MESHES]
    whole = vertex_errors_mm(*tensors, protocol, chunk_hands=1000)
    for chunk_hands in (1, 3, 14):
        torch.testing.assert_close(vertex_errors_mm(*tensors, protocol, chunk_hands), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_leading_shape(hands, protocol):
    tensors = [torch.tensor(hands(2, 4)[name]) for name in MESHES]
    errors = vertex_errors_mm(*tensors, protocol)
    assert vertex_errors_mm(*(tensor[:0] for tensor in tensors), protocol).shape == (0, 2)
    torch.testing.assert_close(vertex_errors_mm(*(tensor[2, 1] for tensor in tensors), protocol), errors[2, 1])


def test_procrustes_does_not_look_at_the_joints(hands):
    vertices, truth, joints, _ = (torch.tensor(hands(3)[name]) for name in MESHES)
    nothing = torch.full_like(joints, torch.nan)
    assert vertex_errors_mm(vertices, truth, nothing, nothing, "procrustes").isfinite().all()


def test_joints_of_other_hands_are_refused(hands):
    vertices, truth, joints, true_joints = (torch.tensor(hands(4)[name]) for name in MESHES)
    with pytest.raises(ValueError, match=r"prediction_joints must have shape \(6, 2, 21, 3\), but got \(6, 1, 21, 3\)"):
        vertex_errors_mm(vertices, truth, joints[:, :1], true_joints)
    with pytest.raises(ValueError, match="chunk_hands must be a positive integer, but got 0"):
        vertex_errors_mm(vertices, truth, joints, true_joints, chunk_hands=0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("batch", "num_hands"), [(1, 1), (1, 2), (20, 1), (20, 2)])
def test_agrees_with_the_loop(reference, hands, protocol, batch, num_hands):
    data = hands(batch, batch, num_hands)
    tensors = [torch.tensor(data[name]) for name in NAMES]
    single, both = reference.mpvpe_samples(*(data[name] for name in NAMES), protocol)
    expected = [np.mean(errors) if errors else np.nan for errors in (single + both, single, both)]
    result = [mpvpe(*tensors, protocol).item(), *mpvpe_by_kind(mpvpe_update(*tensors, protocol)).tolist()]
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    metric = MPVPE(protocol, chunk_hands=5)
    metric.update(*tensors)
    np.testing.assert_allclose([metric.compute().item(), *metric.by_kind().tolist()], expected, rtol=1e-6)
    assert batch == 1 or not np.isnan(expected).any()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_float32_agrees_with_the_loop(reference, hands, protocol):
    data = hands(2, 20, dtype=np.float32)
    double = {name: data[name].astype(np.float64) for name in NAMES[:4]}
    single, both = reference.mpvpe_samples(*((data | double)[name] for name in NAMES), protocol)
    result = mpvpe(*(torch.tensor(data[name]) for name in NAMES), protocol)
    np.testing.assert_allclose(result.item(), np.mean(single + both), rtol=0, atol=1e-4)


def test_an_interacting_sample_is_one_sample_and_needs_both_fits():
    truth, joints = torch.zeros(3, 2, 10, 3).double(), torch.rand(3, 2, 21, 3).double()
    prediction = truth.clone()
    prediction[0, 0, :, 0], prediction[0, 1, :, 0] = 0.010, 0.030
    prediction[1], prediction[2, 0, :, 0] = 1.0, 0.050
    fit = torch.tensor([[True, True], [True, False], [True, False]])
    interacting = torch.tensor([True, True, False])
    sums = mpvpe_update(prediction, truth, joints, joints, fit, interacting, "root")
    torch.testing.assert_close(mpvpe_by_kind(sums), torch.tensor([50.0, 20.0], dtype=torch.float64))
    assert mpvpe(prediction, truth, joints, joints, fit, interacting, "root").item() == pytest.approx(35.0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_hand_without_a_fit_may_hold_anything(hands, protocol):
    data = {name: torch.tensor(hands(3, 12)[name]) for name in NAMES}
    clean = mpvpe(*data.values(), protocol)
    for name in NAMES[:4]:
        data[name][~data["fit"]] = torch.nan
    torch.testing.assert_close(mpvpe(*data.values(), protocol), clean)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_counted_is_nan_and_never_an_error(hands, protocol):
    data = {name: torch.tensor(hands(4, 3)[name]) for name in NAMES}
    assert mpvpe(*(tensor[:0] for tensor in data.values()), protocol).isnan()
    assert mpvpe(*(data | {"fit": torch.zeros(3, 2, dtype=torch.bool)}).values(), protocol).isnan()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_degenerate_hands_are_finite(hands, protocol):
    data = {name: torch.tensor(hands(5, 3)[name]) for name in NAMES}
    data["fit"][:] = True
    point = {name: torch.ones_like(data[name]) for name in NAMES[:4]}
    assert mpvpe(*point.values(), data["fit"], data["interacting"], protocol).item() == pytest.approx(0, abs=1e-9)
    prediction = {name: point[name] for name in ("vertices", "joints")}
    truth = {name: point[name] for name in ("true_vertices", "true_joints")}
    assert mpvpe(*(data | prediction).values(), protocol).item() > 1
    assert mpvpe(*(data | truth).values(), protocol).isfinite()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "none"}, "protocol must be one of 'root', .*, but got 'none'"),
        ({"chunk_hands": -1}, "chunk_hands must be a positive integer, but got -1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        MPVPE(**arguments)
