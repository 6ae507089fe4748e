"""Recognises large errors that come from another project's conventions, so that a report can say so."""

from collections.abc import Callable
from typing import Final

from torch import Tensor

from gesturehand.batch import Targets
from gesturehand.data.plausibility import OTHER_ORDERS, places_of
from gesturehand.metrics.mpjpe import joint_errors_mm

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
