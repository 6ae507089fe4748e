"""Finds the gesture pretraining from which a second stage starts."""

from pathlib import Path
from typing import Any, Final

from pytorch_lightning.utilities import rank_zero_info

from gesturehand.errors import UserError
from gesturehand.runs import best_checkpoint, candidate_runs
from gesturehand.trainers.gesture_pretrainer import GesturePretrainer

#: Settings on which both stages must agree for a hand-over.
_ENCODER_SETTINGS: Final = ("backbone", "feature_stride", "embedding_dim", "gesture_classes")


def encoder_settings(model: Any) -> dict[str, Any]:
    """The encoder's part of a model's settings; a backbone has the same name with and without ``timm/``."""
    settings = {key: model.get(key) for key in _ENCODER_SETTINGS}
    return settings | {"backbone": str(settings["backbone"]).removeprefix("timm/")}


def find_pretraining(wanted: str | None, runs: str | Path, settings: dict[str, Any]) -> str | None:
    """The checkpoint that a setting stands for.

    Args:
        wanted: A path, ``auto`` (the newest finished gesture pretraining that fits, no control) or ``none``.
        runs: Where ``auto`` searches.
        settings: :func:`encoder_settings` and ``mirror_left`` of the second stage, which the first must share.

    Returns:
        A path, or None for none.

    Raises:
        UserError: ``auto`` finds none.
    """
    if wanted in (None, "none"):
        return None
    if wanted != "auto":
        return str(wanted)
    for folder, description in candidate_runs(runs)[0]:
        if description.get("model") == GesturePretrainer.__name__ and description.get("settings") == settings:
            path = str(best_checkpoint(folder))
            rank_zero_info(f"Gesture pretraining: {path}")
            return path
    wanted_text = ", ".join(f"{key}={value}" for key, value in settings.items())
    raise UserError(
        f"No finished gesture pretraining with {wanted_text} under '{runs}': run `make pretrain` first, name a "
        "checkpoint as model.pretrained, or go without with PRETRAINED=none."
    )


def mirrors_left(data: Any) -> bool:
    """Whether data, or its settings, show left hands as right ones."""
    return bool(data.mirror_left and data.layout == "per_hand")
