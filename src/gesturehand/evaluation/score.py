"""Scores saved predictions without the model that made them, under the same protocols as a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from gesturehand.batch import Batch, HandPrediction, Targets
from gesturehand.data.datamodule import InterHandDataModule
from gesturehand.data.dataset import InterHandDataset
from gesturehand.data.plausibility import OTHER_ORDERS, REFERENCE_HAND_M, bone_ratios, in_words, places_of
from gesturehand.errors import UserError
from gesturehand.evaluation.predictions import SavedPredictions, read_predictions, rows_of_ids, without_image
from gesturehand.evaluation.report import data_fingerprint, file_origin, hand_model_origin, measured, software_origin
from gesturehand.evaluation.sample_errors import SampleErrors, sample_errors_mm
from gesturehand.hand.layer import HandModel
from gesturehand.metrics.hand_metrics import TWO_HAND_METRICS, HandMetrics
from gesturehand.metrics.mpjpe import joint_errors_mm
from gesturehand.metrics.mrrpe import MRRPE
from gesturehand.skeleton import WRIST
from gesturehand.targets import build_targets
from gesturehand.text_file import none_for_nan

#: Smaller errors need no explanation, mm.
_LARGE_MM: Final = 30.0
#: A convention explains an error if it leaves less than this share of it.
_EXPLAINED: Final = 0.4
#: If similarity alignment leaves less than this share of the error, the shape is right.
_SHAPE_IS_RIGHT: Final = 0.25
_AXES: Final = {
    "y pointing up": (1, -1, 1),
    "y pointing up and z backward (OpenGL's camera)": (1, -1, -1),
    "z pointing backward": (1, 1, -1),
    "x pointing left (a mirrored image)": (-1, 1, 1),
    "x pointing left and z backward": (-1, 1, -1),
    "x pointing left and y up (PyTorch3D's camera)": (-1, -1, 1),
}
_REMEDY: Final = "give metres, wrist first and fingers from the palm to the tip, x right, y down, z forward"
#: Metrics that need only joints.
_JOINT_METRICS = ("mpjpe_mm", "pa_mpjpe_mm", "auc_root", "auc_procrustes")
#: Size of predicted hands relative to an adult's beyond which the unit must be wrong; averaging all poses shrinks a
#: hand to a third.
_SMALLEST_PREDICTED, _LARGEST_PREDICTED = 0.05, 5.0
#: If both wrists are this close to the origin, the file gives every hand relative to its own wrist.
_SAME_PLACE_M = 1e-6


def _reordered(places: list[int]) -> Callable[[Tensor], Tensor]:
    return lambda joints: joints[..., places, :]


def _turned(signs: tuple[int, int, int]) -> Callable[[Tensor], Tensor]:
    return lambda joints: joints * joints.new_tensor(signs)


_CONVENTIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    **{f"joints in {name}": _reordered(places_of(order)) for name, order in OTHER_ORDERS.items()},
    **{f"a frame with {name}": _turned(signs) for name, signs in _AXES.items()},
}


class ConventionErrors:
    """Sums the root-relative error of predictions as given and as read under other conventions."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(_CONVENTIONS, 0.0)
        self._given = 0.0
        self._count = 0

    def update(self, joints: Tensor, targets: Targets) -> None:
        """Adds a batch.

        Args:
            joints: (B, H, 21, 3) m, predicted.
            targets: Targets of the same batch.
        """
        true, valid = targets["joints"], targets["joint_valid_eval"]
        errors, counted = joint_errors_mm(joints, true, valid, "root")
        self._given += float(errors.sum())
        self._count += int(counted.sum())
        for name, change in _CONVENTIONS.items():
            self._sums[name] += float(joint_errors_mm(change(joints), true, valid, "root")[0].sum())

    def sentence(self, pa_mpjpe_mm: float | None) -> str | None:
        """A sentence that explains a large error; None if the error is small or no convention explains it.

        Args:
            pa_mpjpe_mm: Error of the same hands after similarity alignment.
        """
        if not self._count or self._given / self._count < _LARGE_MM:
            return None
        given = self._given / self._count
        best = min(self._sums, key=self._sums.__getitem__)
        left = self._sums[best] / self._count
        if left < _EXPLAINED * given:
            return f"MPJPE is {given:.0f} mm and would be {left:.0f} mm for {best}: {_REMEDY}."
        if pa_mpjpe_mm is not None and pa_mpjpe_mm < _SHAPE_IS_RIGHT * given:
            return (
                f"MPJPE is {given:.0f} mm and PA-MPJPE only {pa_mpjpe_mm:.0f} mm, so the hands' shape is right and "
                f"their unit, orientation or frame is not: {_REMEDY}."
            )
        return None


def score_predictions(path: str | Path, data: InterHandDataModule, hand_model: HandModel) -> dict[str, Any]:
    """The report of a file of predictions.

    Args:
        path: The file (:mod:`gesturehand.evaluation.predictions`).
        data: The data whose test set was predicted; it must not mirror (``mirror_left=False``), so that its crops'
            frame is the camera's.
        hand_model: The hand model of the data's fits and of the predicted meshes.

    Returns:
        The report, for :func:`gesturehand.evaluation.report.write_report`. MRRPE is among the metrics if samples have
        two hands and the file gives both in one frame. ``remark`` is a sentence if another convention of joints or axes
        explains a large error.

    Raises:
        UserError: The file is of another kind, its ids are not those of the data, a number of an evaluated hand is not
            finite, an annotation has two hands and the file one, the unit is not metres, or the mesh is another
            model's.
    """
    predictions = read_predictions(path)
    dataset = data.dataset("test")
    row = rows_of_ids(predictions, dataset.index.annotation_id[dataset.selection.row], path)
    slot = _slots(predictions, dataset, path)
    _check_finite(predictions, dataset, row, slot, path)
    _check_mesh(predictions, hand_model, path)

    _check_unit(predictions, dataset, row, slot, path)

    metrics, samples, roots = HandMetrics(detailed=True), SampleErrors(), MRRPE()
    conventions = ConventionErrors()
    start = 0
    for batch in data.test_dataloader():
        chunk = slice(start, start + len(batch["counted"]))
        start = chunk.stop
        prediction = _prediction(predictions, row[chunk], slot[chunk], hand_model)
        targets = build_targets(batch, hand_model)
        if predictions.vertices is None:
            targets["mano_valid"] = torch.zeros_like(targets["mano_valid"])
        metrics.update(prediction, targets, batch, hand_model)
        samples.update(sample_errors_mm(prediction["joints"], targets), batch)
        conventions.update(prediction["joints"], targets)
        _update_roots(roots, prediction, targets, batch)

    report = measured(metrics, samples, data.gesture_classes)
    values = report["metrics"]
    if predictions.vertices is None:
        values |= {name: None for name in values if name not in _JOINT_METRICS}
    if predictions.rotations is None:
        values["mpjpe_true_rotation_mm"] = None
    if roots.update_called:
        values["mrrpe_mm"] = none_for_nan(roots.compute())
        report["protocols"] |= TWO_HAND_METRICS
    remark = conventions.sentence(values["pa_mpjpe_mm"])
    return {
        **report,
        **({"remark": remark} if remark else {}),
        "data": data_fingerprint(data),
        "predictions": file_origin(path),
        "hand_model": hand_model_origin(hand_model),
        **software_origin(),
    }


def _slots(predictions: SavedPredictions, dataset: InterHandDataset, path: str | Path) -> np.ndarray:
    """(M, H) index of the file's hand that belongs to each hand of the samples."""
    hand = dataset.selection.hand
    if predictions.joints.shape[1] == 2:
        return hand
    two = np.unique(dataset.index.annotation_id[dataset.selection.row][_present(dataset, both=True)])
    if len(two):
        raise UserError(
            f"'{path}' has one hand per row, but {len(two)} annotations have two (the first: {two[0]}): give H = 2, "
            "right and left, or evaluate single hands with --hands=single."
        )
    return np.zeros_like(hand)


def _present(dataset: InterHandDataset, *, both: bool = False) -> np.ndarray:
    """(M, H) bool, the annotation has the hand; or (M,) bool, it has both."""
    hand_type = dataset.index.hand_type[dataset.selection.row]
    return hand_type == 3 if both else (hand_type[:, None] & np.array([1, 2])[dataset.selection.hand]) > 0


def _check_finite(
    predictions: SavedPredictions, dataset: InterHandDataset, row: np.ndarray, slot: np.ndarray, path: str | Path
) -> None:
    present = _present(dataset)
    for name, array in predictions.arrays().items():
        finite = np.isfinite(array).all(tuple(range(2, array.ndim)))[row[:, None], slot]
        broken = np.unique(predictions.ids[row[(~finite & present).any(-1)]])
        if len(broken):
            raise UserError(
                f"'{name}' of '{path}' is not finite for {len(broken)} annotations (the first: {broken[0]}): give "
                "numbers for every hand that is evaluated."
            )


def _check_mesh(predictions: SavedPredictions, hand_model: HandModel, path: str | Path) -> None:
    if predictions.vertices is not None and predictions.vertices.shape[2] != hand_model.num_vertices:
        raise UserError(
            f"'vertices' of '{path}' has {predictions.vertices.shape[2]} vertices per hand, but {hand_model.name} has "
            f"{hand_model.num_vertices}: name the hand model of the meshes as --mano, or leave vertices out."
        )


def _check_unit(
    predictions: SavedPredictions, dataset: InterHandDataset, row: np.ndarray, slot: np.ndarray, path: str | Path
) -> None:
    """Refuses hands five times too large or twenty times too small, whose unit must be wrong."""
    place = row[:, None].repeat(slot.shape[1], 1)[_present(dataset)], slot[_present(dataset)]
    joints = predictions.joints[place]
    scales = {"joints": np.nanmedian(bone_ratios(joints, np.ones(joints.shape[:2], bool)))}
    if predictions.vertices is not None:
        extent = np.ptp(predictions.vertices[place].astype(np.float64), axis=1).max(-1)
        scales["vertices"] = np.median(extent) / REFERENCE_HAND_M
    for name, scale in scales.items():
        if not _SMALLEST_PREDICTED <= scale <= _LARGEST_PREDICTED:
            raise UserError(
                f"The hands in '{name}' of '{path}' are {in_words(float(scale))} long, but an adult's is "
                f"{REFERENCE_HAND_M:g} m: give metres."
            )


def _prediction(
    predictions: SavedPredictions, row: np.ndarray, slot: np.ndarray, hand_model: HandModel
) -> HandPrediction:
    """A batch of the file in the form that a network returns; missing hands are zeros."""
    shape = slot.shape

    def hands(array: np.ndarray | None, empty: Tensor) -> Tensor:
        if array is None:
            return empty.expand(*shape, *empty.shape)
        # The entry of an absent hand may contain anything.
        return torch.from_numpy(np.nan_to_num(array[row[:, None], slot], nan=0.0, posinf=0.0, neginf=0.0))

    return without_image(
        hands(predictions.joints, torch.zeros(21, 3)),
        hands(predictions.vertices, torch.zeros(hand_model.num_vertices, 3)),
        hands(predictions.rotations, torch.eye(3).expand(16, 3, 3)),
        torch.zeros(*shape, 10),
    )


def _update_roots(roots: MRRPE, prediction: HandPrediction, targets: Targets, batch: Batch) -> None:
    """Counts the wrists' relative position, if the file says anything about it."""
    joints = prediction["joints"]
    if joints.shape[1] == 2 and bool((joints[..., WRIST, :].abs() > _SAME_PLACE_M).any()):
        roots.update(joints, targets["joints"], targets["joint_valid_eval"], batch["interacting"])
