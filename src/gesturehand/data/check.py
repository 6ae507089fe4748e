"""Checks a dataset and lists everything that training would fail on, including damaged shards of packed splits."""

import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from gesturehand.data.annotation_problems import (
    CameraMap,
    Finding,
    FrameHands,
    Problem,
    SplitAnnotations,
    annotation_problems,
    hand_in_image,
)
from gesturehand.data.files import is_url, stays_inside
from gesturehand.data.formats.interhand import InterHandFormat
from gesturehand.data.formats.registry import format_of
from gesturehand.data.formats.set_format import SetFormat
from gesturehand.data.image_file import UnreadableImageError, look_at_image, read_image
from gesturehand.data.index import InterHandIndex, read_index
from gesturehand.data.plausibility import (
    better_order,
    implausible_camera,
    implausible_fit,
    implausible_size,
)
from gesturehand.data.remote import local_folder
from gesturehand.data.set_images import SetImages
from gesturehand.data.shards import ShardTable, name_hash, open_table, packed_folder
from gesturehand.errors import UserError
from gesturehand.hand.conventions import PoseForm
from gesturehand.skeleton import SIDES
from gesturehand.splits import SPLITS

#: Number of hands whose proportions suffice to recognise the joints' order.
_HANDS_FOR_ORDER = 2000
#: Images that are handed to the threads at a time, so that millions of futures do not fill the memory.
_CHUNK = 4096
_BLOCK_BYTES: Final = 1 << 22


def index_problems(root: str, split: str, set_format: str, *, mano_fits: bool = True) -> SplitAnnotations:
    """Reads a split into its index and lists impossible entries; files that cannot be read are one problem.

    Args:
        root: The set.
        split: Its split.
        set_format: Name of its format.
        mano_fits: Check the MANO fits too.
    """
    result = SplitAnnotations(split)
    try:
        index = read_index(root, split, mano_fits=mano_fits, set_format=set_format)
    except UserError as error:
        result.add(iter([("annotations unreadable", root, str(error))]))
        return result
    result.annotations = len(index)
    sizes = index.image_size_px.tolist()
    result.images = list(
        {
            name: {"file_name": name.decode(), "width": size[0], "height": size[1]}
            for name, size in zip(index.file_name, sizes, strict=True)
        }.values()
    )
    result.add(_boxes(index))
    result.add(_cameras(index))
    result.add(_hands(index))
    result.add(_in_images(index))
    result.add(_fits(index))
    if not len(index):
        result.add(iter([("split without annotations", root, "there is nothing to train or test on")]))
    return result


def _boxes(index: InterHandIndex) -> Iterator[Finding]:
    for row in np.flatnonzero(~np.isfinite(index.bbox_px).all(-1)).tolist():
        yield "box not four numbers", _image(index, row), str(index.bbox_px[row].tolist())
    for row in np.flatnonzero((index.bbox_px[:, 2:] <= 0).any(-1)).tolist():
        yield "box empty", _image(index, row), str(index.bbox_px[row].tolist())


def _cameras(index: InterHandIndex) -> Iterator[Finding]:
    _, first = np.unique(index.camera, return_index=True)
    for row in first.tolist():
        k = index.intrinsics[index.camera[row]].astype(float)
        size = index.image_size_px[row].tolist()
        for problem in implausible_camera((k[0, 0], k[1, 1]), (k[0, 2], k[1, 2]), size):
            yield problem.kind, f"camera of {_image(index, row)}", problem.detail


def _hands(index: InterHandIndex) -> Iterator[Finding]:
    _, first = np.unique(index.frame, return_index=True)
    for row in first.tolist():
        frame = int(index.frame[row])
        joints, valid = index.joints_world[frame], index.joint_valid_frame[frame]
        if not np.isfinite(joints[valid]).all():
            yield "joints not finite", _image(index, row), ""
            continue
        for side in range(len(SIDES)) if index.depth_known[frame] else ():
            for problem in implausible_size(joints[side], valid[side]):
                yield problem.kind, _image(index, row), f"{SIDES[side]} hand: {problem.detail}"
    frames = np.flatnonzero(index.depth_known)
    chosen = frames[:: max(1, 2 * len(frames) // _HANDS_FOR_ORDER)]
    if len(chosen):
        joints = index.joints_world[chosen].reshape(-1, 21, 3)
        order = better_order(joints, index.joint_valid_frame[chosen].reshape(-1, 21))
        if order is not None:
            yield "joints in another order", str(index.root), f"their bones are those of hands in {order}"


def _in_images(index: InterHandIndex) -> Iterator[Finding]:
    for row in range(len(index)):
        frame, camera = int(index.frame[row]), int(index.camera[row])
        hands = FrameHands(index.joints_world[frame], index.joint_valid_frame[frame], bool(index.depth_known[frame]))
        maps = index.camera_rotation[camera], index.camera_translation[camera], index.intrinsics[camera]
        to_image, size = CameraMap(*(each.astype(np.float64) for each in maps)), index.image_size_px[row].tolist()
        for side in range(len(SIDES)):
            if index.hand_type[row] & (1 << side):
                valid = index.joint_valid_image[row, side]
                yield from hand_in_image(_image(index, row), side, hands, valid, to_image, size)


def _fits(index: InterHandIndex) -> Iterator[Finding]:
    components = bool(index.set_format.pose_form & PoseForm.COMPONENTS)
    _, first = np.unique(index.frame, return_index=True)
    for row in first.tolist():
        frame = int(index.frame[row])
        for side in np.flatnonzero(index.mano_valid[frame]).tolist():
            pose = index.mano_pose[frame, side].astype(np.float64)
            if components and np.isfinite(pose).all():  # coefficients are not angles
                pose[3:] = 0
            betas, trans = index.mano_betas[frame, side], index.mano_trans[frame, side]
            for problem in implausible_fit(pose, betas.astype(np.float64), trans.astype(np.float64)):
                yield problem.kind, f"fit of {_image(index, row)}", problem.detail


def _image(index: InterHandIndex, row: int) -> str:
    return str(index.file_name[row].decode())


@dataclass
class CheckReport:
    """The findings.

    Attributes:
        root: The dataset's folder.
        images: Images listed by split.
        annotations: Annotations listed by split.
        problems: All problems, in the order of the files.
    """

    root: str
    images: dict[str, int] = field(default_factory=dict)
    annotations: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Number of problems of each kind, the most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def as_json(self) -> dict[str, Any]:
        """The report in the form of its JSON file."""
        return {**asdict(self), "counts": self.counts()}


def check_data(
    root: str | Path,
    splits: list[str] | None = None,
    *,
    mano_fits: bool = True,
    decode: bool = True,
    threads: int = 8,
    progress: bool = True,
    set_format: str | None = None,
) -> CheckReport:
    """Checks annotations and images of a dataset; nothing is changed but the index, which may be made.

    Args:
        root: Its folder.
        splits: Splits to check; None for all that exist.
        mano_fits: Check the MANO fits too.
        decode: Decode every image; otherwise only its header is read.
        threads: Number of images that are read at a time.
        progress: Show a bar.
        set_format: Name of the set's format; None: it is recognised.

    Raises:
        UserError: The folder does not exist or holds no annotations.
    """
    report = CheckReport(str(root))
    root = local_folder(root, splits or SPLITS)
    known = format_of(root, set_format)
    splits = splits or _splits(known, root)
    if not splits:
        raise UserError(f"'{root}' has no split's annotation files: give the folder of a set.")
    for split in splits:
        if isinstance(known, InterHandFormat):
            annotations = annotation_problems(root, split, mano_fits=mano_fits)
        else:
            annotations = index_problems(str(root), split, known.name, mano_fits=mano_fits)
        files = SetImages(root, split, known.image_folder(root, split))
        images = annotations.images
        report.images[split], report.annotations[split] = len(images), annotations.annotations
        report.problems += annotations.problems
        bar = tqdm(total=len(images), desc=f"{split} images", unit="image", disable=not progress)
        with bar, ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(images), _CHUNK):
                chunk = images[start : start + _CHUNK]
                for found in pool.map(partial(_image_problem, files, split, decode), chunk):
                    bar.update()
                    report.problems += [found] if found else []
    return report


def _splits(known: SetFormat, root: Path) -> list[str]:
    """The existing splits; for InterHand2.6M also those with nothing but a folder, which the check then reports."""
    if isinstance(known, InterHandFormat):
        return sorted(path.name for path in (root / "annotations").iterdir() if path.is_dir())
    return known.splits(root)


def _image_problem(files: SetImages, split: str, decode: bool, image: dict[str, Any]) -> Problem | None:
    name = image.get("file_name")
    if not isinstance(name, str) or not stays_inside(name):
        return Problem("path leaves the images' folder", split, repr(name))
    size = image.get("width"), image.get("height")
    announced = size if all(isinstance(side, int) for side in size) else None
    try:
        (read_image if decode else look_at_image)(files.of(name), announced)  # type: ignore[arg-type]
    except UnreadableImageError as error:
        return Problem(error.kind, split, name, error.detail)
    return None


def verify_split(
    root: str | Path, split: str, *, progress: bool = True, set_format: str | None = None
) -> list[Problem]:
    """Reads the shards of a split from end to end and compares them with their sums.

    Args:
        root: The folder that holds ``packed/``.
        split: Its split.
        progress: Show a bar.
        set_format: Name of the set's format; None: it is recognised.

    Returns:
        The problems: missing or damaged shards, and the damaged images in them.

    Raises:
        UserError: The split is not packed, or its table is damaged.
    """
    if is_url(root):
        raise UserError(f"'{root}' is not on this machine: verify the shards where they were packed, or a copy.")
    folder = packed_folder(Path(root), split)
    table = open_table(folder)
    if table is None:
        raise UserError(
            f"Split '{split}' of '{root}' is not packed, or not completely: run `gesturehand data pack --root {root} "
            f"--split {split}`."
        )
    problems: list[Problem] = []
    damaged: set[int] = set()
    order = np.argsort(table.columns["shard"] * np.int64(1 << 32) + table.columns["start"])
    ends = np.searchsorted(table.columns["shard"][order], np.arange(len(table.shards) + 1))
    total = sum(shard["bytes"] for shard in table.shards)
    with tqdm(total=total, desc=f"{split} shards", unit="B", unit_scale=True, disable=not progress) as bar:
        for number, shard in enumerate(table.shards):
            rows = order[ends[number] : ends[number + 1]]
            problem, found = _verify_shard(table, number, rows, bar)
            damaged |= found
            problems += [Problem(problem, split, str(folder / shard["name"]))] if problem else []
    if damaged:
        index = read_index(root, split, mano_fits=False, set_format=set_format)
        names = {name.decode() for name in index.file_name if name_hash(name.decode()) in damaged}
        problems += [Problem("image damaged in its shard", split, name) for name in sorted(names)]
    return problems


def _verify_shard(table: ShardTable, number: int, rows: np.ndarray, bar: Any) -> tuple[str, set[int]]:
    """The problems of a shard, and the hashes of the names of its damaged images; rows are in the shard's order."""
    shard = table.shards[number]
    digest, damaged, at = sha256(), set(), 0
    try:
        with (table.folder / shard["name"]).open("rb") as file:
            for row in rows.tolist():
                place = table.place(row)
                digest.update(file.read(place.start - at))
                content = file.read(place.length)
                digest.update(content)
                if len(content) != place.length or zlib.crc32(content) != place.crc32:
                    damaged.add(int(table.columns["name_hash"][row]))
                bar.update(place.start + place.length - at)
                at = place.start + place.length
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                bar.update(len(block))
    except FileNotFoundError:
        return "shard missing", set()
    except OSError as error:
        return f"shard cannot be read ({error.strerror})", set()
    return ("shard damaged" if digest.hexdigest() != shard["sha256"] else ""), damaged
