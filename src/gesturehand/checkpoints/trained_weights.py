"""Weights to hand on: tensors and a JSON of settings, which are read like a checkpoint; some come with the package."""

from collections.abc import Mapping
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file

from gesturehand.checkpoints.checkpoint_io import listed, load_checkpoint
from gesturehand.errors import UserError
from gesturehand.text_file import read_json

#: Names that may stand for the package's weights in place of a checkpoint.
SHIPPED: Final = ("openphoto",)
#: Ending of the tensors' file.
WEIGHTS_SUFFIX: Final = ".safetensors"
#: Keys of the JSON that a checkpoint contains too, or that replace a checkpoint's.
_KEPT: Final = ("hand_model", "encoder_weights_origin", "crops", "joints_25d_share")
#: The same, but not in every file.
_OPTIONAL: Final = ("joint_offsets_mm",)
_REMEDY: Final = "give the .safetensors and .json that scripts/build_openphoto.py wrote"


class _Crops(msgspec.Struct):
    mirror_left: bool | msgspec.UnsetType = msgspec.UNSET
    upright: bool | msgspec.UnsetType = msgspec.UNSET
    box_scale: Annotated[float, msgspec.Meta(ge=0.1, le=10)] | msgspec.UnsetType = msgspec.UNSET


class _HandModel(msgspec.Struct):
    name: str
    fingerprint: str


class _About(msgspec.Struct):
    """The types of the JSON's values; further keys are for people."""

    model_class: str = msgspec.field(name="class")
    settings: dict[str, Any]
    crops: _Crops
    joints_25d_share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    hand_model: _HandModel
    encoder_weights_origin: dict[str, Any] | None


def class_name(content: Mapping[str, Any]) -> str:
    """The name of the class that a checkpoint states, without its modules; empty if it states none."""
    settings = content.get("hyper_parameters") or {}
    return content.get("model_class") or str(settings.get("_class_path", "")).rpartition(".")[2]


def trained_weights(name: str | Path) -> dict[str, Any]:
    """Reads a trained network, whatever kind of file holds it.

    Args:
        name: One of :data:`SHIPPED`, a ``.safetensors`` with its JSON beside it, or a checkpoint of
            ``gesturehand fit``.

    Returns:
        The contents of a checkpoint; see :func:`read_weights` for further ones.

    Raises:
        UserError: A file is missing or damaged, or is something else.
    """
    if name in SHIPPED:
        return shipped_checkpoint(str(name))
    return read_weights(Path(name)) if Path(name).suffix == WEIGHTS_SUFFIX else load_checkpoint(name)


def shipped_checkpoint(name: str) -> dict[str, Any]:
    """Reads the weights that come with the package.

    Args:
        name: One of :data:`SHIPPED`.

    Returns:
        The result of :func:`read_weights`.
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
        The contents of a checkpoint of ``gesturehand fit`` (``state_dict``, ``hyper_parameters``, ``hand_model``,
        ``encoder_weights_origin``), and ``crops``: the way in which its crops show hands (``mirror_left``, ``upright``,
        ``box_scale``), ``joints_25d_share``, and ``joint_offsets_mm``, which is None if the file has none. Numbers are
        16-bit in the file and are rounded nowhere else.

    Raises:
        UserError: A file is missing or damaged, or is something else.
    """
    beside = path.with_suffix(".json") if about_path is None else about_path
    about = read_json(beside, "The settings of weights", _REMEDY)
    if not isinstance(about, dict) or not {"class", "settings", *_KEPT} <= about.keys():
        raise UserError(f"'{beside}' does not say which network the weights '{path}' belong to: {_REMEDY}.")
    try:
        msgspec.convert(about, _About)
    except msgspec.ValidationError as error:
        raise UserError(f"'{beside}' has a value that makes no sense ({error}): {_REMEDY}.") from None
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
        "hyper_parameters": {**about["settings"], "_class_path": about["class"]},
        **{key: about[key] for key in _KEPT},
        **{key: about.get(key) for key in _OPTIONAL},
    }
