"""Decoded crops in one file for each split, so that many short trainings do not decode the same images again.

A stored crop has a margin that jittered crops fit into. It is accurate to half a pixel of the network's crop, as it is
resampled once more than from the image.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from gesturehand.batch import Batch
from gesturehand.data.datamodule import InterHandDataModule, Stage
from gesturehand.data.dataset import InterHandDataset, SampleKey
from gesturehand.file_writing import durable_file

#: Side of a stored crop relative to the sample's box and to the network's crop: room for rotation and scale.
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
    # Not through a memory map: on a full disk, writing to one ends the process.
    with durable_file(folder / f"{split}.npy") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for number in numbers:
            sample = dataset[number]
            file.write(sample["image"].permute(1, 2, 0).numpy().tobytes())
            affine[number] = sample["crop_affine"].numpy()
    ids = whole.index.annotation_id[whole.selection.row]
    # The small file comes last: it says that the large one is there.
    with durable_file(folder / f"{split}.npz") as file:
        np.savez(file, ids=ids, affine=affine)


class StoredCropDataset(Dataset[Batch]):
    """A data set whose images come from stored crops.

    Args:
        dataset: Without images; every sample shows all hands of its annotation.
        folder: The folder that :func:`store_crops` has written.
    """

    def __init__(self, dataset: InterHandDataset, folder: Path) -> None:
        self.dataset = dataset
        split = dataset.index.split
        self.images = np.load(folder / f"{split}.npy", mmap_mode="r")
        with np.load(folder / f"{split}.npz") as stored:
            order = np.argsort(stored["ids"])
            wanted = dataset.index.annotation_id[dataset.selection.row]
            self.place = order[np.searchsorted(stored["ids"], wanted, sorter=order)]
            bottom = np.tile([0.0, 0.0, 1.0], (len(order), 1, 1))
            self.to_image = np.linalg.inv(np.concatenate([stored["affine"], bottom], 1))

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: SampleKey | int) -> Batch:
        """One sample."""
        batch: dict[str, Tensor] = dict(self.__getitems__([key]))  # type: ignore[arg-type]
        return Batch(**{name: value[0] for name, value in batch.items()})  # type: ignore[typeddict-item]

    def __getitems__(self, keys: Sequence[SampleKey | int]) -> Batch:
        """Several samples as one batch."""
        batch = self.dataset.__getitems__(keys)
        affines = batch["crop_affine"].double().numpy()
        size, augmentation = self.dataset.image_size, self.dataset.augmentation
        images = np.empty((len(keys), size, size, 3), np.uint8)
        for number, (key, affine) in enumerate(zip(keys, affines, strict=True)):
            sample, epoch, _ = key if isinstance(key, SampleKey) else SampleKey(int(key))
            place = self.place[sample]
            image = cv2.warpAffine(self.images[place], affine @ self.to_image[place], (size, size))
            if augmentation is None:
                images[number] = image
            else:
                generator = np.random.default_rng((self.dataset.seed, epoch, sample, 1))
                augmentation.appearance(image, generator, images[number])
        batch["image"] = torch.from_numpy(images).permute(0, 3, 1, 2)
        return batch


class StoredCropDataModule(InterHandDataModule):
    """InterHand data whose images come from stored crops.

    Args:
        crops: Folder of :func:`store_crops`.
        **settings: The data's.
    """

    def __init__(self, crops: Path, **settings: Any) -> None:
        super().__init__(**settings, read_images=False)
        self.crops = crops
        self._stored: dict[Stage, StoredCropDataset] = {}

    def dataset(self, stage: Stage) -> StoredCropDataset:  # type: ignore[override]
        """The data set of one stage."""
        if stage not in self._stored:
            self._stored[stage] = StoredCropDataset(super().dataset(stage), self.crops)
        return self._stored[stage]
