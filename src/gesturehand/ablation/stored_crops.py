"""Decoded crops in one file for each split, so that many short trainings do not decode the same images again.

A stored crop has a margin that jittered crops fit into. It is accurate to half a pixel of the network's crop, since it
is resampled once more than a crop from the image.
"""

from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from tqdm import tqdm

from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import InterHandDataset
from gesturehand.file_writing import durable_file

#: Side of a stored crop relative to the sample's box and to the network's crop; it leaves room for rotation and scale.
_MARGIN: Final = 1.5


def store_crops(root: str, split: str, folder: Path, image_size: int, *, progress: bool = True) -> None:
    """Writes ``{split}.npy`` (images) and ``{split}.npz`` (annotation ids, px of the image → px of the crop)."""
    if (folder / f"{split}.npz").is_file():
        return
    data = InterHandDataModule(
        root, hands="all", layout="two_hand", mirror_left=False, train_split=split, augment=False
    )
    whole = data.dataset("train")
    size = round(image_size * _MARGIN)
    dataset = InterHandDataset(
        whole.index,
        whole.selection,
        whole.boxes[np.arange(len(whole))] * [1, 1, _MARGIN],
        image_size=size,
        mirror_left=False,
    )
    affine = np.zeros((len(dataset), 2, 3))
    numbers = tqdm(range(len(dataset)), desc=f"crops of {split}", unit="image", disable=not progress)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(dataset), size, size, 3)}
    # Not written through a memory map: on a full disk, that would end the process.
    with durable_file(folder / f"{split}.npy") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for number in numbers:
            sample = dataset[number]
            file.write(sample["image"].permute(1, 2, 0).numpy().tobytes())
            affine[number] = sample["crop_affine"].numpy()
    ids = whole.index.annotation_id[whole.selection.row]
    # The small file comes last: it shows that the large one is complete.
    with durable_file(folder / f"{split}.npz") as file:
        np.savez(file, ids=ids, affine=affine)


class StoredCropDataset(InterHandDataset):
    """A dataset whose images come from stored crops; every sample shows all hands of its annotation.

    Args:
        folder: The folder that :func:`store_crops` has written.
        *arguments: Arguments of :class:`~gesturehand.data.dataset.InterHandDataset`.
        **settings: Likewise.
    """

    def __init__(self, folder: Path, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        split = self.index.split
        self.images = np.load(folder / f"{split}.npy", mmap_mode="r")
        with np.load(folder / f"{split}.npz") as stored:
            order = np.argsort(stored["ids"])
            wanted = self.index.annotation_id[self.selection.row]
            self.place = order[np.searchsorted(stored["ids"], wanted, sorter=order)]
            bottom = np.tile([0.0, 0.0, 1.0], (len(order), 1, 1))
            self.to_image = np.linalg.inv(np.concatenate([stored["affine"], bottom], 1))

    def _crops(
        self, numbers: np.ndarray, affines: np.ndarray, generators: list[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        size = self.image_size
        images = np.empty((len(numbers), size, size, 3), np.uint8)
        for row, (place, affine) in enumerate(zip(self.place[numbers], affines, strict=True)):
            image = cv2.warpAffine(self.images[place], affine @ self.to_image[place], (size, size))
            if self.augmentation is None:
                images[row] = image
            else:
                self.augmentation.appearance(image, generators[row], images[row])
        return images, np.ones(len(numbers), bool)


class StoredCropDataModule(InterHandDataModule):
    """InterHand data whose images come from stored crops.

    Args:
        crops: Folder of :func:`store_crops`.
        **settings: The data's.
    """

    def __init__(self, crops: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self.dataset_class = partial(StoredCropDataset, crops)
