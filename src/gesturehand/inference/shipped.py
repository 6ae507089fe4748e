"""The trained weights that come with the package: tensors and a JSON of settings, read like a checkpoint."""

import json
from importlib.resources import as_file, files
from typing import Any, Final

from safetensors.torch import load_file

#: Names that stand for them where a checkpoint is asked for.
SHIPPED: Final = ("openphoto",)


def shipped_checkpoint(name: str) -> dict[str, Any]:
    """Reads shipped weights.

    Args:
        name: One of :data:`SHIPPED`.

    Returns:
        What a checkpoint of ``gesturehand fit`` has (``state_dict``, ``hyper_parameters``, ``hand_model``,
        ``encoder_weights_origin``), and ``crops``: how its crops show hands (``mirror_left``, ``upright``,
        ``box_scale``), and ``joints_25d_share``. Numbers are 16-bit in the file and are rounded nowhere else.
    """
    assets = files("gesturehand.assets")
    about = json.loads((assets / f"{name}.json").read_text(encoding="utf-8"))
    with as_file(assets / f"{name}.safetensors") as path:
        state = load_file(path)
    settings = {**about["settings"], "_class_path": about["class"]}
    return {
        "state_dict": state,
        "hyper_parameters": settings,
        **{key: about[key] for key in ("hand_model", "encoder_weights_origin", "crops", "joints_25d_share")},
    }
