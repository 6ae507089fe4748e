"""The base of all metrics: their sums, on one process and on several, the groups of hands and the checks."""

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torchmetrics import MetricCollection

from gesturehand.metrics import MPJPE, MPVPE, MRRPE, PCKAUC, FScore, PCKCurve
from gesturehand.metrics.checks import widest
from gesturehand.metrics.protocol import HAND_GROUPS, PROTOCOLS, flat_groups, hand_groups, sum_by_group

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
    """Torchmetrics takes metrics whose states agree after the first batch to be one metric."""
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


# Groups of hands.


def test_groups_are_named():
    left = torch.tensor([[False], [True], [False], [True]])
    interacting = torch.tensor([False, False, True, True])
    named = [HAND_GROUPS[index] for index in hand_groups(left, interacting).flatten()]
    assert named == ["single_right", "single_left", "interacting_right", "interacting_left"]


def test_a_hand_that_counts_must_be_in_a_group():
    counted = torch.ones(3, 21, dtype=torch.bool)
    counted[2] = False
    assert flat_groups(torch.tensor([1, 0, 99]), counted, 2).tolist() == [1, 0, 0]
    for outside in (2, -1):
        with pytest.raises(ValueError, match=f"group must be between 0 and 1, but got {outside}"):
            flat_groups(torch.tensor([1, outside, 0]), counted, 2)


def test_sums_against_a_loop():
    values, group = torch.rand(50, 4, dtype=torch.float64), torch.randint(0, 3, (50,))
    sums = sum_by_group(values, group, 4)
    for g in range(4):
        torch.testing.assert_close(sums[g], values[group == g].sum(0))


# Checks.


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_values_are_kept_in_float64_without_a_gradient(dtype):
    values = torch.rand(5).to(dtype).requires_grad_()
    wide = widest(values)
    assert wide.dtype == torch.float64
    assert not wide.requires_grad
    assert torch.equal(wide.to(dtype), values)


# Every metric on samples that are shared out among gloo processes; run as a script, this file is one of them.


WORLD_SIZES = (2, 3)
NUM_SAMPLES = (1, 7, 32, 33)
BATCH = 3


def samples(num_samples: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(num_samples)
    joints = torch.rand(num_samples, 2, 21, 3, generator=random) / 5
    vertices = torch.rand(num_samples, 2, 40, 3, generator=random) / 5
    return {
        "joints": joints,
        "vertices": vertices,
        "predicted_joints": joints + torch.randn(joints.shape, generator=random) / 100,
        "predicted_vertices": vertices + torch.randn(vertices.shape, generator=random) / 100,
        "valid": torch.rand(num_samples, 2, 21, generator=random) < 0.95,
        "group": torch.randint(0, 4, (num_samples, 2), generator=random),
        "fit": torch.rand(num_samples, 2, generator=random) < 0.9,
        "interacting": torch.rand(num_samples, generator=random) < 0.5,
    }


def results(num_samples: int, rank: int = 0, world_size: int = 1, batch: int = BATCH) -> dict[str, list[float]]:
    """The results of one process from every metric after every ``world_size``-th sample from ``rank`` on."""
    data = {name: tensor[rank::world_size] for name, tensor in samples(num_samples).items()}
    joint_metrics = {f"{cls.__name__} {p}": cls(p) for cls in (MPJPE, PCKCurve, PCKAUC) for p in PROTOCOLS}
    vertex_metrics = {f"MPVPE {p}": MPVPE(p) for p in PROTOCOLS}
    fscore, mrrpe = FScore(), MRRPE()
    for start in (*range(0, len(data["joints"]), batch), len(data["joints"])):  # the last one is empty
        part = {name: tensor[start : start + batch] for name, tensor in data.items()}
        joints = part["predicted_joints"], part["joints"]
        vertices = part["predicted_vertices"], part["vertices"]
        for joint_metric in joint_metrics.values():
            joint_metric.update(*joints, part["valid"], part["group"])
        for vertex_metric in vertex_metrics.values():
            vertex_metric.update(*vertices, *joints, part["fit"], part["interacting"])
        fscore.update(*vertices, part["fit"])
        mrrpe.update(*joints, part["valid"], part["interacting"])
    metrics = {**joint_metrics, **vertex_metrics, "FScore": fscore, "MRRPE": mrrpe}
    found = {name: metric.compute() for name, metric in metrics.items()}
    for name, metric in metrics.items():
        if isinstance(metric, MPJPE):
            found[f"{name} per joint"] = metric.per_joint()
        elif isinstance(metric, MPVPE):
            found[f"{name} by kind"] = metric.by_kind()
    return {name: value.flatten().tolist() for name, value in found.items()}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    for world_size in WORLD_SIZES:
        if rank >= world_size:
            continue
        store = f"file://{folder}/store{world_size}"
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=world_size)
        found = {num_samples: results(num_samples, rank, world_size) for num_samples in NUM_SAMPLES}
        Path(folder, f"{world_size}.{rank}.json").write_text(json.dumps(found))
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The results of all processes, which are started once for all numbers of processes."""
    folder = tmp_path_factory.mktemp("processes")
    subprocess.run([sys.executable, __file__, str(folder)], check=True, timeout=240)
    return folder


@pytest.mark.parametrize("world_size", WORLD_SIZES)
@pytest.mark.parametrize("num_samples", NUM_SAMPLES)
def test_several_processes_give_the_result_of_one(folder, world_size, num_samples):
    """Among them are a process without samples, and numbers that do not divide."""
    expected = results(num_samples)
    for rank in range(world_size):
        found = json.loads((folder / f"{world_size}.{rank}.json").read_text())[str(num_samples)]
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, rel=1e-9, abs=1e-12, nan_ok=True), f"{name}, process {rank}"


def test_the_shared_out_samples_have_errors():
    found = results(33)
    assert all(
        1 < found[f"{name} {protocol}"][0] < 100 for name in ("MPJPE", "MPVPE") for protocol in ("root", "eanet")
    )
    assert 0.1 < found["PCKAUC procrustes"][0] < 0.9
    assert found["MRRPE"][0] > 1


@pytest.mark.parametrize("batch", [1, 5, 33, 100])
def test_the_size_of_the_batches_changes_nothing(batch):
    expected = results(33)
    for name, values in results(33, batch=batch).items():
        assert values == pytest.approx(expected[name], rel=1e-12, abs=1e-12, nan_ok=True), name


if __name__ == "__main__":
    # Forked from a process that has done nothing yet, so that the imports, which take seconds, are done once.
    mp.start_processes(work, args=(sys.argv[1],), nprocs=max(WORLD_SIZES), start_method="fork")
