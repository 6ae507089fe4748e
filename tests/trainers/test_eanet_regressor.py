"""EANet in training: two-hand and single-hand frames, masks, the hand-over, a whole fit and test."""

import pytest
import pytorch_lightning as pl
import torch
from trainings import quiet_trainer

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.losses import layered_objective, mean_of, relative_translation_loss
from gesturehand.targets import build_targets
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

SIZE = 64
ENCODER = {"backbone": "test_resnet", "feature_stride": 16, "image_size": SIZE, "embedding_dim": 16}
SMALL = {**ENCODER, "width": 32, "depth": 1, "volume_depth": 4}


def data_of(root, **settings):
    settings = {"hands": "all", "layout": "two_hand", "mirror_left": False, "batch_size": 12, **settings}
    return InterHandDataModule(str(root), image_size=SIZE, num_workers=0, **settings)


@pytest.fixture(scope="module")
def batch(two_hand_root):
    batch = next(iter(data_of(two_hand_root, augment=False).evaluation_dataloader("train")))
    assert batch["interacting"].any()
    assert not batch["interacting"].all()
    return batch


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return EANetRegressor(**SMALL)


def test_relative_translation_target_is_the_way_between_the_annotated_wrists(batch, model):
    targets = build_targets(batch, model.hand_model)
    for sample in range(len(batch["image"])):
        world = batch["joints_world"][sample, :, 0].double()
        both = bool(batch["joint_valid_frame"][sample, :, 0].all() and batch["hand_present"][sample].all())
        assert bool(targets["relative_translation_valid"][sample]) == both
        if both:
            camera = batch["camera_rotation"][sample].double() @ (world[1] - world[0])
            turn = batch["crop_affine"][sample, :, :2].double()
            turn = turn / torch.linalg.det(turn).abs().sqrt()
            expected = torch.cat([turn @ camera[:2], camera[2:]]).float()
            torch.testing.assert_close(targets["relative_translation"][sample], expected, atol=1e-5, rtol=1e-4)


def test_one_hand_per_sample_has_no_other_wrist(two_hand_root, model):
    data = InterHandDataModule(str(two_hand_root), image_size=SIZE, num_workers=0)
    targets = build_targets(next(iter(data.test_dataloader())), model.hand_model)
    assert not targets["relative_translation_valid"].any()
    assert not targets["relative_translation"].any()


def test_absent_hand_adds_neither_loss_nor_gradient(batch, model):
    """With single right hands only, no part of the left hand's head is trained, whatever it predicts."""
    single = batch["hand_present"][:, 0] & ~batch["hand_present"][:, 1]
    right = {name: value[single] for name, value in batch.items()}
    assert len(right["image"]) > 0
    model.zero_grad()
    hand, gesture = model(right["image"], right["is_right"])
    assert gesture is None
    targets = build_targets(right, model.hand_model)
    sums = {**layered_objective(hand, targets), "way": relative_translation_loss(hand, targets)}
    assert float(sums["way"].count) == 0
    torch.stack([mean_of(term) for term in sums.values()]).sum().backward()
    own = model.network.hands
    assert all(p.grad is not None and not p.grad.any() for p in own[1].parameters())
    assert all(p.grad is not None and not p.grad.any() for p in model.network.relative_translation.parameters())
    assert any(p.grad.any() for p in own[0].parameters())
    # The values in place of the absent hand change nothing.
    moved = {name: value.clone() for name, value in hand.items()}
    for name in ("joints", "joints_2d", "joints_25d", "rotations", "betas"):
        moved[name][:, 1] += 7
    other = layered_objective(moved, targets)
    for name, term in other.items():
        torch.testing.assert_close(term.total, sums[name].total, msg=name)


def test_two_hands_train_the_way_between_them(batch, model):
    both = {name: value[batch["interacting"]] for name, value in batch.items()}
    hand, _ = model(both["image"], both["is_right"])
    term = relative_translation_loss(hand, build_targets(both, model.hand_model))
    assert float(term.count) > 0
    model.zero_grad()
    mean_of(term).backward()
    assert all(p.grad.any() for p in model.network.relative_translation[2].parameters())


@pytest.mark.parametrize(("model_class", "layout"), [(EANetRegressor, "per_hand"), (TokenFusionRegressor, "two_hand")])
def test_data_of_the_other_layout_is_refused(two_hand_root, model_class, layout):
    data = data_of(two_hand_root, layout=layout)
    with pytest.raises(UserError, match=rf"{model_class.__name__} needs data\.layout={model_class.layout}"):
        quiet_trainer(max_steps=1).fit(model_class(**SMALL), data)


@pytest.mark.parametrize("classes", ["shared", "per_hand"])
@pytest.mark.parametrize("attention", [False, True])
def test_first_stage_is_handed_over(tmp_path, two_hand_root, attention, classes, caplog):
    """Stage 1 sees hands as EANet does; the encoder starts from it, and so does the gesture head if there is one."""
    encoder = {**ENCODER, "gesture_classes": classes}
    data = data_of(two_hand_root, hands="single", flip_probability=0.5, labelled_only=True, gesture_classes=classes)
    pretrainer = GesturePretrainer(**encoder)
    trainer = quiet_trainer(max_steps=1, limit_val_batches=0)
    trainer.fit(pretrainer, data)
    trainer.save_checkpoint(tmp_path / "stage1.ckpt")
    settings = {**SMALL, "gesture_classes": classes, "gesture_attention": attention}
    model = EANetRegressor(**settings, pretrained=str(tmp_path / "stage1.ckpt"), learning_rate=1e-30, weight_decay=0.0)
    with caplog.at_level("INFO"):
        quiet_trainer(max_steps=1, limit_val_batches=0).fit(model, data_of(two_hand_root, gesture_classes=classes))
    assert ("no gesture head" in caplog.text) == (not attention)
    for name in ("encoder", "gesture_head") if attention else ("encoder",):
        loaded, trained = getattr(model.network, name), getattr(pretrainer, name)
        for (key, one), two in zip(loaded.named_parameters(), trained.parameters(), strict=True):
            assert torch.allclose(one, two, rtol=0, atol=1e-20), f"{name}.{key}"


@pytest.mark.parametrize("attention", [False, True])
def test_every_trainable_parameter_gets_a_gradient(two_hand_root, attention):
    model = EANetRegressor(**SMALL, gesture_attention=attention)
    quiet_trainer(max_steps=1, limit_val_batches=0).fit(model, data_of(two_hand_root, flip_probability=0.5))
    unused = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert unused == []


@pytest.mark.slow
def test_it_learns_eight_frames_by_heart(two_hand_root):
    pl.seed_everything(0)
    (batch,) = data_of(two_hand_root, augment=False, batch_size=100).evaluation_dataloader("train")
    fitted = (batch["mano_valid"] | ~batch["hand_present"]).all(-1)
    chosen = torch.cat([torch.nonzero(fitted & (batch["interacting"] == kind))[:4, 0] for kind in (True, False)])
    samples = [{name: value[i] for name, value in batch.items()} for i in chosen.tolist()]
    assert len(samples) == 8
    loader = torch.utils.data.DataLoader(samples, batch_size=8)
    model = EANetRegressor(**{**SMALL, "width": 64}, learning_rate=4e-3, weight_decay=0.0)
    trainer = quiet_trainer(max_epochs=400, gradient_clip_val=1.0, limit_val_batches=0)
    trainer.fit(model, loader)
    trainer.test(model, loader, verbose=False)
    assert float(trainer.callback_metrics["test/mpjpe_mm"]) < 3.0
    assert float(trainer.callback_metrics["test/mrrpe_mm"]) < 5.0
