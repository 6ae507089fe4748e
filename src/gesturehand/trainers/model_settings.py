"""Refuses impossible settings of a model before anything is built."""

from collections.abc import Mapping
from typing import Any, Final

from gesturehand.errors import UserError
from gesturehand.settings import MAX_IMAGE_SIDE, check_range

_COUNTS: Final = (
    "image_size", "feature_stride", "embedding_dim", "width", "depth", "heads", "gesture_heads", "volume_depth"
)  # fmt: skip
_DROPOUTS: Final = ("dropout", "gesture_dropout", "label_smoothing")


def check_model_settings(settings: Mapping[str, Any]) -> None:
    """Checks the constructor arguments of a trainer; those that it does not have are not looked at.

    Raises:
        UserError: A number is out of its range, or two do not fit; the message names the key.
    """

    def have(*names: str) -> dict[str, Any]:
        return {name: settings[name] for name in names if name in settings}

    check_range("model", 1, whole=True, **have(*_COUNTS))
    check_range("model", 1, MAX_IMAGE_SIDE, whole=True, **have("image_size"))
    check_range("model", 0, **have(*(name for name in settings if name.startswith("weight_"))))
    check_range("model", 0, open_ends="low", **have("learning_rate", "mlp_ratio"))
    check_range("model", 0, **have("encoder_lr_factor"))
    check_range("model", 0, 1, open_ends="high", **have(*_DROPOUTS))
    check_range("model", 0, 1, **have("warmup_share"))
    weights = have(*(name for name in settings if name.startswith("weight_") and name != "weight_decay"))
    if weights and not any(weights.values()):
        raise UserError(
            "All of model.weight_… are 0, so there is nothing to learn: give at least one a positive value."
        )
    width, heads = settings.get("width"), settings.get("heads")
    if width is not None and heads is not None and width % heads:
        raise UserError(f"model.width is {width} and model.heads {heads}: the width must be a multiple of the heads.")
    if settings["image_size"] < settings["feature_stride"]:
        raise UserError(
            f"model.image_size is {settings['image_size']} and model.feature_stride {settings['feature_stride']}: "
            "images must be at least one cell wide."
        )
