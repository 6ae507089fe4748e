"""Writes annotated hands and their images as a set in InterHand2.6M's files."""

import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from gesturehand.data.files import Kind, annotation_path, image_path
from gesturehand.errors import UserError
from gesturehand.own_data.entries import HandEntry
from gesturehand.skeleton import INTERHAND_FROM_JOINTS, NUM_JOINTS, SIDES

Intrinsics = tuple[float, float, float, float]
_CAPTURE: Final = "0"
#: Where 2D joints are put: on the plane z = 1 m.
_PLANE_MM: Final = 1000.0
#: The mean distance of projected 3D joints to 2D ones, as a share of the hand's size, beyond which a unit, a frame or
#: the intrinsics must be wrong.
_MOST_DISAGREEMENT: Final = 0.1
_NO_GESTURE: Final = "unlabelled"
#: EXIF orientations that exchange width and height.
_TURNED: Final = (5, 6, 7, 8)
_ORIENTATION_TAG: Final = 274
_BOX_FACTOR: Final = 1.2


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        root: The set's folder.
        images: Images per split.
        hands: Hands with 2D joints only, with 3D joints, with a MANO fit.
    """

    root: Path
    images: dict[str, int]
    hands: dict[str, int]


def convert(
    entries: Sequence[HandEntry],
    images: Path,
    out: Path,
    *,
    intrinsics: Intrinsics | None = None,
    val_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
) -> Converted:
    """Copies the images and writes the four annotation files of each split.

    The world is the camera. Hands with 2D joints only are lifted to the plane z = 1 m and marked
    ``depth_known: false``: the projection returns their pixels, and training takes the two-dimensional terms only.

    Args:
        entries: The hands; two of one image make a two-hand annotation.
        images: Folder that their images are relative to.
        out: Folder of the set; must not exist, or be empty. It appears when the set is complete.
        intrinsics: fx, fy, cx, cy px of images whose entries say none. With 2D joints only they may be left out: the
            focal length is then the image's longer side, the centre the image's.
        val_share: Share of images, or of subjects where they are named, for validation.
        test_share: Likewise for the test.
        seed: Of the random split.

    Raises:
        UserError: An image is missing or unreadable, 3D joints have no intrinsics or disagree with the 2D ones, a hand
            is there twice, or ``out`` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"'{out}' is not empty: give a new folder.")
    groups: dict[str, list[HandEntry]] = defaultdict(list)
    for entry in entries:
        groups[entry.image].append(entry)
    for name, hands in groups.items():
        if len({hand.hand for hand in hands}) < len(hands):
            raise UserError(f"The image '{name}' has two {hands[0].hand} hands: one right and one left at most.")
    split_of = _splits(groups, val_share, test_share, seed)
    subjects = {
        name: row for row, name in enumerate(dict.fromkeys(e.subject for e in entries if e.subject is not None))
    }

    folder = out.with_name(f".{out.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    files: dict[str, dict[Kind, Any]] = {}
    cameras: dict[Intrinsics, str] = {}
    progress = tqdm(groups.items(), desc="import", unit="image", mininterval=0.2 if sys.stderr.isatty() else 10.0)
    try:
        for number, (name, hands) in enumerate(progress):
            split = split_of[name]
            content = files.setdefault(split, _empty())
            size = _image_size(images / name)
            calibration = _calibration(hands, intrinsics, size)
            camera = cameras.setdefault(calibration, f"{400000 + len(cameras)}")
            hands = sorted(hands, key=lambda hand: SIDES.index(hand.hand))
            subject = subjects.get(hands[0].subject or "", 0)
            file_name = _add(content, number, hands, size, camera, calibration, subject, Path(name).suffix)
            target = image_path(folder, split, file_name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(images / name, target)
        for split, content in files.items():
            for kind, table in content.items():
                path = annotation_path(folder, split, kind)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(table), encoding="utf-8")
        out.parent.mkdir(parents=True, exist_ok=True)
        folder.replace(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    flat = sum(entry.joints_3d is None for entry in entries)
    return Converted(
        root=out,
        images={split: len(content["data"]["images"]) for split, content in files.items()},
        hands={"2D": flat, "3D": len(entries) - flat, "MANO": sum(entry.mano is not None for entry in entries)},
    )


def lifted(joints_2d: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """(21, 2) px → (21, 3) mm on the plane z = 1 m that project to them."""
    focal, centre = np.array(intrinsics[:2]), np.array(intrinsics[2:])
    plane = (joints_2d - centre) / focal * _PLANE_MM
    return np.concatenate([plane, np.full((len(plane), 1), _PLANE_MM)], 1)


def _empty() -> dict[Kind, Any]:
    return {
        "data": {"images": [], "annotations": []},
        "camera": {_CAPTURE: {"campos": {}, "camrot": {}, "focal": {}, "princpt": {}}},
        "joint_3d": {_CAPTURE: {}},
        "MANO_NeuralAnnot": {_CAPTURE: {}},
    }


def _splits(groups: Mapping[str, list[HandEntry]], val_share: float, test_share: float, seed: int) -> dict[str, str]:
    """By what the entries say, else at random; of a named subject all images are in one split."""
    if min(val_share, test_share) < 0 or val_share + test_share >= 1:
        raise UserError("val_share and test_share must not be negative and leave something to train on.")
    chosen = {name: next((e.split for e in hands if e.split), None) for name, hands in groups.items()}
    units: dict[str, list[str]] = defaultdict(list)
    for name, hands in groups.items():
        if chosen[name] is None:
            units[f"subject {hands[0].subject}" if hands[0].subject is not None else f"image {name}"].append(name)
    order = np.random.default_rng(seed).permutation(len(units))
    bounds = {
        split: max(1, round(share * len(units))) if share and len(units) > 2 else 0
        for split, share in (("val", val_share), ("test", test_share))
    }
    for place, names in zip(order.tolist(), units.values(), strict=True):
        split = "val" if place < bounds["val"] else "test" if place < sum(bounds.values()) else "train"
        chosen.update(dict.fromkeys(names, split))
    return {name: str(split) for name, split in chosen.items()}


def _image_size(path: Path) -> tuple[int, int]:
    """Width and height as the loader sees the image, turned as its EXIF data says."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION_TAG) in _TURNED
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"The image '{path}' is missing: check --images and the entry's image.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"The image '{path}' cannot be read ({error}): replace it or remove its entry.") from None
    return (height, width) if turned else (width, height)


def _calibration(hands: Sequence[HandEntry], default: Intrinsics | None, size: tuple[int, int]) -> Intrinsics:
    given = next((hand.intrinsics for hand in hands if hand.intrinsics is not None), default)
    if given is not None:
        return given
    if any(hand.joints_3d is not None for hand in hands):
        raise UserError(
            f"The image '{hands[0].image}' has 3D joints and no intrinsics: give them in the entry, or as --intrinsics."
        )
    longer = float(max(size))
    return longer, longer, size[0] / 2, size[1] / 2


def _add(
    content: dict[Kind, Any],
    number: int,
    hands: Sequence[HandEntry],
    size: tuple[int, int],
    camera: str,
    calibration: Intrinsics,
    subject: int,
    suffix: str,
) -> str:
    """Adds an image's entries to a split's files; returns its file name there."""
    joints = np.full((len(SIDES), NUM_JOINTS, 3), np.nan)
    pixels = np.full((len(SIDES), NUM_JOINTS, 2), np.nan)
    for hand in hands:
        side = SIDES.index(hand.hand)
        joints[side] = _joints_mm(hand, calibration)
        pixels[side] = joints[side, :, :2] / joints[side, :, 2:] * calibration[:2] + np.array(calibration[2:])
    valid = np.isfinite(joints).all(-1)
    flags = valid[:, list(INTERHAND_FROM_JOINTS)].ravel()
    kind = hands[0].hand if len(hands) == 1 else "interacting"
    sequence = next((hand.sequence for hand in hands if hand.sequence), _NO_GESTURE)
    prefix = {"right": "00", "left": "01", "interacting": "02"}[kind]
    seq_name = f"{prefix}00_{sequence}"
    file_name = f"Capture{_CAPTURE}/{seq_name}/cam{camera}/image{number}{suffix}"
    content["data"]["images"].append(
        {
            "id": number,
            "file_name": file_name,
            "width": size[0],
            "height": size[1],
            "capture": int(_CAPTURE),
            "subject": subject,
            "seq_name": seq_name,
            "camera": camera,
            "frame_idx": number,
        }
    )
    content["data"]["annotations"].append(
        {
            "id": number,
            "image_id": number,
            "bbox": _box(pixels[valid], size),
            "joint_valid": [[int(ok)] for ok in flags],
            "hand_type": kind,
            "hand_type_valid": 1,
        }
    )
    world = np.where(valid[..., None], joints, 1.0)[:, list(INTERHAND_FROM_JOINTS)].reshape(-1, 3)
    content["joint_3d"][_CAPTURE][str(number)] = {
        "world_coord": world.tolist(),
        "joint_valid": [[bool(ok)] for ok in flags],
        "hand_type": kind,
        "hand_type_valid": True,
        # A hand without depth makes its frame one without.
        "depth_known": all(hand.joints_3d is not None for hand in hands),
    }
    fits = {hand.hand: hand.mano for hand in hands if hand.mano is not None}
    if fits:
        content["MANO_NeuralAnnot"][_CAPTURE][str(number)] = {side: fits.get(side) for side in SIDES}
    table = content["camera"][_CAPTURE]
    table["campos"][camera], table["camrot"][camera] = [0.0, 0.0, 0.0], np.eye(3).tolist()
    table["focal"][camera], table["princpt"][camera] = list(calibration[:2]), list(calibration[2:])
    return file_name


def _joints_mm(hand: HandEntry, calibration: Intrinsics) -> np.ndarray:
    """(21, 3) mm, camera frame: the 3D joints, checked against the 2D ones, or these lifted."""
    if hand.joints_3d is None:
        assert hand.joints_2d is not None  # entries have one of them
        return lifted(hand.joints_2d, calibration)
    if hand.joints_2d is not None:
        projected = hand.joints_3d[:, :2] / hand.joints_3d[:, 2:] * calibration[:2] + np.array(calibration[2:])
        distance = np.linalg.norm(projected - hand.joints_2d, axis=1)
        size = np.ptp(hand.joints_2d[np.isfinite(distance)], axis=0).max(initial=1.0)
        if np.isfinite(distance).any() and np.nanmean(distance) > _MOST_DISAGREEMENT * size:
            raise UserError(
                f"The {hand.hand} hand of '{hand.image}': 3D joints project {np.nanmean(distance):.0f} px beside the "
                "2D ones; check unit (metres), frame (x right, y down, z forward), order and intrinsics."
            )
    return hand.joints_3d * 1000


def _box(pixels: np.ndarray, size: tuple[int, int]) -> list[float]:
    """x, y, width, height: the tight box × 1.2 within the image, as InterHand2.6M's."""
    if not len(pixels):
        return [0.0, 0.0, float(size[0]), float(size[1])]
    low, high = pixels.min(0), pixels.max(0)
    middle, half = (low + high) / 2, (high - low) / 2 * _BOX_FACTOR
    limit = np.array(size) - 1.0
    low, high = np.clip(middle - half, 0, limit), np.clip(middle + half, 0, limit)
    return [*low.tolist(), *(high - low).tolist()]
