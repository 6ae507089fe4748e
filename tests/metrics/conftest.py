"""Independent references for the metrics (NumPy and SciPy, one sample and one joint at a time) and random hands."""

from collections import defaultdict

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

WRIST, MIDDLE_MCP = 0, 9
# Position in InterHand2.6M's order (tip to root within a finger, wrist last) at the index of each joint of the papers'.
INTERHAND_AT_INDEX = [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0]


class Reference:
    """The metrics as they are defined, with every array in float64 and every hand by itself."""

    @staticmethod
    def similarity(source, destination):
        """The least-squares scale, rotation and translation that move the source's points onto the destination's."""
        source_mean, destination_mean = source.mean(0), destination.mean(0)
        a, b = source - source_mean, destination - destination_mean
        u, s, vt = np.linalg.svd(b.T @ a)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = u @ np.diag(sign) @ vt
        scale = (s * sign).sum() / (a**2).sum() if (a**2).sum() > 1e-12 else 0.0
        return scale, rotation, destination_mean - scale * rotation @ source_mean

    @classmethod
    def aligned(cls, points, true_points, joints, true_joints, protocol):
        if protocol == "procrustes":
            scale, rotation, translation = cls.similarity(points, true_points)
            return np.array([scale * rotation @ p + translation for p in points]), true_points
        if protocol == "root":
            return points - joints[WRIST], true_points - true_joints[WRIST]
        length = np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST])
        true_length = np.linalg.norm(true_joints[MIDDLE_MCP] - true_joints[WRIST])
        scale = true_length / length if length > 0 else 1.0
        if true_length == 0:
            scale = 0.0 if protocol == "eanet_published" else 1.0
        return (points - joints[MIDDLE_MCP]) * scale, true_points - true_joints[MIDDLE_MCP]

    @classmethod
    def joint_errors(cls, joints, true_joints, valid, protocol):
        """{joint: error in mm} of one hand, for the joints that count."""
        used = [j for j in range(21) if valid[j]]
        if protocol == "procrustes":
            if len(used) < 3:
                return {}
            moved, truth = cls.aligned(joints[used], true_joints[used], None, None, protocol)
            return {j: 1000 * np.linalg.norm(moved[i] - truth[i]) for i, j in enumerate(used)}
        if not valid[WRIST]:
            return {}
        if protocol == "eanet_published":
            used = [j for j in range(21) if valid[INTERHAND_AT_INDEX[j]]]
        moved, truth = cls.aligned(joints, true_joints, joints, true_joints, protocol)
        return {j: 1000 * np.linalg.norm(moved[j] - truth[j]) for j in used}

    @classmethod
    def joint_error_lists(cls, joints, true_joints, valid, group, protocol):
        """{(group, joint): errors} and the mean error of every hand that counts."""
        lists, hand_means = defaultdict(list), []
        for n in np.ndindex(joints.shape[:-2]):
            errors = cls.joint_errors(joints[n], true_joints[n], valid[n], protocol)
            for j, error in errors.items():
                lists[int(group[n]), j].append(error)
            if errors:
                hand_means.append(np.mean(list(errors.values())))
        return lists, hand_means

    @classmethod
    def mpjpe(cls, joints, true_joints, valid, group, protocol, average):
        lists, hand_means = cls.joint_error_lists(joints, true_joints, valid, group, protocol)
        if not lists:
            return np.nan
        if average == "per_joint":
            return np.mean([np.mean(errors) for errors in lists.values()])
        return np.mean(hand_means) if average == "per_sample" else np.mean(np.concatenate(list(lists.values())))

    @classmethod
    def vertex_error(cls, vertices, true_vertices, joints, true_joints, protocol):
        moved, truth = cls.aligned(vertices, true_vertices, joints, true_joints, protocol)
        return 1000 * np.mean([np.linalg.norm(p - q) for p, q in zip(moved, truth, strict=True)])

    @classmethod
    def mpvpe_samples(cls, vertices, true_vertices, joints, true_joints, valid, interacting, protocol):
        """Errors of the single-hand and of the interacting samples that count."""
        kinds = ([], [])
        for n in range(len(vertices)):
            fitted = [h for h in range(valid.shape[1]) if valid[n, h]]
            if not fitted or (interacting[n] and len(fitted) < valid.shape[1]):
                continue
            hands = [
                cls.vertex_error(vertices[n, h], true_vertices[n, h], joints[n, h], true_joints[n, h], protocol)
                for h in fitted
            ]
            kinds[int(interacting[n])].append(np.mean(hands))
        return kinds


def random_hands(seed, batch=6, hands=2, vertices=50, noise=0.01, dtype=np.float64):
    """Random hands about 8 cm in size and a metre away, predictions near them, and masks with gaps."""
    rng = np.random.default_rng(seed)

    def near(points):
        turn = Rotation.from_rotvec(rng.normal(size=(batch * hands, 3)) * 0.2).as_matrix().reshape(batch, hands, 3, 3)
        centre = points.mean(-2, keepdims=True)
        return (points - centre) @ turn * rng.uniform(0.7, 1.3) + centre + rng.normal(size=points.shape) * noise

    place = rng.normal(size=(batch, hands, 1, 3)) * 0.2 + [0, 0, 1]
    joints = rng.normal(size=(batch, hands, 21, 3)) * 0.08 + place
    mesh = rng.normal(size=(batch, hands, vertices, 3)) * 0.08 + place
    return {
        "joints": near(joints).astype(dtype),
        "true_joints": joints.astype(dtype),
        "vertices": near(mesh).astype(dtype),
        "true_vertices": mesh.astype(dtype),
        "valid": rng.random((batch, hands, 21)) < rng.choice([0.1, 0.8, 1.0], size=(batch, hands, 1)),
        "group": rng.integers(0, 4, size=(batch, hands)),
        "fit": rng.random((batch, hands)) < 0.7,
        "interacting": rng.random(batch) < 0.5,
    }


@pytest.fixture
def reference():
    return Reference


@pytest.fixture
def hands():
    """The function that makes random hands."""
    return random_hands
