"""Prepares a comparison: settings that agree with what is already done, data, stored crops."""

import json
from pathlib import Path
from typing import Any, Final

from gesturehand.ablation.job import Place
from gesturehand.ablation.sizes import Size
from gesturehand.ablation.stored_crops import store_crops
from gesturehand.errors import UserError
from gesturehand.json_files import read_json, write_json
from gesturehand.splits import SPLITS
from gesturehand.synthetic.writer import write_synthetic_set

_SETTINGS_FILE: Final = "settings.json"


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Notes a comparison's settings in its folder; a comparison that is already there must have the same.

    Raises:
        UserError: The folder's comparison has other settings.
    """
    path = folder / _SETTINGS_FILE
    wanted = json.loads(json.dumps(settings))
    if path.is_file():
        found = read_json(path, "The comparison's settings", "give another --out")
        other = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if other:
            raise UserError(
                f"'{folder}' holds a comparison with another {other[0]} ({found.get(other[0])}, not "
                f"{wanted.get(other[0])}): give another --out."
            )
        return
    write_json(path, wanted)


def prepare_data(size: Size, root: Path, cluster: str = "local") -> None:
    """Writes the open synthetic set of a size by a cluster's workers, unless it exists."""
    if (root / "annotations").is_dir():
        return
    write_synthetic_set(
        root,
        subjects=size.subjects,
        frames=size.frames,
        two_hand_share=size.two_hand_share,
        wrist_cone_deg=35.0,
        without_fit_share=0.0,
        cluster=cluster,
        command="gesturehand ablation",
    )


def store_all_crops(size: Size, place: Place) -> None:
    """Stores the crops of all splits, where the size wants that."""
    if place.crops is not None:
        for split in SPLITS:
            store_crops(place.root, split, place.crops, size.image_size)
