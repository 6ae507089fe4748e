"""One sample: read the image, crop it, change its colours; everything else of the batch is looked up."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from gesturehand.batch import Batch
from gesturehand.data.appearance import AppearanceJitter
from gesturehand.data.crop import CropJitter, crop_affine
from gesturehand.data.files import image_path
from gesturehand.data.index import HAND_TYPES, InterHandIndex
from gesturehand.data.selection import Selection
from gesturehand.errors import UserError
from gesturehand.gestures import GestureClasses, class_of_hand
from gesturehand.skeleton import SIDES


class SampleKey(NamedTuple):
    """What a sampler asks a data set for.

    Attributes:
        sample: The sample's number.
        epoch: Augmentation is a function of (seed, epoch, sample).
        counted: False for a sample that only fills up a process's share.
    """

    sample: int
    epoch: int = 0
    counted: bool = True


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training sample; see the parts."""

    crop: CropJitter
    appearance: AppearanceJitter


class InterHandDataset(Dataset[Batch]):
    """Samples of one split as :class:`gesturehand.batch.Batch` without the batch axis.

    Args:
        index: The split.
        selection: Its samples.
        boxes: (M, 3) centre and side of each sample's crop, px.
        image_size: Side of the crop, px.
        mirror_left: Show left hands as right ones (one-hand samples only).
        gesture_classes: Whether the two hands share gesture classes.
        augmentation: Random changes, or None.
        seed: Of the augmentation.
        read_images: Read images; without, they are black, for what needs annotations only.
        image_of: (M,) int64, the sample whose image each sample shows, for the control with shuffled images; None: its
            own.
    """

    def __init__(
        self,
        index: InterHandIndex,
        selection: Selection,
        boxes: np.ndarray,
        *,
        image_size: int = 256,
        mirror_left: bool = True,
        gesture_classes: GestureClasses = "shared",
        augmentation: Augmentation | None = None,
        seed: int = 0,
        read_images: bool = True,
        image_of: np.ndarray | None = None,
    ) -> None:
        self.index = index
        self.selection = selection
        self.boxes = boxes
        self.image_size = image_size
        self.mirror_left = mirror_left and selection.hand.shape[1] == 1
        self.gesture_classes = gesture_classes
        self.augmentation = augmentation
        self.seed = seed
        self.read_images = read_images
        self.image_of = image_of

    def __len__(self) -> int:
        return len(self.selection)

    def __getitem__(self, key: SampleKey | int) -> Batch:
        """One sample; its image is read from disk.

        Raises:
            UserError: The image is missing or unreadable.
        """
        number, epoch, counted = key if isinstance(key, SampleKey) else SampleKey(key)
        index, row, hand = self.index, self.selection.row[number], self.selection.hand[number]
        frame, camera = index.frame[row], index.camera[row]

        mirrored = bool(self.mirror_left and hand[0] == 1)
        box, angle, flip = self.boxes[number], 0.0, False
        generator = np.random.default_rng((self.seed, epoch, number))
        if self.augmentation is not None:
            box, angle, flip = self.augmentation.crop.draw(box, generator)
            mirrored ^= flip
        if len(hand) == 2 and mirrored:
            hand = hand[::-1]  # the mirrored left hand fills the right hand's slot
        affine = crop_affine(box, self.image_size, angle=angle, mirror=mirrored)
        image = self._image(number, affine)
        if self.augmentation is not None and self.read_images:
            image = self.augmentation.appearance(image, int(generator.integers(2**31)))

        present = (index.hand_type[row] & np.array([1, 2])[hand]) > 0
        coarse, fine = self._gesture(row, flip)
        return Batch(
            image=torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
            annotation_id=torch.tensor(index.annotation_id[row]),
            counted=torch.tensor(counted),
            crop_affine=torch.from_numpy(affine.astype(np.float32)),
            intrinsics=torch.from_numpy(index.intrinsics[camera]),
            camera_rotation=torch.from_numpy(index.camera_rotation[camera]),
            camera_translation=torch.from_numpy(index.camera_translation[camera]),
            is_right=torch.from_numpy((hand == 0) != mirrored),
            hand_present=torch.from_numpy(present),
            interacting=torch.tensor(bool(index.hand_type[row] == HAND_TYPES["interacting"])),
            depth_known=torch.tensor(bool(index.depth_known[frame])),
            joints_world=torch.from_numpy(index.joints_world[frame, hand]),
            joint_valid_image=torch.from_numpy(index.joint_valid_image[row, hand] & present[:, None]),
            joint_valid_frame=torch.from_numpy(index.joint_valid_frame[frame, hand] & present[:, None]),
            mano_valid=torch.from_numpy(index.mano_valid[frame, hand] & present),
            mano_pose=torch.from_numpy(index.mano_pose[frame, hand]),
            mano_betas=torch.from_numpy(index.mano_betas[frame, hand]),
            mano_trans=torch.from_numpy(index.mano_trans[frame, hand]),
            gesture_coarse=torch.tensor(coarse),
            gesture_fine=torch.tensor(fine),
        )

    def image_file(self, number: int) -> Path:
        """Path of a sample's image."""
        row = self.selection.row[number]
        return image_path(self.index.root, self.index.split, self.index.file_name[row].decode())

    def _image(self, number: int, affine: np.ndarray) -> np.ndarray:
        """The crop, (S, S, 3) uint8 RGB."""
        size = (self.image_size, self.image_size)
        if not self.read_images:
            return np.zeros((*size, 3), np.uint8)
        if self.image_of is not None:
            # Another sample's image in this sample's place: its box is moved under this one's, jittered as this one's.
            own, number = self.boxes[number], int(self.image_of[number])
            move = np.eye(3)
            move[:2] = crop_affine(self.boxes[number], 1)
            back = np.linalg.inv(np.vstack([crop_affine(own, 1), [0, 0, 1]]))
            affine = affine @ back @ move
        image = self._read(number)
        return cv2.warpAffine(image, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    def _read(self, number: int) -> np.ndarray:
        path = self.image_file(number)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) if path.is_file() else None
        if image is None:
            state = "is not a readable image" if path.is_file() else "is missing"
            raise UserError(
                f"The image '{path}' {state}: complete the download of split '{self.index.split}', or give the images "
                "you have as a subset list."
            )
        return image

    def _gesture(self, row: int, flip: bool) -> tuple[int, int]:
        """The classes; per hand, a flipped right hand's are a left hand's, a canonically mirrored one's stay."""
        coarse, fine = (int(label) for label in self.index.gesture[row])
        side = SIDES[int(self.index.hand_type[row] == HAND_TYPES["left"]) ^ flip]
        return (
            class_of_hand(coarse, "coarse", side, self.gesture_classes),
            class_of_hand(fine, "fine", side, self.gesture_classes),
        )
