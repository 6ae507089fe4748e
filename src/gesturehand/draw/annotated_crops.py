"""Draws annotations over crops, to check a data set before training on it."""

from pathlib import Path

import numpy as np
from torch.utils.data import default_collate

from gesturehand.camera import normalised_to_px
from gesturehand.data.dataset import InterHandDataset
from gesturehand.draw.mesh import draw_mesh
from gesturehand.draw.panels import save_panels
from gesturehand.draw.skeleton import draw_skeleton
from gesturehand.gestures import NO_GESTURE, class_names
from gesturehand.hand.layer import HandModel
from gesturehand.targets import build_targets


def save_annotations(path: Path, dataset: InterHandDataset, hand_model: HandModel, samples: int) -> int:
    """Saves crops with their annotated joints and, where there are fits, their meshes.

    Args:
        path: PNG to write.
        dataset: Whose samples are drawn.
        hand_model: That the fits are of.
        samples: How many, evenly spread over the data set.

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
            joints = draw_skeleton(joints, points, targets["joint_valid_2d"][sample, hand].numpy())
            if targets["mano_valid"][sample, hand]:
                faces = hand_model.faces[int(not batch["is_right"][sample, hand])].numpy()
                vertices, intrinsics = targets["vertices"][sample, hand], targets["crop_intrinsics"][sample]
                mesh = draw_mesh(mesh, vertices.numpy(), faces, intrinsics.numpy())[0]
        rows.append([crop, joints, mesh] if with_mesh else [crop, joints])
        label = int(batch["gesture_fine"][sample])
        gesture = "no label" if label == NO_GESTURE else names[label]
        captions.append(f"{int(batch['annotation_id'][sample])}: {gesture}")
    save_panels(
        path,
        rows,
        columns=("crop", "annotated joints", "MANO fit")[: len(rows[0])],
        captions=captions,
        samples_per_row=2 if with_mesh else 3,
        title=f"{dataset.index.root}, {dataset.index.split}",
    )
    return len(rows)
