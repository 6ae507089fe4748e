"""The numbers that FreiHAND's and HO-3D's servers report, computed as their published code does.

They differ from :mod:`gesturehand.metrics` in one point: their alignment may mirror a hand. For hands that are not
mirror images of the truth both give the same. Source: github.com/lmb-freiburg/freihand, ``eval.py`` and
``utils/eval_util.py``; github.com/shreyashampali/ho3d, ``eval.py``.
"""

from typing import Final

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import cKDTree
from tqdm import tqdm

from gesturehand.metrics.fscore import F_SCORE_THRESHOLDS_MM

#: The reported numbers and their meaning.
PUBLISHED_SCORES: Final = {
    "mpjpe_mm": "joints where they are, no alignment",
    "auc": "AUC of PCK 0-50 mm of these",
    "pa_mpjpe_mm": "PA-MPJPE: joints after similarity alignment, which may mirror",
    "pa_auc": "AUC of PCK 0-50 mm of these",
    "mpvpe_mm": "vertices where they are, no alignment",
    "pa_mpvpe_mm": "PA-MPVPE: vertices after their own similarity alignment, which may mirror",
    "f_score_5": "F@5 mm of vertices where they are",
    "f_score_15": "F@15 mm of vertices where they are",
    "pa_f_score_5": "F@5 mm of vertices after alignment",
    "pa_f_score_15": "F@15 mm of vertices after alignment",
    "scale_translation_mpjpe_mm": "HO-3D only: joints scaled by the length of wrist to middle knuckle, wrist on wrist",
}
_MM: Final = 1000.0
_THRESHOLDS_M: Final = np.linspace(0.0, 0.05, 100)
#: Keeps a scale finite, as in the published code.
_TINY: Final = 1e-8


def published_scores(
    joints: np.ndarray,
    vertices: np.ndarray,
    true_joints: np.ndarray,
    true_vertices: np.ndarray,
    *,
    wrist_and_knuckle: tuple[int, int] | None = None,
    progress: bool = False,
) -> dict[str, float]:
    """Scores predictions.

    Args:
        joints: (N, 21, 3) m, predicted, in the set's order and frame.
        vertices: (N, V, 3) m, predicted. If their number differs from the truth's, they are aligned by the joints, and
            mesh errors are NaN.
        true_joints: (N, 21, 3) m.
        true_vertices: (N, W, 3) m.
        wrist_and_knuckle: Indices of wrist and middle knuckle in the set's order, for HO-3D's alignment by scale and
            translation; None leaves it out.
        progress: Show a bar.

    Returns:
        The numbers of :data:`PUBLISHED_SCORES`.
    """
    joints, vertices = np.asarray(joints, np.float64), np.asarray(vertices, np.float64)
    true_joints, true_vertices = np.asarray(true_joints, np.float64), np.asarray(true_vertices, np.float64)
    same_mesh = vertices.shape[1] == true_vertices.shape[1]
    aligned_joints, aligned_vertices = np.empty_like(joints), np.empty_like(vertices)
    f_scores = np.zeros((len(joints), 2, len(F_SCORE_THRESHOLDS_MM)))
    for row in tqdm(range(len(joints)), desc="score", unit="hand", disable=not progress):
        aligned_joints[row] = _aligned(joints[row], true_joints[row])
        aligned_vertices[row] = (
            _aligned(vertices[row], true_vertices[row])
            if same_mesh
            else _aligned_by_joints(vertices[row], joints[row], true_joints[row])
        )
        for place, mesh in enumerate((vertices[row], aligned_vertices[row])):
            f_scores[row, place] = _f_scores(mesh, true_vertices[row])
    errors = {"mpjpe_mm": _distances(joints, true_joints), "pa_mpjpe_mm": _distances(aligned_joints, true_joints)}
    scores = {name: float(error.mean() * _MM) for name, error in errors.items()}
    scores |= {"auc": _auc(errors["mpjpe_mm"]), "pa_auc": _auc(errors["pa_mpjpe_mm"])}
    for name, mesh in (("mpvpe_mm", vertices), ("pa_mpvpe_mm", aligned_vertices)):
        scores[name] = float(_distances(mesh, true_vertices).mean() * _MM) if same_mesh else float("nan")
    for place, prefix in enumerate(("", "pa_")):
        for number, threshold in enumerate(F_SCORE_THRESHOLDS_MM):
            scores[f"{prefix}f_score_{threshold:g}"] = float(f_scores[:, place, number].mean())
    if wrist_and_knuckle is not None:
        scaled = _by_scale_and_translation(joints, true_joints, *wrist_and_knuckle)
        scores["scale_translation_mpjpe_mm"] = float(_distances(scaled, true_joints).mean() * _MM)
    return {name: scores[name] for name in PUBLISHED_SCORES if name in scores}


def _aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Points moved onto the target by the best similarity or its mirror image."""
    turn, _, size = _similarity(points, target)
    return (points - points.mean(0)) / size @ turn + target.mean(0)


def _aligned_by_joints(vertices: np.ndarray, joints: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Vertices transformed like their joints, as published: about their own centre, without the joints' size."""
    turn, shift, _ = _similarity(joints, target)
    centre = vertices.mean(0)
    return (vertices - centre) @ turn + shift + centre


def _similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Rotation (or mirror image) with scale (3, 3), by which points of size 1 are multiplied; shift; source's size."""
    centred = source - source.mean(0), target - target.mean(0)
    size, target_size = (float(np.linalg.norm(points)) + _TINY for points in centred)
    rotation, scale = orthogonal_procrustes(centred[1] / target_size, centred[0] / size)
    return rotation.T * scale * target_size, target.mean(0) - source.mean(0), size


def _distances(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - target, axis=-1)


def _auc(errors_m: np.ndarray) -> float:
    """Area under the share of joints within 0 to 50 mm, joint by joint, then over joints."""
    curves = (errors_m[:, None] <= _THRESHOLDS_M[:, None]).mean(0)  # (thresholds, joints)
    return float((np.trapezoid(curves, _THRESHOLDS_M, axis=0) / (_THRESHOLDS_M[-1] - _THRESHOLDS_M[0])).mean())


def _f_scores(mesh: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(thresholds,) harmonic means of the shares of either mesh's vertices that are near the other."""
    from_mesh, from_target = cKDTree(target).query(mesh)[0] * _MM, cKDTree(mesh).query(target)[0] * _MM
    limits = np.array(F_SCORE_THRESHOLDS_MM)[:, None]
    precision, recall = (from_target < limits).mean(1), (from_mesh < limits).mean(1)
    both = precision + recall
    return np.where(both > 0, 2 * precision * recall / np.where(both > 0, both, 1), 0.0)


def _by_scale_and_translation(joints: np.ndarray, truth: np.ndarray, wrist: int, knuckle: int) -> np.ndarray:
    length, true_length = (np.linalg.norm(j[:, knuckle] - j[:, wrist], axis=-1) for j in (joints, truth))
    scale = np.where(length > 0, true_length / np.where(length > 0, length, 1), true_length)[:, None, None]
    scaled = joints * scale
    return scaled - scaled[:, wrist, None] + truth[:, wrist, None]
