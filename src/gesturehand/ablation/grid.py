"""The comparison as data: sizes, arms, the trainings that they need, and the differences to be shown."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from gesturehand.models.token_fusion import Fusion, GestureLevels

Architecture = Literal["TokenFusion", "EANet"]
ARCHITECTURES: Final[tuple[Architecture, ...]] = ("TokenFusion", "EANet")
_SMALL_JITTER: Final = (
    ("scale_jitter", 0.1),
    ("rotation_jitter_deg", 15.0),
    ("noise_probability", 0.0),
    ("blur_probability", 0.0),
)


@dataclass(frozen=True)
class Size:
    """The sizes of a comparison; the defaults are those of "quick".

    Attributes:
        name: Name of the size.
        backbones: timm names; the first one's arms also vary one factor at a time.
        imagenet_weights: Start encoders from timm's weights.
        feature_stride: Stride of the feature maps, px.
        image_size: Side of the crops, px.
        batch_size: Samples per step.
        width: Width of a token, both architectures.
        depth: Blocks of TokenFusion.
        eanet_depth: Blocks of each attention of EANet.
        pretrain_steps: Steps of stage 1.
        finetune_steps: Steps of stage 2.
        few_fits: Shares of the captured frames with a MANO fit, each with the steps of its stage 2: until validation
            stops improving.
        pretrain_rate: Peak learning rate of stage 1.
        finetune_rate: Peak learning rate of stage 2.
        precision: The Trainer's.
        seeds: Number of seeds.
        frames: Captured frames of the synthetic set in train, val and test.
        subjects: People in them.
        two_hand_share: Share of frames with both hands.
        stored_crops: Keep decoded crops, which are cheaper to read than images; for small images and networks.
        num_workers: Loader processes of each training.
        augmentation: Settings of the data.
    """

    name: str = "quick"
    backbones: tuple[str, ...] = ("mobilenetv3_small_050", "regnetx_002")
    imagenet_weights: bool = False
    feature_stride: int = 16
    image_size: int = 64
    batch_size: int = 32
    width: int = 64
    depth: int = 2
    eanet_depth: int = 1
    pretrain_steps: int = 900
    finetune_steps: int = 450
    few_fits: tuple[tuple[float, int], ...] = ((0.1, 1400), (0.01, 900))
    pretrain_rate: float = 3e-3
    finetune_rate: float = 4e-3
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seeds: int = 3
    frames: tuple[int, int, int] = (4000, 256, 800)
    subjects: tuple[int, int, int] = (8, 2, 4)
    two_hand_share: float = 0.2
    stored_crops: bool = True
    num_workers: int = 0
    augmentation: tuple[tuple[str, float], ...] = _SMALL_JITTER


SIZES: Final = {
    "quick": Size(),
    "default": Size(
        name="default",
        backbones=("hrnet_w32", "resnet50"),
        imagenet_weights=True,
        feature_stride=32,
        image_size=256,
        batch_size=64,
        width=512,
        depth=4,
        eanet_depth=4,
        pretrain_steps=6000,
        finetune_steps=6000,
        few_fits=((0.1, 12000), (0.01, 6000)),
        pretrain_rate=5e-4,
        finetune_rate=2e-4,
        precision="bf16-mixed",
        frames=(20000, 1000, 4000),
        subjects=(24, 4, 8),
        stored_crops=False,
        num_workers=12,
        augmentation=(),
    ),
    # Takes minutes: for tests, and to see whether a machine can run the comparison.
    "tiny": Size(
        name="tiny",
        backbones=("test_resnet", "test_efficientnet"),
        batch_size=4,
        width=16,
        depth=1,
        pretrain_steps=2,
        finetune_steps=2,
        few_fits=((0.1, 2), (0.01, 2)),
        seeds=2,
        frames=(40, 8, 12),
        subjects=(2, 1, 1),
        two_hand_share=0.25,
    ),
}


@dataclass(frozen=True)
class Pretrain:
    """A training of stage 1, shared by all arms that start from it.

    Attributes:
        architecture: The architecture whose view of hands it shares, with left hands mirrored or not.
        backbone: timm's name.
        shuffled: Every sample has another sample's label.
        steps: Steps of training.
    """

    architecture: Architecture
    backbone: str
    shuffled: bool
    steps: int

    @property
    def name(self) -> str:
        """Unique within a grid."""
        return _slug("pretrain", self.architecture, self.backbone, "shuffled" if self.shuffled else "gestures")


@dataclass(frozen=True)
class Arm:
    """One row of the table: a training of stage 2, for every seed.

    Attributes:
        section: Section of the table.
        label: What distinguishes it from the other rows of the section.
        architecture: TokenFusion or EANet.
        backbone: timm's name.
        pretrain: What it starts from, or None.
        steps: Steps of stage 2.
        fusion: TokenFusion's.
        gesture_levels: TokenFusion's.
        fit_share: Share of captured frames with a MANO fit; below 1, stage 2 trains on those alone.
    """

    section: str
    label: str
    architecture: Architecture
    backbone: str
    pretrain: Pretrain | None
    steps: int
    fusion: Fusion = "concat"
    gesture_levels: GestureLevels = "both"
    fit_share: float = 1.0

    @property
    def name(self) -> str:
        """Unique within a grid."""
        start = "scratch" if self.pretrain is None else "shuffled" if self.pretrain.shuffled else "pretrained"
        factors = [self.fusion, self.gesture_levels, f"fits{100 * self.fit_share:g}"]
        return _slug(self.architecture, self.backbone, start, str(self.steps), *factors)

    @property
    def pretrain_steps(self) -> int:
        """Steps of stage 1; 0 from scratch."""
        return 0 if self.pretrain is None else self.pretrain.steps


@dataclass(frozen=True)
class Contrast:
    """A difference between two arms, paired by seed.

    Attributes:
        label: In words.
        arm: Name of an arm.
        reference: Name of the arm that is subtracted.
        equal: What the two have in common.
    """

    label: str
    arm: str
    reference: str
    equal: str


@dataclass(frozen=True)
class Grid:
    """All that is run and compared.

    Attributes:
        size: Size of the comparison.
        arms: Rows of the table.
        contrasts: Differences of the arms.
    """

    size: Size
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]

    def pretrains(self) -> tuple[Pretrain, ...]:
        """The trainings of stage 1 that the arms start from, each once."""
        return tuple(dict.fromkeys(arm.pretrain for arm in self.arms if arm.pretrain is not None))


SECTIONS: Final = {
    "main": "With and without gesture pretraining",
    "controls": "Control: pretraining on shuffled labels",
    "fits": "Few frames with MANO fits (TokenFusion)",
    "fusion": "Fusion (TokenFusion, pretrained)",
    "levels": "Gesture levels (TokenFusion, pretrained)",
}
_STEPS: Final = "equal stage-2 steps"
_TOTAL: Final = "equal total steps"


def make_grid(size: Size) -> Grid:
    """The comparison of a given size."""
    arms: list[Arm] = []
    contrasts: list[Contrast] = []
    for architecture in ARCHITECTURES:
        for backbone in size.backbones:
            pretrain = Pretrain(architecture, backbone, False, size.pretrain_steps)
            rows = list(_three(Arm("main", "", architecture, backbone, pretrain, size.finetune_steps)))
            arms += rows
            contrasts += _pretraining_contrasts(f"{architecture}, {backbone}", rows)
    base = next(arm for arm in arms if arm.pretrain is not None)
    scratch = replace(base, label="from scratch", pretrain=None)
    assert base.pretrain is not None

    shuffled = replace(
        base, section="controls", label="shuffled labels", pretrain=replace(base.pretrain, shuffled=True)
    )
    arms.append(shuffled)
    contrasts += [
        Contrast("shuffled labels − from scratch", shuffled.name, scratch.name, _STEPS),
        Contrast("pretrained − shuffled labels", base.name, shuffled.name, _TOTAL),
    ]
    for share, steps in size.few_fits:
        few = replace(base, section="fits", steps=steps, fit_share=share)
        rows = list(_three(few))
        control = replace(few, label=f"{100 * share:g} % of the fits, shuffled labels", pretrain=shuffled.pretrain)
        arms += [*rows, control]
        name = f"TokenFusion, {100 * share:g} % of the fits"
        contrasts += _pretraining_contrasts(name, rows)
        # Pretraining sees the images of all frames; only this control shows how much is due to the labels.
        contrasts.append(Contrast(f"{name}: pretrained − shuffled labels", rows[1].name, control.name, _TOTAL))
    fusions: tuple[Fusion, ...] = ("none", "cross")
    for fusion in fusions:
        arms.append(replace(base, section="fusion", label=f"fusion {fusion}", fusion=fusion))
        contrasts.append(Contrast(f"concat − {fusion}", base.name, arms[-1].name, _TOTAL))
    levels: tuple[GestureLevels, ...] = ("coarse", "fine")
    for level in levels:
        arms.append(replace(base, section="levels", label=f"{level} only", gesture_levels=level))
        contrasts.append(Contrast(f"both levels − {level} only", base.name, arms[-1].name, _TOTAL))
    return Grid(size, tuple(arms), tuple(contrasts))


def _three(pretrained: Arm) -> Iterator[Arm]:
    """From scratch, pretrained, and from scratch for as many steps as both stages of the pretrained arm."""
    share = "" if pretrained.fit_share == 1 else f"{100 * pretrained.fit_share:g} % of the fits, "
    yield replace(pretrained, label=f"{share}from scratch", pretrain=None)
    yield replace(pretrained, label=f"{share}pretrained")
    total = pretrained.pretrain_steps + pretrained.steps
    yield replace(pretrained, label=f"{share}from scratch, equal total", pretrain=None, steps=total)


def _pretraining_contrasts(name: str, rows: list[Arm]) -> list[Contrast]:
    scratch, pretrained, longer = rows
    return [
        Contrast(f"{name}: pretrained − from scratch", pretrained.name, scratch.name, _STEPS),
        Contrast(f"{name}: pretrained − from scratch", pretrained.name, longer.name, _TOTAL),
    ]


def _slug(*words: str) -> str:
    return "-".join(word.lower().replace(" ", "_") for word in words)
