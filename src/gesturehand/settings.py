"""Checks numbers in a user's settings; the message names the key."""

import math
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, Final, TypeAlias

from gesturehand.errors import UserError

#: A file or folder that must exist: the command line checks it before it loads anything.
ExistingPath: TypeAlias = str
#: Side of a crop, px: a network on larger ones would ask for more memory than any machine has.
MAX_IMAGE_SIDE: Final = 4096
#: Far above any network's for hands, and low enough for its size to be a number that can be computed with.
_MAX_COUNT: Final = 65_536
_MAX_MLP_RATIO: Final = 1024
_COUNTS: Final = (
    "image_size", "feature_stride", "embedding_dim", "width", "depth", "heads", "gesture_heads", "volume_depth"
)  # fmt: skip
_DROPOUTS: Final = ("dropout", "gesture_dropout", "label_smoothing")


def check_range(
    section: str,
    low: float,
    high: float = math.inf,
    *,
    whole: bool = False,
    open_ends: str = "",
    **values: float | None,
) -> None:
    """Checks settings against a range.

    Args:
        section: Section of the configuration, ``data`` or ``model``; empty for a function's arguments.
        low: Smallest value.
        high: Largest value.
        whole: Whole numbers only.
        open_ends: ``low``, ``high`` or both words, for ends that are not themselves allowed.
        values: The settings by name; None is not checked.

    Raises:
        UserError: One is out of range, not finite, or not a number; the message names its key.

    Example:
        >>> check_range("data", 1, whole=True, batch_size=0)
        Traceback (most recent call last):
        ...
        gesturehand.errors.UserError: data.batch_size is 0: give a whole number from 1 upwards.
    """
    for name, value in values.items():
        if value is None:
            continue
        is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
        good = is_number and math.isfinite(value) and low <= value <= high
        good = good and not ("low" in open_ends and value == low) and not ("high" in open_ends and value == high)
        if not good:
            kind = "a whole number" if whole else "a number"
            start = f"above {low:g}" if "low" in open_ends else f"from {low:g}"
            if high == math.inf:
                end = "" if "low" in open_ends else " upwards"
            else:
                end = f" to below {high:g}" if "high" in open_ends else f" to {high:g}"
            key = f"{section}.{name}" if section else name
            raise UserError(f"{key} is {value}: give {kind} {start}{end}.")


def check_data_settings(settings: Mapping[str, Any]) -> None:
    """Checks the constructor arguments of the data module before anything is read; it need not have all of them.

    Raises:
        UserError: A number is out of its range, or two settings do not fit; the message names the key.
    """
    have = partial(_chosen, settings)
    check_range("data", 1, MAX_IMAGE_SIDE, whole=True, **have("image_size"))
    check_range("data", 1, whole=True, **have("batch_size", "prefetch_factor"))
    check_range("data", 0, whole=True, **have("num_workers", "seed", "unreadable_limit"))
    check_range("data", 0, 21, whole=True, **have("min_valid_joints"))
    check_range("data", 0, 1, **have("rotation_probability", "upright_far_share", "flip_probability"))
    check_range("data", 0, 1, **have("noise_probability", "blur_probability", "colour_jitter"))
    # A crop's side is multiplied by 1 ± scale_jitter.
    check_range("data", 0, 1, open_ends="high", **have("scale_jitter"))
    check_range("data", 0, **have("rotation_jitter_deg", "shift_jitter", "upright_jitter_deg"))
    if settings.get("upright") and settings.get("layout") == "two_hand":
        raise UserError("data.upright turns crops of one hand: set data.layout to per_hand, or upright to false.")
    if settings.get("flip_probability") and settings.get("mirror_left") and settings.get("layout") == "per_hand":
        raise UserError(
            "data.flip_probability would turn mirrored left hands back into left ones: set it to 0, or "
            "data.mirror_left to false."
        )


def check_model_settings(settings: Mapping[str, Any]) -> None:
    """Checks the constructor arguments of a trainer before anything is built; it need not have all of them.

    Raises:
        UserError: A number is out of its range, or two do not fit; the message names the key.
    """
    have = partial(_chosen, settings)

    check_range("model", 1, MAX_IMAGE_SIDE, whole=True, **have("image_size"))
    check_range("model", 1, _MAX_COUNT, whole=True, **have(*_COUNTS))
    check_range("model", 0, **have(*(name for name in settings if name.startswith("weight_"))))
    check_range("model", 0, open_ends="low", **have("learning_rate"))
    check_range("model", 0, _MAX_MLP_RATIO, open_ends="low", **have("mlp_ratio"))
    check_range("model", 0, **have("encoder_lr_factor"))
    check_range("model", 0, 1, open_ends="high", **have(*_DROPOUTS))
    check_range("model", 0, 1, **have("warmup_share"))
    of_nothing = {"weight_decay"} if settings.get("own_labels") else {"weight_decay", "weight_own_label"}
    weights = have(*(name for name in settings if name.startswith("weight_") and name not in of_nothing))
    if weights and not any(weights.values()):
        raise UserError(
            "All of model.weight_… are 0, so there is nothing to learn: give at least one a positive value."
        )
    width, heads = settings.get("width"), settings.get("heads")
    if width is not None and heads is not None and width % heads:
        raise UserError(f"model.width is {width} and model.heads {heads}: the width must be a multiple of the heads.")
    if settings.get("start_from") is not None and settings.get("pretrained") not in (None, "none"):
        raise UserError(
            "model.start_from is a whole network, which leaves nothing to model.pretrained: set pretrained to none, or "
            "leave start_from out."
        )
    side, stride = settings.get("image_size"), settings.get("feature_stride")
    if side is not None and stride is not None and side < stride:
        raise UserError(
            f"model.image_size is {side} and model.feature_stride {stride}: images must be at least one cell wide."
        )


def _chosen(settings: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: settings[name] for name in names if name in settings}
