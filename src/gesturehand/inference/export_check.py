"""What an exported program is held against: the predictor on crops of hands."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.errors import UserError
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.upright import Crop
from gesturehand.skeleton import SIDES, WRIST
from gesturehand.synthetic.writer import write_synthetic_set

#: Batches that are compared.
_BATCHES: Final = (1, 3, 8)
#: Rows of the example that is traced: PyTorch takes sizes of 1 for constants, and 2 is the number of hands.
FEWEST_CROPS: Final = 3

#: A program: crops (B, 3, S, S) uint8 and sides (B,) bool → outputs by name.
Run = Callable[[torch.Tensor, torch.Tensor], dict[str, np.ndarray]]


def reference_of(predictor: HandPredictor, crops: torch.Tensor, is_right: torch.Tensor) -> dict[str, np.ndarray]:
    """What the predictor itself computes, under the export's names."""
    pixels = crops.permute(0, 2, 3, 1).numpy()
    size = crops.shape[-1]
    flip = np.array([[-1.0, 0, size - 1], [0, 1, 0]])
    rows: list[Crop] = []
    for image, right in zip(pixels, is_right.tolist(), strict=True):
        mirror = predictor.mirror_left and not right
        rows.append((image[:, ::-1] if mirror else image, flip if mirror else np.eye(3)[:2], mirror))
    arrays = predictor.run_crops(rows, is_right.tolist())
    wrist = arrays["joints"][..., WRIST : WRIST + 1, :]
    # Image coordinates of a mirrored crop run the other way: (N, 1, 1).
    sign = np.array([-1.0 if mirror else 1.0 for _, _, mirror in rows])[:, None, None]
    reference = {
        "global_orient": arrays["rotations"][:, :, 0],
        "hand_pose": arrays["rotations"][:, :, 1:],
        "betas": arrays["betas"],
        "camera": arrays["camera"] * np.insert(sign, (0, 1), 1.0, axis=-1),
        "joints_25d": arrays["joints_25d"] * np.append(sign, np.ones_like(sign.repeat(2, -1)), -1)[..., None, :],
        "joints_2d": arrays["joints_2d"] * np.append(sign, np.ones_like(sign), -1)[..., None, :],
        "vertices": arrays["vertices"] - wrist,
        "joints": arrays["joints"] - wrist,
    }
    if not predictor.two_hand:
        reference = {name: value[:, 0] for name, value in reference.items()}
    for name, own in (("gesture_coarse", "coarse"), ("gesture_fine", "fine"), ("gesture_embedding", "embedding")):
        if own in arrays:
            reference[name] = arrays[own]
    if "way" in arrays:
        reference["relative_translation"] = arrays["way"]
    return reference


def largest_differences(
    run: Run, crops: torch.Tensor, is_right: torch.Tensor, reference: dict[str, np.ndarray]
) -> dict[str, float]:
    """Largest difference of each output over all crops, in batches of several sizes."""
    largest: dict[str, float] = {}
    for batch in _BATCHES:
        for start in range(0, len(crops), batch):
            rows = slice(start, start + batch)
            for name, values in run(crops[rows], is_right[rows]).items():
                scale = max(1.0, float(np.abs(reference[name]).max()))
                difference = float(np.abs(values - reference[name][rows]).max()) / scale
                # NaN must not pass for a small difference.
                largest[name] = max(largest.get(name, 0.0), difference if np.isfinite(difference) else np.inf)
    return largest


def crops_of(predictor: HandPredictor, data: str | Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Crops (N, 3, S, S) uint8 of both hands as images show them, and their sides (N,) bool."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set" if data is None else Path(data)
        if data is None:
            pairs = 1.0 if predictor.two_hand else 0.0
            write_synthetic_set(
                root, subjects=(0, 0, 1), frames=(0, 0, 16), two_hand_share=pairs, processes=1, progress=False
            )
        module = InterHandDataModule(
            str(root),
            image_size=predictor.image_size,
            hands="all",
            layout="two_hand" if predictor.two_hand else "per_hand",
            mirror_left=False,
            mano_fits=False,
            num_workers=0,
        )
        dataset = module.dataset("test")
        sides = dataset.selection.hand[:, 0]
        # As many of either side as there are, to 16 in all.
        chosen = np.concatenate([np.flatnonzero(sides == side)[:8] for side in range(len(SIDES))])
        images = torch.stack([dataset[int(number)]["image"] for number in chosen])
    if len(images) < FEWEST_CROPS:
        raise UserError(f"'{data}' has fewer than {FEWEST_CROPS} hands to compare on: give another folder as --data.")
    return images, torch.from_numpy(sides[chosen] == 0)
