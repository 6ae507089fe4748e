"""InterHand2.6M's annotation files: where they lie, and reading them with errors that say what to do."""

import json
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from gesturehand.errors import UserError

Kind = Literal["data", "camera", "joint_3d", "MANO_NeuralAnnot"]
KINDS: Final[tuple[Kind, ...]] = ("data", "camera", "joint_3d", "MANO_NeuralAnnot")


class Annotations(NamedTuple):
    """One split's four annotation files as parsed JSON; ``mano`` is empty where fits were not asked for."""

    data: dict[str, Any]
    camera: dict[str, Any]
    joint_3d: dict[str, Any]
    mano: dict[str, Any]


def annotation_path(root: Path, split: str, kind: Kind) -> Path:
    """``<root>/annotations/{split}/InterHand2.6M_{split}_{kind}.json``."""
    return root / "annotations" / split / f"InterHand2.6M_{split}_{kind}.json"


def image_path(root: Path, split: str, file_name: str) -> Path:
    """``<root>/images/{split}/{file_name}``, ``file_name`` as in ``data.json``."""
    return root / "images" / split / file_name


def check_root(root: Path) -> None:
    """Checks that a folder looks like InterHand2.6M's.

    Raises:
        UserError: It does not exist or has no ``annotations`` folder; the message names the remedy.
    """
    if not root.is_dir():
        raise UserError(
            f"The data folder '{root}' does not exist: pass InterHand2.6M's folder, which holds annotations/ and "
            "images/, or write the open set there with `gesturehand data synth`."
        )
    if not (root / "annotations").is_dir():
        inside = sorted(path.parent for path in root.glob("*/annotations"))
        outside = [parent for parent in (root.parent, root.parent.parent) if (parent / "annotations").is_dir()]
        found = [*inside, *outside]
        hint = f"did you mean '{found[0]}'?" if found else "pass the folder that holds annotations/ and images/."
        raise UserError(f"The data folder '{root}' has no 'annotations' folder: {hint}")


def read_annotations(root: Path, split: str, *, mano_fits: bool = True) -> Annotations:
    """Reads the four annotation files of one split.

    Args:
        root: The data set's folder.
        split: "train", "val" or "test".
        mano_fits: Read ``MANO_NeuralAnnot.json`` too. Without fits only joints and gestures are known.

    Raises:
        UserError: The folder or a file is missing or unreadable, or a file is not JSON.
    """
    check_root(root)
    return Annotations(
        data=_read(root, split, "data"),
        camera=_read(root, split, "camera"),
        joint_3d=_read(root, split, "joint_3d"),
        mano=_read(root, split, "MANO_NeuralAnnot") if mano_fits else {},
    )


def _read(root: Path, split: str, kind: Kind) -> dict[str, Any]:
    path = annotation_path(root, split, kind)
    try:
        with path.open(encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        remedy = (
            "download it (NeuralAnnot's fits are a download of their own) or go without fits with "
            "--data.mano_fits=false."
            if kind == "MANO_NeuralAnnot"
            else "download this split's annotations, or choose a split that is there."
        )
        raise UserError(f"The annotation file '{path}' is missing: {remedy}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The annotation file '{path}' is not valid JSON ({error}): download it again.") from None
    except OSError as error:
        raise UserError(
            f"The annotation file '{path}' cannot be read ({error.strerror}): check it and its permissions."
        ) from None
    if not isinstance(content, dict):
        raise UserError(f"The annotation file '{path}' holds no JSON object: download it again.")
    return content
