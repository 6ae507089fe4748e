"""One sample: its image is read, cropped and recoloured; everything else in the batch is looked up."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from gesturehand.batch import Batch
from gesturehand.data.appearance import AppearanceJitter
from gesturehand.data.boxes import CropBoxes, image_joints
from gesturehand.data.crop import CropJitter, TurnJitter, crop_affine, upright_turns
from gesturehand.data.image_file import Unreadable, UnreadableImageError, read_image
from gesturehand.data.index import HAND_TYPES, InterHandIndex
from gesturehand.data.selection import Selection
from gesturehand.data.set_images import ImageSource
from gesturehand.gestures import NO_GESTURE, GestureClasses, vocabulary
from gesturehand.hand.conventions import DefinitionName, definition_number
from gesturehand.skeleton import SIDES


class SampleKey(NamedTuple):
    """The key by which a sampler requests a sample from a dataset.

    Attributes:
        sample: The sample's number.
        epoch: Augmentation is a function of (seed, epoch, sample).
        counted: False for a sample that merely pads a process's share.
    """

    sample: int
    epoch: int = 0
    counted: bool = True


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training sample; see the parts. ``turn`` is for upright crops only."""

    crop: CropJitter
    appearance: AppearanceJitter
    turn: TurnJitter = field(default_factory=TurnJitter)


class InterHandDataset(Dataset[Batch]):
    """Samples of one split as :class:`gesturehand.batch.Batch` without the batch axis.

    Args:
        index: The split.
        selection: Its samples.
        boxes: (M, 3) centre and side of each sample's crop, px; an array, or an object that computes them.
        image_size: Side of the crop, px.
        mirror_left: Show left hands as right ones (one-hand samples only).
        upright: Rotate crops so that the line from wrist to middle knuckle points up (one-hand samples only).
        gesture_classes: Whether the two hands share gesture classes.
        augmentation: Random changes, or None.
        seed: Seed of the augmentation.
        read_images: Read images; otherwise they are black, for uses that need annotations only.
        image_of: (M,) int64, the sample whose image each sample shows, for the control with shuffled images; None: its
            own.
        label_of: (M,) int64, the sample whose gesture label each sample has, for the control with shuffled labels.
        own_labels: Vocabulary of the batch's ``own_label``: pairs of a set of labels and a label.
        joints: Use joints and MANO fits; otherwise they are masked.
        gesture_labels: Use gestures and own labels; otherwise there are none.
        joint_definition: How the joints are defined, if not as the set's format says.
        kept_fits: (F,) bool, the captured frames whose MANO fits are shown; None: all.
        unreadable: What to do with a sample whose image cannot be read: ``error``, or ``skip``, which leaves it in the
            batch as a black image with ``counted`` False.
    """

    def __init__(
        self,
        index: InterHandIndex,
        selection: Selection,
        boxes: np.ndarray | CropBoxes,
        *,
        image_size: int = 256,
        mirror_left: bool = True,
        upright: bool = False,
        gesture_classes: GestureClasses = "shared",
        augmentation: Augmentation | None = None,
        seed: int = 0,
        read_images: bool = True,
        image_of: np.ndarray | None = None,
        label_of: np.ndarray | None = None,
        own_labels: Sequence[tuple[str, str]] = (),
        joints: bool = True,
        gesture_labels: bool = True,
        joint_definition: DefinitionName | None = None,
        kept_fits: np.ndarray | None = None,
        unreadable: Unreadable = "error",
    ) -> None:
        self.index = index
        self.selection = selection
        self.boxes = boxes
        self.image_size = image_size
        self.mirror_left = mirror_left and selection.hand.shape[1] == 1
        self.upright = upright and selection.hand.shape[1] == 1
        self.gesture_classes = gesture_classes
        self.augmentation = augmentation
        self.seed = seed
        self.read_images = read_images
        self.image_of = image_of
        self.label_of = label_of
        self.joints = joints
        self.gesture_labels = gesture_labels
        self.joint_definition = definition_number(joint_definition or index.set_format.joints)
        self.kept_fits = kept_fits
        self.unreadable = unreadable
        number = {pair: number for number, pair in enumerate(own_labels)}
        # By the index's number of a label; its -1 for none takes the last entry.
        self._own_classes = np.array([*(number.get(pair, NO_GESTURE) for pair in index.own_label_names), NO_GESTURE])
        slots = selection.hand.shape[1]
        # (N,) bool by row of the index: both hands are shown, as one sample or as two.
        self._both_shown = np.bincount(selection.row, minlength=len(index)) * slots == len(SIDES)

    def __len__(self) -> int:
        return len(self.selection)

    def __getitem__(self, key: SampleKey | int) -> Batch:
        """One sample; its image is read from disk.

        Raises:
            UserError: The image is missing, unreadable or not of the annotated size.
        """
        batch: dict[str, Tensor] = dict(self.__getitems__([key]))  # type: ignore[arg-type]
        return Batch(**{name: value[0] for name, value in batch.items()})  # type: ignore[typeddict-item]

    def __getitems__(self, keys: Sequence[SampleKey | int]) -> Batch:
        """Several samples as one batch (:func:`collate` returns it unchanged), with a single look-up for all of them.

        Raises:
            UserError: An image is missing, unreadable or not of the annotated size.
        """
        given = [key if isinstance(key, SampleKey) else SampleKey(int(key)) for key in keys]
        number = np.array([key.sample for key in given])
        index, row, hand = self.index, self.selection.row[number], self.selection.hand[number].astype(np.int64)
        frame, camera = index.frame[row], index.camera[row]
        mirrored = (hand[:, 0] == 1) & self.mirror_left
        affine, flip, generators = self._maps(given, mirrored)
        image, readable = self._crops(number, affine, generators)
        mirrored ^= flip
        if hand.shape[1] == 2:
            hand = np.where(mirrored[:, None], hand[:, ::-1], hand)  # the mirrored left hand fills the right one's slot

        hand_type = index.hand_type[row]
        present = (hand_type[:, None] & np.array([1, 2])[hand]) > 0
        shown, of_row, of_frame = present[..., None], (row[:, None], hand), (frame[:, None], hand)
        labelled = number if self.label_of is None else self.label_of[number]
        coarse, fine = self._gesture(self.selection.row[labelled], flip)
        known_fit = index.mano_valid[frame]
        if self.kept_fits is not None:
            known_fit = known_fit & self.kept_fits[frame][:, None]
        if not self.joints:
            known_fit, shown = np.zeros_like(known_fit), np.zeros_like(shown)
        fitted = np.take_along_axis(known_fit, hand, 1) & present
        interacting = hand_type == HAND_TYPES["interacting"]
        pair_fitted = interacting & self._both_shown[row] & known_fit.all(-1)
        arrays = {
            "annotation_id": index.annotation_id[row],
            "counted": np.array([key.counted for key in given]) & readable,
            "crop_affine": affine.astype(np.float32),
            "intrinsics": index.intrinsics[camera],
            "camera_rotation": index.camera_rotation[camera],
            "camera_translation": index.camera_translation[camera],
            "is_right": (hand == 0) != mirrored[:, None],
            "hand_present": present,
            "interacting": interacting,
            "pair_fitted": pair_fitted,
            "depth_known": index.depth_known[frame],
            "joints_world": index.joints_world[of_frame],
            "joint_valid_image": index.joint_valid_image[of_row] & shown,
            "joint_valid_frame": index.joint_valid_frame[of_frame] & shown,
            "mano_valid": fitted,
            "mano_pose": index.mano_pose[of_frame],
            "mano_betas": index.mano_betas[of_frame],
            "mano_trans": index.mano_trans[of_frame],
            "pose_form": np.full(len(given), index.set_format.pose_form.value),
            "joint_definition": np.full(len(given), self.joint_definition),
            "set_number": np.zeros(len(given), np.int64),
            "gesture_coarse": coarse,
            "gesture_fine": fine,
            "own_label": self._own_label(labelled),
        }
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        # Pixels stay in the order in which they were read: in memory the channels come last, as the encoder wants them.
        return Batch(image=torch.from_numpy(image).permute(0, 3, 1, 2), **tensors)  # type: ignore[typeddict-item]

    def _maps(
        self, keys: Sequence[SampleKey], mirrored: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, list[np.random.Generator]]:
        """Each sample's map (B, 2, 3) float64, (B,) bool whether it was flipped, and its colours' generator."""
        generators = []
        if self.augmentation is not None:
            generators = [np.random.default_rng((self.seed, key.epoch, key.sample)) for key in keys]
        boxes, turns = self._places(np.array([key.sample for key in keys]), generators)
        affines, flips = np.empty((len(keys), 2, 3)), np.zeros(len(keys), bool)
        for place, (box, turn) in enumerate(zip(boxes, turns.tolist(), strict=True)):
            angle = 0.0
            if self.augmentation is not None:
                box, angle, flips[place] = self.augmentation.crop.draw(box, generators[place])
            mirror = bool(mirrored[place] ^ flips[place])
            affines[place] = crop_affine(box, self.image_size, angle=turn + angle, mirror=mirror)
        return affines, flips, generators

    def _places(
        self, numbers: np.ndarray, generators: Sequence[np.random.Generator] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples' boxes (m, 3) and turns (m,), radians; with generators, the turns deviate from upright."""
        if not self.upright:
            return self.boxes[numbers], np.zeros(len(numbers))
        points, valid = image_joints(self.index, self.selection.part(numbers))
        turns = upright_turns(points[:, 0], valid[:, 0])
        if self.augmentation is not None and generators:
            turns = turns + [self.augmentation.turn.draw(generator) for generator in generators]
        boxes = self.boxes.turned(numbers, turns) if isinstance(self.boxes, CropBoxes) else self.boxes[numbers]
        return boxes, turns

    def _crops(
        self, numbers: np.ndarray, affines: np.ndarray, generators: list[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The samples' crops (B, S, S, 3) uint8 RGB, and (B,) bool whether their images were read."""
        images = np.empty((len(numbers), self.image_size, self.image_size, 3), np.uint8)
        readable = np.ones(len(numbers), bool)
        if not self.read_images:
            images[:] = 0
            return images, readable
        if self.image_of is not None:
            affines = np.stack([self._map_of_other(*pair) for pair in zip(numbers.tolist(), affines, strict=True)])
            numbers = self.image_of[numbers]
        rows = self.selection.row[numbers]
        files = self.index.images.of_all([self.index.file_name[row].decode() for row in rows.tolist()])
        sizes = self.index.image_size_px[rows].tolist()
        # Pixels have their own loop, because other work between two images would evict the code from the processor's
        # cache. Colours are written to the batch from a buffer that stays in the cache.
        unchanged = np.empty_like(images[0])
        for place, (file, size) in enumerate(zip(files, sizes, strict=True)):
            try:
                image = self._read(file, size)
            except UnreadableImageError as error:
                if self.unreadable == "error":
                    raise
                # The sample keeps its place in the batch, black and not counted.
                warnings.warn(f"Left out: {error}", stacklevel=2)
                images[place], readable[place] = 0, False
                continue
            crop = images[place] if self.augmentation is None else unchanged
            cv2.warpAffine(image, affines[place], crop.shape[:2], crop, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
            if self.augmentation is not None:
                self.augmentation.appearance(crop, generators[place], images[place])
        return images, readable

    def _map_of_other(self, number: int, affine: np.ndarray) -> np.ndarray:
        """The map that places another sample's image here: its box is mapped to where this sample's box would be."""
        assert self.image_of is not None
        move, back = np.eye(3), np.eye(3)
        boxes, turns = self._places(np.array([self.image_of[number], number]))
        move[:2], back[:2] = (crop_affine(box, 1, angle=turn) for box, turn in zip(boxes, turns.tolist(), strict=True))
        return affine @ np.linalg.inv(back) @ move

    def image_file(self, number: int) -> Path:
        """Path of a sample's image as a single file, whether or not it exists."""
        return self.index.image_file(int(self.selection.row[number]))

    def _read(self, file: ImageSource, size: tuple[int, int]) -> np.ndarray:
        """The whole image, (height, width, 3) uint8 RGB, of the annotated size."""
        remedy = (
            f"complete the download of split '{self.index.split}', give the images you have as a subset list, or set "
            "data.unreadable to skip"
        )
        return read_image(file, size, remedy=remedy)

    def _gesture(self, row: np.ndarray, flip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The classes; if per hand, a flipped right hand gets a left hand's, a mirrored left one keeps its own."""
        classes = self.index.gesture[row].astype(np.int64)
        if not self.gesture_labels:
            classes[:] = NO_GESTURE
        if self.gesture_classes == "per_hand":
            left = (self.index.hand_type[row] == HAND_TYPES["left"]) ^ flip
            size = np.array([len(vocabulary().coarse), len(vocabulary().fine)])
            classes = np.where((classes != NO_GESTURE) & left[:, None], classes + size, classes)
        return classes[:, 0].copy(), classes[:, 1].copy()

    def _own_label(self, numbers: np.ndarray) -> np.ndarray:
        """(B,) int64, the labels of the samples' hands; -1 for none, and for a sample that shows two hands."""
        hand = self.selection.hand[numbers]
        if hand.shape[1] != 1 or not self.gesture_labels:
            return np.full(len(numbers), NO_GESTURE)
        return self._own_classes[self.index.own_label[self.selection.row[numbers], hand[:, 0]]]


def collate(samples: Batch | Sequence[Batch]) -> Batch:
    """A loader's ``collate_fn``: a dataset's batch is returned unchanged; a list of single samples is stacked."""
    return samples if isinstance(samples, dict) else default_collate(list(samples))
