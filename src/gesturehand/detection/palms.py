"""MediaPipe's palm detector: palms in views of an image.

F. Zhang, V. Bazarevsky et al., *MediaPipe Hands: On-device Real-time Hand Tracking* (arXiv 2006.10214). The network
sees 192 px and predicts for each of 2,016 anchors whether there is a palm, its square and seven of its points, relative
to the anchor in pixels.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from gesturehand.camera import transform_affine
from gesturehand.detection.graph import OnnxGraph
from gesturehand.detection.views import ImagePyramid, View

#: Stride, and anchors per cell.
_MAPS: Final = ((8, 2), (16, 6))
#: Palms below this score are dropped.
_LEAST_SCORE: Final = 0.1
#: Palms from this score on are certain.
SURE_PALM: Final = 0.5
#: The first of the seven points is the wrist, and the third the middle finger's knuckle.
_WRIST, _MIDDLE_KNUCKLE = 0, 2
#: Palms that overlap more (intersection over union) are merged into their score-weighted mean, as in MediaPipe.
_SAME_PALM: Final = 0.3
#: Cells along a view's side, and how much the brightest and the darkest of them differ where there may be a hand: sky,
#: walls and blurred backgrounds differ less. The smallest hands to detect take three cells.
_CELLS: Final = 16
_LEAST_CONTRAST: Final = 6


class Palms(NamedTuple):
    """The palms in an image, the certain ones first.

    Attributes:
        centres: (N, 2) px.
        sides: (N,) of the palms' squares, px.
        wrists: (N, 2) px.
        knuckles: (N, 2) px, of the middle fingers.
        scores: (N,) 0…1.
    """

    centres: np.ndarray
    sides: np.ndarray
    wrists: np.ndarray
    knuckles: np.ndarray
    scores: np.ndarray

    def part(self, rows: np.ndarray) -> "Palms":
        """Some of them."""
        return Palms(*(array[rows] for array in self))


class PalmNetwork:
    """Finds palms.

    Args:
        threads: Number of threads of one call.
    """

    def __init__(self, threads: int = 1) -> None:
        self._graph = OnnxGraph("mediapipe_palm", threads)
        self._anchors = _anchors(self._graph.size_px)

    def __call__(self, pyramid: ImagePyramid, views: list[View]) -> Palms:
        """The palms in any of the views, each once. Views without any detail are not searched.

        An uncertain palm does not move a certain one, and counts as a separate palm if it overlaps with none.
        """
        size = self._graph.size_px
        cuts = (pyramid.cut(view.square, size, view.angle) for view in views)
        crops = [cut for cut in cuts if shows_something(cut[0])]
        if not crops:
            return Palms(*(np.zeros((0, *shape)) for shape in ((2,), (), (2,), (2,), ())))
        found = self._graph(np.stack([crop for crop, _ in crops]))
        with np.errstate(over="ignore"):
            scores = 1 / (1 + np.exp(-found["logits"][..., 0].astype(np.float64)))
        view, anchor = np.nonzero(scores >= _LEAST_SCORE)
        values = found["boxes"][view, anchor].astype(np.float64)
        back = np.stack([affine for _, affine in crops])[view]
        # Coordinates refer to pixel edges: subtract half a pixel for pixel centres.
        points = np.delete(values.reshape(-1, 9, 2), 1, axis=1) + self._anchors[anchor, None] - 0.5
        points = transform_affine(points, back)
        scale = np.sqrt(np.abs(np.linalg.det(back[:, :, :2])))
        sides = values[:, 2:4].mean(-1) * scale
        palms = Palms(points[:, 0], sides, points[:, 1 + _WRIST], points[:, 1 + _MIDDLE_KNUCKLE], scores[view, anchor])
        palms = palms.part(np.argsort(-palms.scores, kind="stable"))
        sure, every = _merged(palms.part(palms.scores >= SURE_PALM)), _merged(palms)
        others = every.part(every.scores < SURE_PALM)
        return Palms(*(np.concatenate(arrays) for arrays in zip(sure, others, strict=True)))


def shows_something(crop: np.ndarray) -> bool:
    """Whether a view (S, S, 3) uint8 can show a palm: cells of a third of the smallest hand differ in colour."""
    cells = cv2.resize(crop, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return int(np.ptp(cells, axis=(0, 1)).max()) >= _LEAST_CONTRAST


def _anchors(size_px: int) -> np.ndarray:
    """(2016, 2) centres of the anchors, px: by map, row, column."""
    parts = []
    for stride, each in _MAPS:
        line = (np.arange(size_px // stride) + 0.5) * stride
        y, x = np.meshgrid(line, line, indexing="ij")
        parts.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), each, axis=0))
    return np.concatenate(parts)


def _merged(palms: Palms) -> Palms:
    """Overlapping palms merged into one: the mean weighted by score, with the best score."""
    low, high = (palms.centres + sign * palms.sides[:, None] / 2 for sign in (-1, 1))
    left = np.ones(len(palms.scores), bool)
    merged: list[tuple[np.ndarray, ...]] = []
    for best in range(len(left)):
        if not left[best]:
            continue
        shared = np.prod(np.clip(np.minimum(high, high[best]) - np.maximum(low, low[best]), 0, None), axis=-1)
        union = palms.sides**2 + palms.sides[best] ** 2 - shared
        same = left & (shared > _SAME_PALM * union)
        same[best] = True
        left &= ~same
        means = [np.average(array[same], axis=0, weights=palms.scores[same]) for array in palms[:4]]
        merged.append((*means, palms.scores[best]))
    if not merged:
        return palms
    return Palms(*(np.array(column) for column in zip(*merged, strict=True)))
