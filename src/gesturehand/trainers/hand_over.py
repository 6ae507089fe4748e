"""Hands the encoder and gesture head over from the first stage to the second, completely or not at all."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from gesturehand.checkpoints.checkpoint_io import load_checkpoint
from gesturehand.errors import UserError
from gesturehand.models.encoder_weights import Origin
from gesturehand.suggestions import did_you_mean_path


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
