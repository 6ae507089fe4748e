"""Loads a trained regressor from its checkpoint: a class of this library, never one that the file names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import torch

from gesturehand.checkpoints.checkpoint_io import listed, misfit
from gesturehand.checkpoints.trained_weights import SHIPPED, WEIGHTS_SUFFIX, class_name, trained_weights
from gesturehand.errors import UserError, one_line
from gesturehand.inference.assemble import JOINTS_25D_SHARE
from gesturehand.inference.boxes import BOX_SCALE
from gesturehand.inference.joint_definition import Offsets, offsets_in_m
from gesturehand.runs import best_checkpoint, data_settings_of, newest_run
from gesturehand.suggestions import did_you_mean, did_you_mean_path
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.hand_regressor import HandRegressor
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

#: The keys of a run's config that describe its crops.
_TRAINED_CROPS: Final = ("mirror_left", "upright")
#: A network of this size (depth × width²) is built without a look at its weights.
_SMALL: Final = 10**7
#: The classes that can be loaded, by name.
REGRESSORS: Final[dict[str, type[HandRegressor]]] = {
    regressor.__name__: regressor for regressor in (TokenFusionRegressor, EANetRegressor)
}


class CropSettings(NamedTuple):
    """The way in which a network's training crops showed hands, which prediction must follow.

    Attributes:
        mirror_left: Left hands are shown as right ones.
        upright: Hands are turned so that wrist → middle knuckle points up.
        box_scale: Side of a crop over the longer side of its box.
    """

    mirror_left: bool = True
    upright: bool = False
    box_scale: float = BOX_SCALE


class LoadedRegressor(NamedTuple):
    """A regressor ready to predict.

    Attributes:
        model: The model, in evaluation mode, on the CPU.
        path: Path of its checkpoint; for shipped weights, their name alone.
        crops: The crops that it was trained on: from the run's config, or from weights to hand on; otherwise the
            defaults.
        for_photos: It is meant for photographs although its hand model is the open hand: it comes from weights to hand
            on, or its training mixed further sets into rendered hands.
        joints_25d_share: Weight of its 2.5D joints in the joints' places in the image
            (:func:`~gesturehand.inference.assemble.seen_joints`).
        joint_offsets_m: (21, 3) m from the hand model's joints to those that are marked in photographs, or None
            (:func:`~gesturehand.hand.joint_offsets.moved_joints`).
    """

    model: HandRegressor
    path: Path
    crops: CropSettings = CropSettings()
    for_photos: bool = False
    joints_25d_share: float = JOINTS_25D_SHARE
    joint_offsets_m: Offsets | None = None


def find_checkpoint(checkpoint: str | Path, runs: str | Path = "runs") -> Path:
    """The checkpoint that a user's argument stands for.

    Args:
        checkpoint: A file, the folder of a run (its best checkpoint), or "latest" (see
            :func:`~gesturehand.runs.newest_run`). A file that ends in ``.safetensors`` has a JSON beside it
            (:func:`~gesturehand.checkpoints.trained_weights.read_weights`).
        runs: The folder in which "latest" is searched.

    Raises:
        UserError: There is no such checkpoint.
    """
    if str(checkpoint) == "latest":
        return best_checkpoint(newest_run(runs))
    path = Path(checkpoint)
    if path.is_dir():
        return best_checkpoint(path)
    if not path.is_file():
        names = ("latest", *SHIPPED)
        meant = did_you_mean(str(checkpoint), names, "give a file, the folder of a run, or 'latest'.")
        raise UserError(f"The checkpoint '{path}' does not exist: {did_you_mean_path(path, meant)}")
    return path


def load_regressor(checkpoint: str | Path, mano: str | None = None) -> LoadedRegressor:
    """Loads a trained regressor.

    Nothing in the file is executed, and the class is one of :data:`REGRESSORS` whatever the file says.

    Args:
        checkpoint: A name of :data:`~gesturehand.checkpoints.trained_weights.SHIPPED`, or see :func:`find_checkpoint`.
        mano: MANO's file or folder on this machine; that of the training if not given.

    Raises:
        UserError: The file does not exist, is not a regressor's checkpoint, or was trained with another hand model.
    """
    if not isinstance(checkpoint, str | Path):
        raise UserError(f"The checkpoint is {one_line(repr(checkpoint), 60)}: give a file's name, or 'openphoto'.")
    shipped = checkpoint in SHIPPED or (str(checkpoint) in SHIPPED and not Path(checkpoint).exists())
    checkpoint = str(checkpoint) if shipped else checkpoint
    path = Path(checkpoint) if shipped else find_checkpoint(checkpoint)
    says_crops = shipped or path.suffix == WEIGHTS_SUFFIX
    content = trained_weights(str(path) if shipped else path)
    settings = content.get("hyper_parameters")
    if not isinstance(settings, dict):
        raise UserError(f"'{path}' is not a checkpoint of a hand regressor: give one that `gesturehand fit` wrote.")
    regressor = _class_of(content, path)
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    unknown = sorted(settings.keys() - regressor.settings())
    if unknown:
        raise UserError(f"'{path}' has settings that {regressor.__name__} does not know ({', '.join(unknown)}).")
    _check_types(settings, regressor, path)
    state = content["state_dict"]
    _check_size(settings, state, regressor, path)
    # None of them is needed, since the weights are at hand.
    settings |= {"imagenet_weights": False, "encoder_weights": None, "pretrained": None}
    model = regressor(**(settings if mano is None else {**settings, "mano": mano}))
    try:
        model.on_load_checkpoint(content)
    except UserError as error:
        raise UserError(f"'{path}' cannot be used here: {error}") from error
    # PyTorch would convert whole numbers without a word.
    whole = [
        name
        for name, own in model.state_dict().items()
        if own.is_floating_point() and name in state and not state[name].is_floating_point()
    ]
    if whole:
        raise UserError(f"'{path}' has weights that are whole numbers ({listed(whole)}): use another file.")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"'{path}' does not fit {regressor.__name__} ({misfit(error)}): it is of another version of this library."
        ) from error
    model.eval()
    if says_crops:
        offsets = offsets_in_m(content["joint_offsets_mm"], f"The settings of '{path}'")
        crops = _given_crops(content["crops"], path)
        return LoadedRegressor(model, path, crops, True, content["joints_25d_share"], offsets)
    data = data_settings_of(path)
    crops = CropSettings(**{name: bool(data[name]) for name in _TRAINED_CROPS if data.get(name) is not None})
    return LoadedRegressor(model, path, crops, for_photos=bool(data.get("sets")))


def _class_of(content: dict[str, Any], path: Path) -> type[HandRegressor]:
    """The class that a checkpoint names; for older ones, that of the command line's notes, or of their settings."""
    settings = content["hyper_parameters"]
    name = class_name(content)
    if name in REGRESSORS:
        return REGRESSORS[name]
    if not name:
        # Older versions had fewer settings, but each class always had some that the other has not.
        own = {key for key in settings if not key.startswith("_")}
        fitting = [regressor for regressor in REGRESSORS.values() if own <= regressor.settings()]
        if len(fitting) == 1:  # each class has settings that the other has not
            return fitting[0]
    raise UserError(
        f"'{path}' holds {name or 'no model that is known here'}, not a hand regressor: give a checkpoint of "
        f"{' or '.join(REGRESSORS)}."
    )


def _check_types(settings: Mapping[str, Any], regressor: type[HandRegressor], path: Path) -> None:
    """Refuses settings whose types are not those of the class's arguments, before anything is built from them."""
    types = regressor.setting_types()
    for name, value in settings.items():
        try:
            msgspec.convert(value, types[name])
        except msgspec.ValidationError as error:
            raise UserError(
                f"'{path}' has the setting {name} = {one_line(value, 60)} ({error}): use another file."
            ) from None
        except TypeError:  # a type that the library does not check
            continue


def _check_size(
    settings: Mapping[str, Any], state: Mapping[str, torch.Tensor], regressor: type[HandRegressor], path: Path
) -> None:
    """Refuses settings of a network much larger than the weights, which could fill the memory when it is built."""
    size = {**regressor.defaults(), **settings}
    depth, width, numbers = size["depth"], size["width"], sum(tensor.numel() for tensor in state.values())
    if depth * width**2 > max(numbers, _SMALL):
        raise UserError(
            f"'{path}' does not fit {regressor.__name__}: its {numbers:,} weights are too few for width {width} and "
            f"depth {depth}."
        )


def _given_crops(crops: Mapping[str, Any], path: Path) -> CropSettings:
    """The crop settings that weights contain."""
    unknown = sorted(crops.keys() - set(CropSettings._fields))
    if unknown:
        raise UserError(f"'{path}' has crops with the unknown key '{unknown[0]}': it is of another version.")
    return CropSettings(**crops)
