"""A trained regressor from its checkpoint: a class of this library, never one that the file names.

Weights to hand on are tensors and a JSON of settings, which are read like a checkpoint; some come with the package.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file

from gesturehand.checkpoints.checkpoint_io import listed, load_checkpoint, misfit
from gesturehand.errors import UserError
from gesturehand.inference.assemble import JOINTS_25D_SHARE
from gesturehand.inference.boxes import BOX_SCALE
from gesturehand.runs import best_checkpoint, newest_run, run_config
from gesturehand.suggestions import did_you_mean, did_you_mean_path
from gesturehand.text_file import read_json
from gesturehand.trainers.eanet_regressor import EANetRegressor
from gesturehand.trainers.hand_regressor import HandRegressor
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

#: Names that may stand for the package's weights in place of a checkpoint.
SHIPPED: Final = ("openphoto",)
#: Ending of the tensors' file.
WEIGHTS_SUFFIX: Final = ".safetensors"
#: Keys of the JSON that a checkpoint contains too, or that replace a checkpoint's.
_KEPT: Final = ("hand_model", "encoder_weights_origin", "crops", "joints_25d_share")
_REMEDY: Final = "give the .safetensors and .json that scripts/build_openphoto.py wrote"
#: The classes that can be loaded, by name.
REGRESSORS: Final[dict[str, type[HandRegressor]]] = {
    regressor.__name__: regressor for regressor in (TokenFusionRegressor, EANetRegressor)
}


def shipped_checkpoint(name: str) -> dict[str, Any]:
    """Reads the weights that come with the package.

    Args:
        name: One of :data:`SHIPPED`.

    Returns:
        What :func:`read_weights` gives.
    """
    assets = files("gesturehand.assets")
    with ExitStack() as stack:
        tensors, about = (stack.enter_context(as_file(assets / f"{name}{end}")) for end in (WEIGHTS_SUFFIX, ".json"))
        return read_weights(tensors, about)


def read_weights(path: Path, about_path: Path | None = None) -> dict[str, Any]:
    """Reads weights that ``scripts/build_openphoto.py`` wrote.

    Args:
        path: The tensors.
        about_path: The JSON; the file of the same name if not given.

    Returns:
        What a checkpoint of ``gesturehand fit`` has (``state_dict``, ``hyper_parameters``, ``hand_model``,
        ``encoder_weights_origin``), and ``crops``: how its crops show hands (``mirror_left``, ``upright``,
        ``box_scale``), and ``joints_25d_share``. Numbers are 16-bit in the file and are rounded nowhere else.

    Raises:
        UserError: A file is missing or damaged, or is something else.
    """
    beside = path.with_suffix(".json") if about_path is None else about_path
    about = read_json(beside, f"The settings of '{path}'", _REMEDY)
    if not isinstance(about, dict) or not {"class", "settings", *_KEPT} <= about.keys():
        raise UserError(f"'{beside}' does not say which network the weights '{path}' belong to: {_REMEDY}.")
    settings, crops = about["settings"], about["crops"]
    if not isinstance(settings, Mapping) or not isinstance(crops, Mapping):
        raise UserError(f"'{beside}' has settings or crops that are not an object: {_REMEDY}.")
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise UserError(f"The weights '{path}' do not exist: check the path.") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"The weights '{path}' cannot be read ({error}): {_REMEDY}.") from None
    lost = [name for name, value in state.items() if not value.isfinite().all()]
    if lost:
        raise UserError(f"The weights '{path}' are not finite ({listed(lost)}): write them from another checkpoint.")
    return {
        "state_dict": state,
        "hyper_parameters": {**settings, "_class_path": about["class"]},
        **{key: about[key] for key in _KEPT},
    }


class CropSettings(NamedTuple):
    """How a network's training crops showed hands, which prediction must do likewise.

    Attributes:
        mirror_left: Left hands as right ones.
        upright: Turned so that wrist → middle knuckle points up.
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
        crops: What it was trained on: from the run's config, or as weights to hand on say; else the defaults.
        for_photos: It is meant for photographs, though its hand model is the open hand.
        joints_25d_share: Weight of its 2.5D joints in where joints are seen
            (:func:`~gesturehand.inference.assemble.seen_joints`).
    """

    model: HandRegressor
    path: Path
    crops: CropSettings = CropSettings()
    for_photos: bool = False
    joints_25d_share: float = JOINTS_25D_SHARE


def find_checkpoint(checkpoint: str | Path, runs: str | Path = "runs") -> Path:
    """The checkpoint that a user's word stands for.

    Args:
        checkpoint: A file, the folder of a run (its best checkpoint), or "latest" (see
            :func:`~gesturehand.runs.newest_run`). A file that ends in ``.safetensors`` has a JSON beside it
            (:func:`~gesturehand.inference.checkpoint.read_weights`).
        runs: Where "latest" is searched.

    Raises:
        UserError: There is none.
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
        checkpoint: A name of :data:`~gesturehand.inference.checkpoint.SHIPPED`, or see :func:`find_checkpoint`.
        mano: MANO's file or folder on this machine; the one of the training if not given.

    Raises:
        UserError: No such file, no regressor's checkpoint, or another hand model than it was trained with.
    """
    shipped = checkpoint in SHIPPED
    path = Path(checkpoint) if shipped else find_checkpoint(checkpoint)
    says_crops = shipped or path.suffix == WEIGHTS_SUFFIX
    if shipped:
        content = shipped_checkpoint(str(path))
    elif says_crops:
        content = read_weights(path)
    else:
        content = load_checkpoint(path)
    settings = content.get("hyper_parameters")
    if not isinstance(settings, dict):
        raise UserError(f"'{path}' is not a checkpoint of a hand regressor: give one that `gesturehand fit` wrote.")
    regressor = _class_of(content, path)
    settings = {key: value for key, value in settings.items() if not key.startswith("_")}
    unknown = sorted(settings.keys() - regressor.settings())
    if unknown:
        raise UserError(f"'{path}' has settings that {regressor.__name__} does not know ({', '.join(unknown)}).")
    # None of them is needed where the weights are at hand.
    settings |= {"imagenet_weights": False, "encoder_weights": None, "pretrained": None}
    model = regressor(**(settings if mano is None else {**settings, "mano": mano}))
    try:
        model.on_load_checkpoint(content)
    except UserError as error:
        raise UserError(f"'{path}' cannot be used here: {error}") from error
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(
            f"'{path}' does not fit {regressor.__name__} ({misfit(error)}): it is of another version of this library."
        ) from error
    model.eval()
    if says_crops:
        return LoadedRegressor(model, path, _given_crops(content["crops"], path), True, content["joints_25d_share"])
    return LoadedRegressor(model, path, _crop_settings(path))


def _class_of(content: dict[str, Any], path: Path) -> type[HandRegressor]:
    """The class that a checkpoint names; older ones are told by what the command line noted, or by their settings."""
    settings = content["hyper_parameters"]
    name = content.get("model_class") or str(settings.get("_class_path", "")).rpartition(".")[2]
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


def _given_crops(crops: Mapping[str, Any], path: Path) -> CropSettings:
    """The crop settings that weights contain."""
    unknown = sorted(crops.keys() - set(CropSettings._fields))
    if unknown:
        raise UserError(f"'{path}' has crops with the unknown key '{unknown[0]}': it is of another version.")
    return CropSettings(**crops)


def _crop_settings(path: Path) -> CropSettings:
    """The settings of the run's config, which is two folders above a run's checkpoint."""
    try:
        data = run_config(path.parent.parent).get("data")
    except FileNotFoundError:
        return CropSettings()
    given = data if isinstance(data, dict) else {}
    names = ("mirror_left", "upright")
    return CropSettings(**{name: bool(given[name]) for name in names if given.get(name) is not None})
