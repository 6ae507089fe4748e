"""Pictures of a dataset, to be looked at before training on it: whole frames side by side, and annotated crops."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from torch.utils.data import default_collate

from gesturehand.camera import normalised_to_px
from gesturehand.data.dataset import InterHandDataset
from gesturehand.data.image_file import read_image
from gesturehand.data.index import read_index
from gesturehand.draw.charts import save_panels
from gesturehand.draw.hands import draw_mesh, draw_skeleton
from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, class_names
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets

_GAP_PX = 6


def frame_sheet(
    root: str | Path,
    split: str,
    count: int,
    columns: int,
    height_px: int,
    set_format: str | None = None,
    gamma: float = 1.0,
) -> npt.NDArray[np.uint8]:
    """Pictures of a split in rows of one width; frames in portrait and landscape format keep their shapes.

    Args:
        root: a set's folder.
        split: the split.
        count: number of frames, drawn at random, always the same ones.
        columns: number of frames in a row.
        height_px: mean height of a row; rows with more portraits are higher.
        set_format: name of the set's format; None: it is recognised.
        gamma: above 1, dark pictures become brighter: a value v of 0 … 1 is shown as v ** (1 / gamma).

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        UserError: a number is not positive, the split has fewer frames, or an image is missing.
    """
    index = read_index(root, split, mano_fits=False, set_format=set_format)
    if min(count, columns, height_px) < 1 or count > len(index):
        raise UserError(f"count, columns and height_px must be at least 1, and count at most {len(index)}.")
    if not 0 < gamma < float("inf"):
        raise UserError(f"gamma is {gamma}: give a number above 0, for instance 1.8 for dark pictures.")
    tones = np.round(255 * (np.arange(256) / 255) ** (1 / gamma)).astype(np.uint8)
    chosen = np.random.default_rng(0).permutation(len(index))[:count]
    pictures = []
    for row in chosen:
        picture = read_image(index.image(int(row)), remedy="write or download the set again")
        pictures.append(tones[picture[..., ::-1]])
    rows = _even_rows(pictures, columns)
    width = round(float(np.mean([height_px * sum(map(_shape, row)) + len(row) * _GAP_PX for row in rows])))
    return np.concatenate([_justified(row, width) for row in rows], 0)


def save_annotations(path: Path, dataset: InterHandDataset, hand_model: HandModel, samples: int) -> int:
    """Saves crops with their annotated joints, or the box of a hand without joints, and the meshes of fits.

    Each is titled with its annotation and its gesture, or with its label if it has no gesture.

    Args:
        path: PNG to write.
        dataset: The dataset whose samples are drawn.
        hand_model: The hand model of the fits.
        samples: Number of samples, evenly spread over the dataset.

    Returns:
        The number of samples drawn.
    """
    numbers = np.unique(np.linspace(0, len(dataset) - 1, samples).round().astype(int))
    batch = default_collate([dataset[int(number)] for number in numbers])
    targets = build_targets(batch, hand_model)
    names = class_names("fine", dataset.gesture_classes)
    with_mesh = bool(targets["mano_valid"].any())
    rows, captions = [], []
    for sample in range(len(numbers)):
        crop = batch["image"][sample].permute(1, 2, 0).numpy()
        joints, mesh = crop, crop
        for hand in range(batch["is_right"].shape[1]):
            points = normalised_to_px(targets["joints_2d"][sample, hand].numpy(), dataset.image_size)
            valid = targets["joint_valid_2d"][sample, hand].numpy()
            joints = draw_skeleton(joints, points, valid)
            if not valid.any() and batch["hand_present"][sample, hand]:
                joints = _with_box(joints, dataset, int(numbers[sample]), batch["crop_affine"][sample].numpy())
            if targets["mano_valid"][sample, hand]:
                faces = hand_model.faces[int(not batch["is_right"][sample, hand])].numpy()
                vertices, intrinsics = targets["vertices"][sample, hand], targets["crop_intrinsics"][sample]
                mesh = draw_mesh(mesh, vertices.numpy(), faces, intrinsics.numpy())[0]
        rows.append([crop, joints, mesh] if with_mesh else [crop, joints])
        label = int(batch["gesture_fine"][sample])
        gesture = _own_label(dataset, int(numbers[sample])) if label == NO_GESTURE else names[label]
        captions.append(f"{int(batch['annotation_id'][sample])}: {gesture}")
    save_panels(
        path,
        rows,
        columns=("crop", "annotated joints", "MANO fit")[: len(rows[0])],
        captions=captions,
        samples_per_row=2 if with_mesh else 3,
        title=f"{dataset.index.address}, {dataset.index.split}",
    )
    return len(rows)


def _with_box(
    crop: npt.NDArray[np.uint8], dataset: InterHandDataset, number: int, affine: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """A crop with the annotated box of its sample."""
    x, y, width, height = dataset.index.bbox_px[dataset.selection.row[number]].tolist()
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    corners = corners @ affine[:, :2].T + affine[:, 2]
    return np.asarray(cv2.polylines(crop.copy(), [corners.round().astype(np.int32)], True, (255, 200, 0), 2), np.uint8)


def _own_label(dataset: InterHandDataset, number: int) -> str:
    """A sample's label in the words of its set."""
    index, row = dataset.index, dataset.selection.row[number]
    own = int(index.own_label[row, dataset.selection.hand[number, 0]])
    return "no label" if own == NO_GESTURE else ": ".join(filter(None, index.own_label_names[own]))


def _shape(picture: npt.NDArray[np.uint8]) -> float:
    """The ratio of width to height."""
    return picture.shape[1] / picture.shape[0]


def _even_rows(pictures: list[npt.NDArray[np.uint8]], columns: int) -> list[list[npt.NDArray[np.uint8]]]:
    """Rows of at most this many pictures, about equally wide at one height: the widest first, into the emptiest row."""
    rows: list[list[npt.NDArray[np.uint8]]] = [[] for _ in range(-(-len(pictures) // columns))]
    for picture in sorted(pictures, key=_shape, reverse=True):
        open_rows = [row for row in rows if len(row) < columns]
        min(open_rows, key=lambda row: sum(map(_shape, row))).append(picture)
    return rows


def _justified(row: list[npt.NDArray[np.uint8]], width: int) -> npt.NDArray[np.uint8]:
    """Pictures of one height side by side, with white around each, which together have a given width."""
    height = round((width - len(row) * _GAP_PX) / sum(map(_shape, row)))
    edges = np.round(np.cumsum([0, *(height * _shape(picture) + _GAP_PX for picture in row)])).astype(int)
    edges[-1] = width
    sheet = np.full((height + _GAP_PX, width, 3), 255, np.uint8)
    half = _GAP_PX // 2
    for picture, left, right in zip(row, edges[:-1] + half, edges[1:] - half, strict=True):
        sheet[half : half + height, left:right] = cv2.resize(
            picture, (int(right - left), height), interpolation=cv2.INTER_AREA
        )
    return sheet
