import copy
import pickle

import pytest
import torch
from torchmetrics import MetricCollection

from gesturehand.metrics import MPJPE, MPVPE, MRRPE, PCKAUC, FScore, PCKCurve
from gesturehand.metrics.protocol import PROTOCOLS

ALL = (MPJPE, MPVPE, MRRPE, PCKAUC, FScore, PCKCurve)


@pytest.mark.parametrize("metric_class", ALL)
def test_sums_are_float64_and_counts_int64(metric_class):
    metric = metric_class()
    assert metric.metric_state
    for name, state in metric.metric_state.items():
        # Each hand of a pair is half a sample of EANet's MPVPE.
        whole = "count" in name and (metric_class, name) != (MPVPE, "sample_count_eanet")
        assert state.dtype == (torch.int64 if whole else torch.float64)


@pytest.mark.parametrize("metric_class", ALL)
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_nothing_seen_is_nan(metric_class):
    assert metric_class().compute().isnan().all()


@pytest.mark.parametrize(
    "cast", [lambda m: m.half(), lambda m: m.to(torch.bfloat16), lambda m: m.to("cpu", torch.half)]
)
def test_a_module_that_is_cast_leaves_its_sums_alone(cast):
    module = torch.nn.Module()
    module.layer, module.metric = torch.nn.Linear(1, 1), MPJPE("root")
    cast(module)
    assert module.layer.weight.dtype != torch.float32
    assert module.metric.sums(object).joint_error_mm.dtype == torch.float64


def test_a_device_without_float64_leaves_the_sums_on_the_cpu(monkeypatch):
    metric = MPJPE("root")
    target = torch.zeros(2, 1, 21, 3)
    metric.update(target + torch.rand_like(target), target, torch.ones(2, 1, 21, dtype=torch.bool))
    expected = metric.compute()
    monkeypatch.setattr("gesturehand.metrics.sum_metric.supports_float64", lambda device: device.type != "meta")
    metric.to("meta")
    sums = metric.sums(object)
    assert sums.joint_error_mm.device.type == "cpu"
    assert sums.joint_error_mm.dtype == torch.float64
    assert sums.joint_count.device.type == "meta"
    assert metric.device.type == "meta"
    assert expected > 0
    metric.reset()
    assert metric.sums(object).joint_error_mm.device.type == "cpu"


def test_a_collection_keeps_protocols_apart_when_the_first_batch_is_empty():
    """Torchmetrics takes metrics whose states agree after the first batch for one metric."""
    random = torch.Generator().manual_seed(0)
    prediction, target = torch.rand(2, 3, 1, 21, 3, generator=random)
    valid = torch.ones(3, 1, 21, dtype=torch.bool)
    collection = MetricCollection({p: MPJPE(p) for p in PROTOCOLS})
    collection.update(prediction, target, torch.zeros_like(valid))
    collection.update(prediction, target, valid)
    for protocol, value in collection.compute().items():
        alone = MPJPE(protocol)
        alone.update(prediction, target, valid)
        assert value == alone.compute(), protocol
    assert len(set(collection.compute().values())) > 2


def test_two_averages_of_one_protocol_share_their_sums_in_a_collection():
    collection = MetricCollection({a: MPJPE("root", a) for a in ("per_joint", "all")})
    joints = torch.rand(3, 1, 21, 3)
    collection.update(joints + torch.rand_like(joints), joints, torch.ones(3, 1, 21, dtype=torch.bool))
    assert len(collection.compute_groups) == 1


def test_forward_gives_the_batch_and_keeps_the_sum():
    metric, target = MPJPE("root"), torch.zeros(2, 1, 21, 3)
    shift = torch.zeros(21, 3)
    shift[1:, 0] = 0.021
    valid = torch.ones(2, 1, 21, dtype=torch.bool)
    assert metric(target + shift, target, valid).item() == pytest.approx(20.0)
    assert metric(target + 2 * shift, target, valid).item() == pytest.approx(40.0)
    assert metric.compute().item() == pytest.approx(30.0)


def test_copies_are_whole():
    metric, joints = MPVPE(), torch.rand(2, 1, 21, 3)
    fit, interacting = torch.ones(2, 1, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    metric.update(joints + torch.rand_like(joints), joints, joints, joints, fit, interacting)
    for duplicate in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric)), metric.clone()):
        assert duplicate.compute() == metric.compute()


def test_reset_forgets():
    metric, joints = MPJPE(), torch.rand(2, 1, 21, 3)
    valid = torch.ones(2, 1, 21, dtype=torch.bool)
    metric.update(joints + torch.rand_like(joints), joints, valid)
    metric.reset()
    metric.update(joints, joints, valid)
    assert metric.compute() == 0
