"""Writes the weights that come with the package, ``openphoto``: 16-bit tensors, and a JSON file with their settings.

::

    python scripts/build_openphoto.py WEIGHTS --data "what it was trained on" [--out FOLDER]

WEIGHTS is a checkpoint of this library, a run's folder, whose best checkpoint is used, or a file of the network's
tensors alone (.safetensors, or .pt of tensors, 16 or 32 bits), in which the trunk's convolutions may be numbered,
``encoder.net.layers.N.conv``, in the order of MediaPipe's graph. docs/openphoto.md is the model card. The tensors are
written last and atomically, so that if they exist, everything is complete.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from gesturehand import __version__
from gesturehand.checkpoints.checkpoint_io import misfit
from gesturehand.errors import UserError
from gesturehand.file_writing import write_bytes, write_text
from gesturehand.runs import best_checkpoint
from gesturehand.trainers.token_fusion_regressor import TokenFusionRegressor

ASSETS = Path(__file__).parents[1] / "src/gesturehand/assets"
SETTINGS: dict[str, Any] = {
    "backbone": "mediapipe_hand",
    "feature_stride": 16,
    "image_size": 224,
    "embedding_dim": 256,
    "width": 192,
    "depth": 3,
    "mano": None,
}
#: How its training crops showed hands; the side of a crop is this factor times the longer side of a box.
CROPS = {"mirror_left": True, "upright": True, "box_scale": 1.4}
#: Weight of the 2.5D joints in the joints' position in the image. Among 0.5, 0.75 and 1 it is the best for rendered
#: crops; for photos of people who were not trained on, it is within 0.1 % of the hand's size of the best.
JOINTS_25D_SHARE = 0.75
#: The wheel should stay small.
LARGEST_BYTES = 15_000_000


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The network's tensors by name, without the prefix ``network.``."""
    content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    state = content.get("state_dict", content)
    if any(name.startswith("network.") for name in state):
        state = {name: value for name, value in state.items() if name.startswith("network.")}
    return {name.removeprefix("network."): value for name, value in state.items()}


def with_trunk_names(state: dict[str, Tensor], trunk: nn.Module) -> dict[str, Tensor]:
    """The trunk's numbered convolutions, renamed."""
    names = [name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)]

    def named(name: str) -> str:
        return re.sub(r"^encoder\.net\.layers\.(\d+)\.conv\.", lambda m: f"encoder.net.{names[int(m[1])]}.", name)

    return {named(name): value for name, value in state.items()}


def main() -> None:
    """Writes openphoto.safetensors and openphoto.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", required=True, help="what the network was trained on, for the card")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder to write (default: the package's)")
    parser.add_argument("--licence", default="MIT; the trunk's first weights: Apache-2.0 (LICENSES/mediapipe.md)")
    try:
        write(parser.parse_args())
    except UserError as error:
        raise SystemExit(str(error)) from None


def write(options: argparse.Namespace) -> None:
    """Reads, checks and writes.

    Raises:
        UserError: The run has no best checkpoint, its network has other settings, or the files cannot be written.
    """
    weights = best_checkpoint(options.weights) if options.weights.is_dir() else options.weights

    model = TokenFusionRegressor(**SETTINGS, encoder_weights="mediapipe_hand")
    origin = model.encoder.origin
    try:
        model.network.load_state_dict(with_trunk_names(read_tensors(weights), model.encoder.net))
    except RuntimeError as error:
        raise UserError(
            f"'{weights}' is not of the network of openphoto ({misfit(error)}): train it with the model of "
            "experiments/photo/finetune.yaml."
        ) from error
    state = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    lost = [name for name, value in state.items() if not value.isfinite().all()]
    if lost:
        raise SystemExit(f"{', '.join(lost)}: not finite, or too large for 16 bits.")
    about = {
        "class": TokenFusionRegressor.__name__,
        "settings": SETTINGS,
        "crops": CROPS,
        "joints_25d_share": JOINTS_25D_SHARE,
        "hand_model": {"name": model.hand_model.name, "fingerprint": model.hand_model.fingerprint},
        "encoder_weights_origin": origin,
        "data": options.data,
        "licence": options.licence,
        "versions": {"gesturehand": __version__, "torch": torch.__version__},
    }
    tensors, card = options.out / "openphoto.safetensors", options.out / "openphoto.json"
    content = save({name: value.contiguous() for name, value in state.items()}, {"licence": options.licence})
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    size = len(content) + len(text.encode())
    if size > LARGEST_BYTES:
        raise SystemExit(f"{size:,} bytes, and {LARGEST_BYTES:,} are the limit.")
    write_text(card, text)
    write_bytes(tensors, content)
    print(f"{tensors} and {card.name}: {size:,} bytes")


if __name__ == "__main__":
    main()
