"""Writes annotated hands and their images as a set in InterHand2.6M's files, with its splits and its card."""

import json
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from gesturehand.data.files import Kind, annotation_path, image_path
from gesturehand.data.image_file import HEIF_FORMATS, read_image
from gesturehand.data.image_header import format_name
from gesturehand.data.spelling import find_file, spelled
from gesturehand.errors import UserError
from gesturehand.file_writing import file_of_new_folder, make_folder, write_text
from gesturehand.gestures import vocabulary
from gesturehand.own_data.entries import HandEntry
from gesturehand.own_data.hand_checks import Intrinsics, check_distinct, check_hand, check_order, check_sides
from gesturehand.own_data.interhand_files import add_image, empty_files
from gesturehand.skeleton import SIDES
from gesturehand.text_file import write_json

CARD_FILE: Final = "card.json"
_REMEDY: Final = "check --images and the entry's image, replace it, or remove its entry"


def choose_splits(
    groups: Mapping[str, list[HandEntry]], val_share: float, test_share: float, seed: int
) -> dict[str, str]:
    """Assigns a split to each image: the entries' own, else a random one, with all images of a subject in one split.

    Args:
        groups: The hands of each image.
        val_share: Share of the images or subjects whose split is not given.
        test_share: Likewise.
        seed: Seed of the random order.

    Returns:
        The split of each image.

    Raises:
        UserError: A share is negative, or nothing is left to train on.
    """
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


def count_hands(hands: Iterable[HandEntry]) -> dict[str, int]:
    """Counts the hands with only ``2D`` joints, with ``3D`` joints, a ``MANO`` fit, only a ``box``, ``pseudo_labels``,
    a fine ``gesture`` class, a ``label`` of their set.
    """
    counts = Counter(dict.fromkeys(("2D", "3D", "MANO", "box", "pseudo_labels", "gesture", "label"), 0))
    for hand in hands:
        counts["3D" if hand.has_depth else "2D" if hand.joints_2d is not None else "box"] += 1
        counts["MANO"] += hand.mano is not None
        counts["pseudo_labels"] += hand.pseudo_label and hand.has_joints
        counts["gesture"] += hand.sequence is not None
        counts["label"] += hand.label is not None
    return dict(counts)


def import_card(groups: Mapping[str, Sequence[HandEntry]], split_of: Mapping[str, str]) -> dict[str, Any]:
    """The card's content.

    Args:
        groups: The hands of each image.
        split_of: The split of each image.

    Returns:
        The number of images and :func:`count_hands` of each split (``splits``), the number of hands under each licence
        (``licences``), and for each set of labels the number of hands with each label, by split and by the assigned
        fine class (``label_sets``). A licence, a set or a class that is not named is the empty string.
    """
    splits: dict[str, Any] = {}
    labels: dict[str, dict[str, dict[str, Counter[str]]]] = {}
    for split in dict.fromkeys(split_of.values()):
        names = [name for name in groups if split_of[name] == split]
        hands = list(chain.from_iterable(groups[name] for name in names))
        splits[split] = {"images": len(names), "hands": count_hands(hands)}
        for hand in hands:
            if hand.label is None:
                continue
            of_set = labels.setdefault(hand.label_set or "", {})
            entry = of_set.setdefault(hand.label, {"hands": Counter(), "gestures": Counter()})
            entry["hands"][split] += 1
            entry["gestures"][_fine_name(hand)] += 1
    licences = Counter(str(hand.notes.get("licence", "")) for hand in chain.from_iterable(groups.values()))
    return {"splits": splits, "licences": licences, "label_sets": labels}


def _fine_name(hand: HandEntry) -> str:
    if hand.sequence is None:
        return ""
    words = vocabulary()
    return words.fine[words.fine_of_sequence[hand.sequence]]


@dataclass(frozen=True)
class Converted:
    """The numbers of images and hands that were written.

    Attributes:
        root: The set's folder.
        images: Images per split.
        hands: Hands with only 2D joints, with 3D joints, with a MANO fit, with only a box, whose joints are
            pseudo-labels, with a fine gesture class, with a label of their own set.
        as_jpeg: HEIC and AVIF images that became JPEG in the set.
    """

    root: Path
    images: dict[str, int]
    hands: dict[str, int]
    as_jpeg: int = 0


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

    The world frame is the camera's. Hands with only 2D joints are lifted to the plane z = 1 m and marked ``depth_known:
    false``: they project back onto their pixels, and train only the two-dimensional terms. Hands with only a box have
    no valid joint. Anything that InterHand2.6M's files have no field for is stored in ``data.json`` under
    ``hand_labels``, by side; ``card.json`` summarises it (:mod:`gesturehand.own_data.convert`).

    Args:
        entries: The hands; a right and a left one of one image make a two-hand annotation. With more than two hands,
            each is a separate annotation with a copy of the image.
        images: Folder to which their images are relative.
        out: Folder of the set; must not exist, or be empty. It appears when the set is complete.
        intrinsics: fx, fy, cx, cy px of images whose entries have none. With only 2D joints they may be left out: the
            focal length is then the image's longer side, and the principal point its centre.
        val_share: Share of images, or of subjects if they are named, for validation.
        test_share: Likewise for the test.
        seed: Seed of the random split.

    Raises:
        UserError: An image is missing, or the loader could not read it, 3D joints have no intrinsics or disagree with
            the 2D ones, a hand occurs twice or cannot be one, right and left are exchanged, the joints are in another
            order, or ``out`` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"'{out}' is not empty: give a new folder.")
    groups: dict[str, list[HandEntry]] = defaultdict(list)
    for entry in entries:
        groups[spelled(entry.image)].append(entry)
    for name, hands in groups.items():
        check_distinct(name, hands)
    check_order(entries)
    check_sides(entries)
    split_of = choose_splits(groups, val_share, test_share, seed)
    subjects = {
        name: row for row, name in enumerate(dict.fromkeys(e.subject for e in entries if e.subject is not None))
    }

    folder = out.with_name(f".{out.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    files: dict[str, dict[Kind, Any]] = {}
    cameras: dict[Intrinsics, str] = {}
    as_jpeg = 0
    shown = [(name, together) for name, hands in groups.items() for together in _annotations(hands)]
    progress = tqdm(shown, desc="import", unit="image", mininterval=0.2 if sys.stderr.isatty() else 10.0)
    try:
        for number, (name, hands) in enumerate(progress):
            split = split_of[name]
            content = files.setdefault(split, empty_files())
            source = find_file(images / hands[0].image) or images / name
            # Decoded completely, so that anything that training could not read is refused here.
            pixels = read_image(source, remedy=_REMEDY)
            size = (pixels.shape[1], pixels.shape[0])
            content_of = source.read_bytes()
            suffix = Path(name).suffix
            if format_name(content_of[:16]) in HEIF_FORMATS:
                # So that the set can be read everywhere, even without pillow-heif.
                content_of, suffix, as_jpeg = _jpeg(pixels), ".jpg", as_jpeg + 1
            hands = [_with_whole_image(hand, size) for hand in hands]
            calibration = _calibration(hands, intrinsics, size)
            camera = cameras.setdefault(calibration, f"{400000 + len(cameras)}")
            for hand in hands:
                check_hand(hand, calibration, size)
            hands = sorted(hands, key=lambda hand: SIDES.index(hand.side))
            subject = subjects.get(hands[0].subject or "", 0)
            file_name = add_image(content, number, hands, size, camera, calibration, subject, suffix)
            with file_of_new_folder(image_path(folder, split, file_name)) as target:
                target.write(content_of)
        for split, content in files.items():
            for kind, table in content.items():
                write_text(annotation_path(folder, split, kind), json.dumps(table))
        write_json(folder / CARD_FILE, import_card(groups, split_of))
        folder.replace(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Converted(
        root=out,
        images={split: list(split_of.values()).count(split) for split in files},
        hands=count_hands(entries),
        as_jpeg=as_jpeg,
    )


def _annotations(hands: list[HandEntry]) -> list[list[HandEntry]]:
    """The hands of an image by annotation: a right and a left one together; if there are more, each by itself."""
    return [hands] if len({hand.side for hand in hands}) == len(hands) else [[hand] for hand in hands]


def _with_whole_image(hand: HandEntry, size: tuple[int, int]) -> HandEntry:
    """A hand with neither joints nor a box fills its image."""
    if hand.has_joints or hand.box is not None:
        return hand
    return replace(hand, box=(0.0, 0.0, float(size[0]), float(size[1])))


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An image (H, W, 3) uint8 RGB as a JPEG without visible loss: quality 95, colours at full resolution."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", pixels[..., ::-1], quality)[1].tobytes()


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
