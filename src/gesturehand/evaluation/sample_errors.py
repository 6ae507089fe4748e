"""The error of every sample of all processes, for tables by gesture and a list of the worst samples."""

from typing import Any, Final, TypeVar

import numpy as np
from torch import Tensor, distributed

from gesturehand.batch import Batch, Targets
from gesturehand.gestures import NO_GESTURE
from gesturehand.metrics.mpjpe import joint_errors_mm

Item = TypeVar("Item")


def gather(item: Item) -> list[Item]:
    """Collects one object per process, in the order of ranks; every process must call it."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [item]
    items: list[Item | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(items, item)
    return items  # type: ignore[return-value]


#: The definition of a sample's error, for reports.
SAMPLE_ERROR: Final = "mean over the valid joints of a sample, root: wrist-relative, annotated joints"


def sample_errors_mm(joints: Tensor, targets: Targets) -> Tensor:
    """Mean wrist-relative error over all valid joints of a sample.

    Args:
        joints: (B, H, 21, 3) m, predicted.
        targets: Targets of the same batch.

    Returns:
        (B,) mm, float64 on the CPU; NaN for a sample without a valid joint.
    """
    errors, counted = joint_errors_mm(joints, targets["joints"], targets["joint_valid_eval"], "root")
    return (errors.sum((-2, -1)) / counted.sum((-2, -1))).double().cpu()


class SampleErrors:
    """Collects each counted sample's id, gesture and error.

    Attributes:
        annotation_id: (N,) int64.
        gesture_fine: (N,) int64, -1 for none.
        error_mm: (N,) float64, NaN without a valid joint.
    """

    def __init__(self) -> None:
        self.annotation_id = np.zeros(0, np.int64)
        self.gesture_fine = np.zeros(0, np.int64)
        self.error_mm = np.zeros(0)
        self._batches: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def update(self, errors_mm: Tensor, batch: Batch) -> None:
        """Adds a batch.

        Args:
            errors_mm: (B,), of :func:`sample_errors_mm`.
            batch: The same samples.
        """
        counted = batch["counted"].cpu()
        columns = batch["annotation_id"].cpu(), batch["gesture_fine"].cpu(), errors_mm.cpu()
        ids, fine, errors = (column[counted].numpy() for column in columns)
        self._batches.append((ids, fine, errors))

    def compute(self) -> None:
        """Fills the attributes with the samples of all processes, sorted by id; every process must call it."""
        mine = [np.concatenate(column) for column in zip(*self._batches, strict=True)]
        parts = [part for part in gather(mine) if part]
        self._batches = []
        if not parts:
            return
        ids, fine, errors = (np.concatenate(column) for column in zip(*parts, strict=True))
        # Two hands of one annotation have one id: the error decides, whatever the number of processes.
        order = np.lexsort((errors, ids))
        self.annotation_id, self.gesture_fine, self.error_mm = ids[order], fine[order], errors[order]

    def by_gesture(self, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Number of samples and mean error of each fine gesture that occurs, the largest error first.

        Returns:
            By name ``samples`` and ``mpjpe_mm``; samples without a gesture or without a valid joint are left out.
        """
        known = ~np.isnan(self.error_mm) & (self.gesture_fine != NO_GESTURE)
        count = np.bincount(self.gesture_fine[known], minlength=len(names))
        total = np.bincount(self.gesture_fine[known], self.error_mm[known], minlength=len(names))
        rows = {
            name: {"samples": int(n), "mpjpe_mm": float(error / n)}
            for name, n, error in zip(names, count, total, strict=True)
            if n
        }
        return dict(sorted(rows.items(), key=lambda row: -row[1]["mpjpe_mm"]))

    def worst(self, number: int) -> list[dict[str, Any]]:
        """Ids and errors of the samples with the largest errors, the largest first."""
        known = np.flatnonzero(~np.isnan(self.error_mm))
        order = known[np.lexsort((self.annotation_id[known], -self.error_mm[known]))][:number]
        return [{"id": int(self.annotation_id[k]), "mpjpe_mm": float(self.error_mm[k])} for k in order]
