"""How large the comparison is: two CPU cores, one GPU, or only large enough to run."""

from dataclasses import dataclass, replace
from typing import Final, Literal


@dataclass(frozen=True)
class Size:
    """How large everything is.

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

    name: str
    backbones: tuple[str, ...]
    imagenet_weights: bool
    feature_stride: int
    image_size: int
    batch_size: int
    width: int
    depth: int
    eanet_depth: int
    pretrain_steps: int
    finetune_steps: int
    few_fits: tuple[tuple[float, int], ...]
    pretrain_rate: float
    finetune_rate: float
    precision: Literal["32-true", "bf16-mixed"]
    seeds: int
    frames: tuple[int, int, int]
    subjects: tuple[int, int, int]
    two_hand_share: float
    stored_crops: bool
    num_workers: int
    augmentation: tuple[tuple[str, float], ...] = ()


_SMALL_JITTER: Final = (
    ("scale_jitter", 0.1),
    ("rotation_jitter_deg", 15.0),
    ("noise_probability", 0.0),
    ("blur_probability", 0.0),
)

_QUICK: Final = Size(
    name="quick",
    backbones=("mobilenetv3_small_050", "regnetx_002"),
    imagenet_weights=False,
    feature_stride=16,
    image_size=64,
    batch_size=32,
    width=64,
    depth=2,
    eanet_depth=1,
    pretrain_steps=900,
    finetune_steps=450,
    few_fits=((0.1, 1400), (0.01, 900)),
    pretrain_rate=3e-3,
    finetune_rate=4e-3,
    precision="32-true",
    seeds=3,
    frames=(4000, 256, 800),
    subjects=(8, 2, 4),
    two_hand_share=0.2,
    stored_crops=True,
    num_workers=0,
    augmentation=_SMALL_JITTER,
)

SIZES: Final = {
    "quick": _QUICK,
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
        seeds=3,
        frames=(20000, 1000, 4000),
        subjects=(24, 4, 8),
        two_hand_share=0.2,
        stored_crops=False,
        num_workers=12,
    ),
    # Minutes: for tests, and to see whether a machine can run it.
    "tiny": replace(
        _QUICK,
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
