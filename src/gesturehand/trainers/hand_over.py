"""The starting point of a second stage: the first stage's encoder and gesture head, or a whole trained network.

Either is loaded completely or not at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from gesturehand.checkpoints.checkpoint_io import load_checkpoint, misfit
from gesturehand.checkpoints.trained_weights import class_name, trained_weights
from gesturehand.errors import UserError
from gesturehand.models.encoder_weights import Origin
from gesturehand.runs import data_settings_of
from gesturehand.suggestions import did_you_mean_path

#: Settings that determine a network's layers and what they compute.
LAYER_SETTINGS: Final = (
    *("backbone", "feature_stride", "embedding_dim", "gesture_classes", "fusion", "gesture_levels"),
    *("width", "depth", "heads", "mlp_ratio", "volume_depth"),
)
_NETWORK: Final = "network."


class HandOver(NamedTuple):
    """The tensors that were loaded.

    Attributes:
        path: The checkpoint.
        tensors: Number of tensors loaded into each module.
        encoder_weights_origin: The origin of the encoder's initial weights, as the checkpoint records it.
    """

    path: str
    tensors: dict[str, int]
    encoder_weights_origin: Origin | None

    def __str__(self) -> str:
        parts = " and ".join(f"{count} tensors of {name}" for name, count in self.tensors.items())
        return f"Loaded {parts} from the gesture pretraining '{self.path}'."


def hand_over(path: str | Path, modules: dict[str, nn.Module]) -> HandOver:
    """Loads modules from a first-stage checkpoint, including every tensor.

    Args:
        path: A checkpoint of :class:`~gesturehand.trainers.gesture_pretrainer.GesturePretrainer`.
        modules: The modules to fill, by the name they have in the first stage.

    Raises:
        UserError: The file is missing or is another kind of checkpoint, or a tensor is missing, left over or of another
            shape; the message names the keys.
    """
    if not Path(path).is_file():
        remedy = "run `make pretrain`, or set model.pretrained to none."
        raise UserError(f"The gesture pretraining '{path}' does not exist: {did_you_mean_path(path, remedy)}")
    content = load_checkpoint(path)
    state = content["state_dict"]
    loaded = {}
    for name, module in modules.items():
        prefix = f"{name}."
        part = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        _check(path, name, part, module)
        module.load_state_dict(part)
        loaded[name] = len(part)
    return HandOver(str(path), loaded, content.get("encoder_weights_origin"))


def _check(path: str | Path, name: str, part: dict[str, torch.Tensor], module: nn.Module) -> None:
    own = module.state_dict()
    missing, extra = sorted(own.keys() - part.keys()), sorted(part.keys() - own.keys())
    reshaped = [key for key in own.keys() & part.keys() if own[key].shape != part[key].shape]
    problems = [
        f"{len(keys)} {what} (the first: {name}.{min(keys)})"
        for what, keys in (("missing", missing), ("left over", extra), ("of another shape", reshaped))
        if keys
    ]
    if problems:
        raise UserError(
            f"The gesture pretraining '{path}' does not fit this model's {name}: tensors {', '.join(problems)}; give "
            "both stages the same backbone, feature_stride, embedding_dim and gesture_classes."
        )


def start_from(
    weights: str | Path,
    network: nn.Module,
    model_class: str,
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    crops: Mapping[str, Any],
) -> dict[str, Any]:
    """Loads every tensor of a trained network, to train it further.

    Args:
        weights: The weights, as :func:`~gesturehand.checkpoints.trained_weights.trained_weights` takes them.
        network: The network to fill.
        model_class: Name of the class that it belongs to.
        settings: The arguments of that class.
        defaults: Its defaults, which weights to hand on leave out.
        crops: The way in which the data shows hands, ``mirror_left`` and ``upright``, if that is known. That of the
            weights is stated by their JSON, and that of a checkpoint by its run's configuration; a checkpoint outside
            of a run's folder does not say.

    Returns:
        The content that was read, which states the origin of the encoder's first weights.

    Raises:
        UserError: The weights are missing, or they are those of another class, of other layers, or of crops that show
            hands in another way.
    """
    content = trained_weights(weights)
    name = class_name(content)
    if name != model_class:
        raise UserError(
            f"model.start_from='{weights}' holds {name or 'no network that is known here'}: give weights of "
            f"{model_class}, or those of a first stage as model.pretrained."
        )
    shown = content["crops"] if "crops" in content else data_settings_of(Path(weights))
    theirs = {**defaults, **content.get("hyper_parameters", {})}
    differing = [
        *(f"model.{key}={theirs[key]}" for key in LAYER_SETTINGS if key in theirs and theirs[key] != settings[key]),
        *(f"data.{key}={str(shown[key]).lower()}" for key in crops if shown.get(key) not in (None, crops[key])),
    ]
    if differing:
        raise UserError(f"The weights of model.start_from='{weights}' need {', '.join(differing)}: set that.")
    state = {
        key.removeprefix(_NETWORK): value for key, value in content["state_dict"].items() if key.startswith(_NETWORK)
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"The weights of model.start_from='{weights}' do not fit {model_class} ({misfit(error)}): they are of "
            "another version of this library."
        ) from error
    return content
