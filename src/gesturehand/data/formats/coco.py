"""Sets of COCO-style key points: COCO-WholeBody's hands, and the single-hand files that mmpose trains on.

Facts and their sources: docs/datasets.md.
"""

import mmap
import re
import warnings
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from tqdm import tqdm

from gesturehand.data.coco_file import CocoAnnotation, CocoHand, CocoImage, CocoJoints, CocoParts, Identity
from gesturehand.data.files import mapped
from gesturehand.data.formats.set_format import SetFormat, Sources, set_columns, state_of
from gesturehand.data.index_build import HAND_TYPES, Columns
from gesturehand.data.plausibility import OTHER_ORDERS, better_order, places_of
from gesturehand.errors import UserError
from gesturehand.skeleton import NUM_JOINTS, SIDES, Side
from gesturehand.splits import SPLITS

#: COCO's own files, which lie beside COCO-WholeBody's; they hold no hands and are long.
_NO_HANDS: Final = (
    *("instances_", "captions_", "person_keypoints_", "stuff_", "image_info_"),
    *("panoptic_train2017", "panoptic_val2017"),
)
#: The keys of a file of hands; the key points of a single hand have names, or there are 21 of them.
_SIGNS: Final = (b'"lefthand_kpts"', b'"keypoints"')
_HEAD_BYTES: Final = 4096
#: A set whose joints run from the tips to the palm, although its file names them in another order.
_TIPS_FIRST: Final = "an order from the tips to the palm"
_TIPS_FIRST_SETS: Final = ("rhd",)
#: This many hands without depth show the order of their joints, and this many are enough.
_HANDS_FOR_ORDER: Final = 20
_HANDS_LOOKED_AT: Final = 2000
#: Sets of right hands only, and the set whose images' names end in the side.
_RIGHT_SETS: Final = ("freihand",)
_NAMED_SIDES: Final = "panoptic"
_SIDE_AT_END: Final = re.compile(r"_([lr])\.\w+$")
#: The unit of ``joint_cam``.
_MM_PER_M: Final = 1000.0
#: The depth to which folders below the root are searched for images, and their largest number.
_FOLDER_DEPTH: Final = 3
_MOST_FOLDERS: Final = 500
#: How many images are looked for to find the folder of all: a download may lack some.
_PROBES: Final = 20

#: Placeholders for the joints of a hand without 3D joints, and for the box of a hand without one.
_NOWHERE: Final = (np.nan,) * (3 * NUM_JOINTS)
_NO_BOX: Final = (np.nan,) * 4

Entry = TypeVar("Entry")


class _Image(NamedTuple):
    """An image's row: its name, its size, and its camera (fx, fy, cx, cy), or None."""

    name: str
    size: tuple[float, float]
    camera: tuple[float, float, float, float] | None


class CocoFormat(SetFormat):
    """JSON files in COCO's layout, in the root or its ``annotations/``; a file's split is in its name.

    Every hand is a separate annotation in a separate frame. Joints without depth lie on the plane one metre ahead and
    project to their pixels. Images lie under the root, in whichever folder has them.
    """

    name = "coco"
    title = "COCO-style key points"
    sign = "a .json file of images, annotations and key points of hands"

    def recognises(self, root: Path) -> bool:
        return bool(_files(root))

    def check_root(self, root: Path) -> None:
        if not root.is_dir():
            raise UserError(
                f"The data folder '{root}' does not exist: pass the folder that holds the COCO-style .json."
            )
        if not _files(root):
            raise UserError(
                f"'{root}' and its annotations/ hold no COCO-style .json with key points of hands: pass the folder "
                "that holds it, or download the annotations."
            )

    def splits(self, root: Path) -> list[str]:
        return list(_split_files(root))

    def sources(self, root: Path, split: str, *, mano_fits: bool) -> Sources:
        path = _file_of(root, split)
        names = "\n".join(str(folder.relative_to(root)) for folder in _folders(root))
        # New folders may be those of the images.
        return {path.name: state_of([path]), "folders": [int.from_bytes(sha256(names.encode()).digest()[:7])]}

    def build(self, root: Path, split: str, *, mano_fits: bool = True, progress: bool = True) -> Columns:
        path = _file_of(root, split)
        with mapped(path, "data") as content:
            parts = _decoded(path, content, CocoParts)
            images = dict(_images(path, parts.images))
            hands = _Hands(path, parts, images)
            for number, raw in enumerate(_bar(path, parts.annotations, progress)):
                hands.add(number, _decoded(path, raw, CocoAnnotation, f".annotations[{number}]"))
        return hands.columns(root)


class _Hands:
    """The hands of a file, collected one by one in compact arrays."""

    def __init__(self, path: Path, parts: CocoParts, images: Mapping[Identity, _Image]) -> None:
        self._path = path
        self._images = images
        self._said = str(parts.info.get("description", "")).lower() if isinstance(parts.info, dict) else ""
        self._joints = CocoJoints(parts.categories or [])
        self._of: list[_Image] = []
        self._sides = array("B")
        self._pixels, self._space, self._boxes = array("f"), array("f"), array("f")
        self._without_side = 0

    def add(self, number: int, annotation: CocoAnnotation) -> None:
        where = f"Annotation {number if annotation.id is None else annotation.id} of '{self._path}'"
        image = self._images.get(annotation.image_id)
        if image is None:
            raise UserError(f"{where} is of the image {annotation.image_id!r}, which is not listed: download it again.")
        try:
            for hand in self._joints.hands(annotation):
                self._add(hand, image)
        except ValueError as error:
            raise UserError(f"{where} {error}: give the file of a set of hands, or convert it.") from None

    def _add(self, hand: CocoHand, image: _Image) -> None:
        side = hand.side or self._side_of(image.name)
        self._without_side += side is None
        self._of.append(image)
        self._sides.append(HAND_TYPES[side or "right"])
        self._pixels.extend(hand.joints.ravel().tolist())
        space = hand.joints_cam if hand.joints_cam is not None and image.camera is not None else None
        self._space.extend(_NOWHERE if space is None else space.ravel().tolist())
        self._boxes.extend(hand.box or _NO_BOX)

    def _side_of(self, name: str) -> Side | None:
        if any(known in self._said for known in _RIGHT_SETS):
            return "right"
        end = _SIDE_AT_END.search(name) if _NAMED_SIDES in self._said else None
        return None if end is None else "left" if end[1] == "l" else "right"

    def columns(self, root: Path) -> Columns:
        count = len(self._of)
        if not count:
            raise UserError(f"'{self._path}' has no hand with a labelled joint: give the file of a set of hands.")
        if self._without_side:
            warnings.warn(
                f"'{self._path}' does not say of {self._without_side} of {count} hands whether they are right or left: "
                "they are taken as right ones, so use them for 2D terms only.",
                stacklevel=2,
            )
        pixels = np.array(self._pixels, np.float64).reshape(count, NUM_JOINTS, 2)
        space = np.array(self._space, np.float64).reshape(count, NUM_JOINTS, 3) / _MM_PER_M
        order = _order(self._said, pixels, space)
        pixels, space = pixels[:, order], space[:, order]
        boxes = np.array(self._boxes, np.float64).reshape(count, 4)
        sizes = np.array([image.size for image in self._of])
        from gesturehand.camera import rays_of  # imports PyTorch, which a command that reads an index can start without

        intrinsics, camera = _cameras(self._of)
        shown: np.ndarray = np.asarray(np.isfinite(pixels).all(-1))
        deep: np.ndarray = np.asarray(np.isfinite(space).any((1, 2)))
        flat = rays_of(np.where(shown[..., None], pixels, 0.0), intrinsics[camera])
        joints = np.zeros((count, len(SIDES), NUM_JOINTS, 3))
        valid = np.zeros((count, len(SIDES), NUM_JOINTS), bool)
        rows, side = np.arange(count), np.array(self._sides) - 1
        joints[rows, side] = np.where(deep[:, None, None], np.nan_to_num(space), flat)
        valid[rows, side] = np.where(deep[:, None], np.isfinite(space).all(-1), shown)
        in_image = np.zeros_like(valid)
        in_image[rows, side] = shown
        prefix = _prefix(root, [image.name for image in self._of])
        return set_columns(
            file_name=[f"{prefix}{image.name}" for image in self._of],
            image_size_px=sizes,
            bbox_px=np.where(np.isnan(boxes), _boxes_of(pixels), boxes),
            hand_type=np.array(self._sides),
            frame=rows,
            camera=camera,
            joints_world=joints,
            joint_valid=valid,
            joint_valid_image=in_image,
            intrinsics=intrinsics,
            depth_known=deep,
        )


def _boxes_of(pixels: np.ndarray) -> np.ndarray:
    """(N, 4) x, y, width, height px around labelled joints (N, 21, 2)."""
    low, high = np.nanmin(pixels, axis=1), np.nanmax(pixels, axis=1)
    return np.concatenate([low, np.maximum(high - low, 1.0)], 1)


def _order(said: str, pixels: np.ndarray, space: np.ndarray) -> Sequence[int]:
    """The place of each joint in the file: RHD's joints run from the tips to the palm."""
    deep: np.ndarray = np.asarray(np.isfinite(space).any((1, 2)))
    told = space[deep] if deep.any() else pixels
    if not deep.any() and len(pixels) < _HANDS_FOR_ORDER:
        tips_first = any(word in _TIPS_FIRST_SETS for word in said.split())
    else:
        told = told[:: max(1, len(told) // _HANDS_LOOKED_AT)]
        tips_first = better_order(told, np.isfinite(told).all(-1)) == _TIPS_FIRST
    return places_of(OTHER_ORDERS[_TIPS_FIRST]) if tips_first else range(NUM_JOINTS)


def _cameras(images: Sequence[_Image]) -> tuple[np.ndarray, np.ndarray]:
    """(C, 3, 3) intrinsics, px, and each image's row of them.

    Without a camera, the focal length is the image's longer side and the principal point its centre, as for images that
    ``data import`` imports without a camera.
    """
    assumed = ((max(image.size), max(image.size), image.size[0] / 2, image.size[1] / 2) for image in images)
    given = np.array([image.camera or guess for image, guess in zip(images, assumed, strict=True)])
    numbers, row = np.unique(given, axis=0, return_inverse=True)
    intrinsics = np.tile(np.eye(3), (len(numbers), 1, 1))
    intrinsics[:, 0, 0], intrinsics[:, 1, 1], intrinsics[:, :2, 2] = numbers[:, 0], numbers[:, 1], numbers[:, 2:]
    return intrinsics, row.reshape(-1)


def _images(path: Path, raw: msgspec.Raw) -> Iterator[tuple[Identity, _Image]]:
    for number, entry in enumerate(_decoded(path, raw, list[msgspec.Raw], ".images")):
        image = _decoded(path, entry, CocoImage, f".images[{number}]")
        if not image.width or not image.height:
            raise UserError(f"'{path}' lists '{image.file_name}' without width and height: download it again.")
        given = image.cam_param
        camera = None if given is None else (*given.focal, *given.princpt)
        yield image.id, _Image(image.file_name, (image.width, image.height), camera)


def _bar(path: Path, raw: msgspec.Raw, progress: bool) -> Iterator[msgspec.Raw]:
    entries = _decoded(path, raw, list[msgspec.Raw], ".annotations")
    return iter(tqdm(entries, desc=f"index: {path.stem}", disable=not progress or len(entries) < 50_000))


def _decoded(path: Path, content: Any, kind: type[Entry], place: str = "") -> Entry:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        text = str(error).replace("`$", f"`${place}", 1)
        raise UserError(f"'{path}' does not fit COCO's layout ({text}): download it again.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid JSON ({error}): download it again.") from None
    except RecursionError:
        raise UserError(f"'{path}' is nested too deeply: download it again.") from None


def _files(root: Path) -> list[Path]:
    """The files of hands, by name."""
    places = [*root.glob("*.json"), *root.glob("annotations/*.json")]
    return [path for path in sorted(places, key=lambda path: path.name) if _is_file_of_hands(path)]


def _is_file_of_hands(path: Path) -> bool:
    if path.name.startswith(_NO_HANDS):
        return False
    try:
        state = path.stat()
    except OSError:
        return False
    return _holds_hands(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _holds_hands(path: str, size: int, changed_ns: int) -> bool:
    """Whether it is an object with images and key points of hands; files that have not changed are not read again."""
    try:
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if not content[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                return False
            # A broken or foreign file with these keys counts as this format's, whose error then says what is wrong.
            return content.find(b'"annotations"') >= 0 and any(content.find(sign) >= 0 for sign in _SIGNS)
    except (OSError, ValueError):
        return False


def _split_files(root: Path) -> dict[str, Path]:
    """The files by split: the word in their name, or the whole name where several have the same word or none."""
    by_word: dict[str, list[Path]] = defaultdict(list)
    for path in _files(root):
        words = [word for word in re.split(r"[^a-z]+", path.stem.lower()) if word in SPLITS]
        by_word[words[0] if len(words) == 1 else path.stem].append(path)
    named: dict[str, Path] = {}
    for word, paths in by_word.items():
        named |= {word: paths[0]} if len(paths) == 1 else {path.stem: path for path in paths}
    return dict(
        sorted(named.items(), key=lambda item: (SPLITS.index(item[0]) if item[0] in SPLITS else len(SPLITS), item))
    )


def _file_of(root: Path, split: str) -> Path:
    files = _split_files(root)
    if split not in files:
        raise UserError(
            f"'{root}' has no split '{split}' of COCO-style key points: there are {', '.join(files) or 'none'}."
        )
    return files[split]


def _folders(root: Path) -> list[Path]:
    """The root and folders below it, nearest first; hidden ones and annotations are left out."""
    found, level = [root], [root]
    for _ in range(_FOLDER_DEPTH):
        below = [path for folder in level for path in sorted(folder.iterdir()) if path.is_dir()]
        level = [path for path in below if not path.name.startswith(".") and path.name != "annotations"]
        found += level
        if len(found) > _MOST_FOLDERS:
            break
    return found[:_MOST_FOLDERS]


def _prefix(root: Path, names: Sequence[str]) -> str:
    """The folder, relative to the root and with a slash, that holds the images of these names; '' if none does."""
    probes = names[:: max(1, len(names) // _PROBES)]
    for folder in _folders(root):
        if any((folder / name).is_file() for name in probes):
            return "" if folder == root else f"{folder.relative_to(root)}/"
    return ""
