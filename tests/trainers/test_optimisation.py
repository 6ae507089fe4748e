"""The optimiser's groups and schedule, and the weighted sum of losses over processes."""

import math

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from trainings import quiet_trainer

from gesturehand.errors import UserError
from gesturehand.losses import MaskedSum
from gesturehand.trainers.optimisation import adamw_with_cosine, weighted_loss


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


def configured(model=None, total_steps=100, **settings):
    model = model or Model()
    settings = {"learning_rate": 0.01, "weight_decay": 0.1, "warmup_share": 0.1, **settings}
    modules = [(model.encoder, 0.5), (model, 1.0)]
    return model, adamw_with_cosine(modules, total_steps=total_steps, **settings)


def test_every_trainable_parameter_is_in_one_group():
    model, configuration = configured()
    grouped = [p for group in configuration["optimizer"].param_groups for p in group["params"]]
    assert len({id(p) for p in grouped}) == len(grouped)
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters() if p.requires_grad}


def test_rates_and_decay_of_the_groups():
    model, configuration = configured()
    of_parameter = {
        id(p): (group["initial_lr"], group["weight_decay"])
        for group in configuration["optimizer"].param_groups
        for p in group["params"]
    }
    assert of_parameter[id(model.encoder[0].weight)] == (0.005, 0.1)
    for parameter in (model.encoder[0].bias, model.encoder[1].weight, model.encoder[1].bias):
        assert of_parameter[id(parameter)] == (0.005, 0.0)
    assert of_parameter[id(model.head.weight)] == (0.01, 0.1)
    assert of_parameter[id(model.head.bias)] == (0.01, 0.0)


def rates(configuration, steps):
    result = []
    for _ in range(steps):
        result.append([group["lr"] for group in configuration["optimizer"].param_groups])
        configuration["optimizer"].step()
        configuration["lr_scheduler"]["scheduler"].step()
    return result


def test_warm_up_is_linear_and_the_cosine_ends_at_zero():
    _, configuration = configured(total_steps=100)
    assert configuration["lr_scheduler"]["interval"] == "step"
    by_step = rates(configuration, 101)
    peaks = [0.005, 0.005, 0.01, 0.01]
    for step, groups in enumerate(by_step):
        factor = (step + 1) / 10 if step < 10 else (1 + math.cos(math.pi * (step - 10) / 90)) / 2
        assert groups == pytest.approx([factor * peak for peak in peaks], abs=1e-12)
    assert max(by_step) == pytest.approx(peaks)
    assert by_step[100] == pytest.approx([0] * 4, abs=1e-12)


@pytest.mark.parametrize(("total_steps", "warmup_share"), [(1, 0.1), (3, 0.0), (5, 1.0), (2, 0.9)])
def test_short_trainings_have_a_schedule_too(total_steps, warmup_share):
    _, configuration = configured(total_steps=total_steps, warmup_share=warmup_share)
    by_step = rates(configuration, total_steps + 3)
    assert all(0 <= rate <= 0.01 for groups in by_step for rate in groups)
    assert by_step[0][-1] > 0


def test_torch_chooses_how_to_update():
    """On a CPU no choice is made: ``fused=False`` would switch off multi-tensor updates too."""
    _, configuration = configured()
    for group in configuration["optimizer"].param_groups:
        assert group["fused"] is None
        assert group["foreach"] is None


def test_endless_training_is_refused():
    with pytest.raises(UserError, match="max_epochs"):
        configured(total_steps=float("inf"))


def term(total, count):
    return MaskedSum(torch.tensor(float(total), requires_grad=True), torch.tensor(float(count)))


def test_weighted_loss_of_one_process():
    sums = {"pose": term(6, 3), "shape": term(5, 10), "joint_2d": term(0, 0)}
    loss, logged, means = weighted_loss(sums, {"pose": 2.0, "shape": 4.0, "joint_2d": 9.0, "unused": 1.0}, lambda x: x)
    assert {name: mean.item() for name, mean in means.items()} == {"pose": 2.0, "shape": 0.5, "joint_2d": 0.0}
    assert loss.item() == logged.item() == 2 * 2.0 + 4 * 0.5
    assert not logged.requires_grad
    loss.backward()
    assert float(sums["pose"].total.grad) == pytest.approx(2 / 3)
    assert sums["joint_2d"].total.grad is not None


def test_mean_over_processes_is_the_loss_of_all_their_samples():
    """The mean of three processes' losses is total / count over all of them, even if one has nothing valid."""
    processes = [{"pose": term(6, 3)}, {"pose": term(10, 1)}, {"pose": term(0, 0)}]

    def mean_over_processes(own):
        assert own.shape == (1, 2)
        return torch.tensor([[16 / 3, 4 / 3]])

    shares = [weighted_loss(sums, {"pose": 2.0}, mean_over_processes) for sums in processes]
    assert sum(loss.item() for loss, _, _ in shares) / 3 == pytest.approx(2.0 * 16 / 4)
    for _, logged, means in shares:
        assert logged.item() == pytest.approx(2.0 * 16 / 4)
        assert means["pose"].item() == pytest.approx(16 / 4)


def test_sums_are_averaged_in_one_call():
    calls = []
    sums = {name: term(1, 1) for name in "abcde"}
    weighted_loss(sums, dict.fromkeys("abcde", 1.0), lambda x: calls.append(x) or x)
    assert len(calls) == 1
    assert calls[0].tolist() == [[1.0, 1.0]] * 5


def test_a_term_without_a_weight_is_an_error():
    with pytest.raises(KeyError):
        weighted_loss({"pose": term(1, 1)}, {}, lambda x: x)


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_fused_steps_are_clipped_as_the_others(tmp_path, precision):
    """Parameters are the same after three clipped steps, even if Lightning refuses to clip for fused optimisers."""

    class Module(pl.LightningModule):
        def __init__(self, fused):
            super().__init__()
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(4, 3)
            self.fused = fused

        def training_step(self, batch, batch_idx):
            return 100 * self.layer(batch).square().sum()

        def configure_optimizers(self):
            return adamw_with_cosine(
                [(self, 1.0)], learning_rate=0.1, weight_decay=0.1, warmup_share=0.1, total_steps=3, fused=self.fused
            )

        def on_before_optimizer_step(self, optimizer):
            assert bool(optimizer.defaults["fused"]) == self.fused

    results = []
    for fused in (True, False):
        module = Module(fused)
        trainer = quiet_trainer(default_root_dir=tmp_path, max_steps=3, precision=precision, gradient_clip_val=0.01)
        trainer.fit(module, torch.utils.data.DataLoader(torch.ones(6, 4), 2))
        norm = sum(parameter.grad.square().sum() for parameter in module.parameters()).sqrt()
        results.append((module.layer.weight.detach(), norm))
    torch.testing.assert_close(results[0], results[1])
