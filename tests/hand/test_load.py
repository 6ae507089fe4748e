"""Properties that the open hand needs, so that code written for MANO runs on it and wrong formulas show."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from faults import fault, faults
from scipy.spatial.transform import Rotation

from gesturehand.errors import UserError
from gesturehand.hand.load import load_hand, mirror, open_hand, repair_left_shapedirs
from gesturehand.hand.mano_file import ManoData, write_npz
from gesturehand.hand.skinning import skin
from gesturehand.skeleton import (
    EANET_TIP_VERTICES,
    FINGERS,
    INTERHAND_TIP_VERTICES,
    MANO_JOINT_NAMES,
    SIDES,
    SMPLX_TIP_VERTICES,
)

M = np.diag([-1.0, 1.0, 1.0])


@pytest.mark.parametrize("side", ["right", "left"])
def test_mirrored_parameters_give_the_mirrored_mesh(posed_hand, rotations, rng, side):
    hand = posed_hand(side)
    turns, betas, transl = rotations(3, 16), rng.normal(size=(3, 10)), rng.normal(size=(3, 3))
    vertices, joints = skin(hand, turns, betas, transl)
    other_vertices, other_joints = skin(mirror(hand), M @ turns @ M, betas, transl @ M)
    np.testing.assert_allclose(other_vertices, vertices @ M, atol=1e-14)
    np.testing.assert_allclose(other_joints, joints @ M, atol=1e-14)


def test_mean_pose_is_mirrored_as_a_rotation(posed_hand):
    hand = posed_hand("right")
    turns = Rotation.from_rotvec(hand.hands_mean.reshape(15, 3)).as_matrix()
    mirrored = Rotation.from_rotvec(mirror(hand).hands_mean.reshape(15, 3)).as_matrix()
    np.testing.assert_allclose(mirrored, M @ turns @ M, atol=1e-14)


def test_faces_keep_their_outside(posed_hand):
    def volume(hand):
        corners = hand.v_template[hand.faces] - hand.v_template.mean(axis=0)
        return np.linalg.det(corners).sum() / 6

    hand = posed_hand("right")
    assert 1e-4 < volume(hand) < 1e-3
    np.testing.assert_allclose(volume(mirror(hand)), volume(hand))


def test_twice_is_nothing(posed_hand):
    hand = posed_hand("right")
    assert mirror(hand).side == "left"
    assert mirror(hand).fingerprint != hand.fingerprint
    assert mirror(mirror(hand)).fingerprint == hand.fingerprint


def test_wrong_left_shapedirs_are_repaired(posed_hand):
    right = posed_hand("right")
    left = mirror(right)
    wrong = replace(left, shapedirs=left.shapedirs * [[-1], [1], [1]])
    np.testing.assert_array_equal(wrong.shapedirs, right.shapedirs)
    repaired = repair_left_shapedirs(wrong, right)
    np.testing.assert_array_equal(repaired.shapedirs, left.shapedirs)
    assert repaired.fingerprint == left.fingerprint


def test_right_left_shapedirs_stay(posed_hand):
    right = posed_hand("right")
    left = mirror(right)
    assert repair_left_shapedirs(left, right) is left


def test_hands_of_different_models(posed_hand, small_hand):
    with pytest.raises(UserError, match="1609 vertices and random has 30"):
        repair_left_shapedirs(posed_hand("left"), small_hand)


@pytest.fixture(scope="module")
def right() -> ManoData:
    return open_hand("right")


def shaped(hand: ManoData, betas: np.ndarray) -> np.ndarray:
    return hand.v_template + np.einsum("vcb,nb->nvc", hand.shapedirs, betas)


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("side", SIDES)
def test_sizes(side):
    hand = open_hand(side)
    assert hand.side == side
    assert hand.source == "open hand"
    assert hand.num_vertices == 1609
    assert hand.faces.shape == (3196, 3)
    assert len(np.unique(hand.faces)) == 1609
    np.testing.assert_array_equal(hand.hands_components @ hand.hands_components.T, np.eye(45))
    assert not hand.has_posedirs


def test_left_is_the_right_one_mirrored(right):
    left = open_hand("left")
    np.testing.assert_allclose(left.v_template, right.v_template * [-1, 1, 1])
    np.testing.assert_allclose(left.joints, right.joints * [-1, 1, 1])
    assert left.fingerprint != right.fingerprint


def test_joint_regressor_is_local_non_negative_and_sums_to_one(right):
    assert right.J_regressor.min() >= 0
    np.testing.assert_array_equal(right.J_regressor.sum(axis=1), 1)
    distances = np.linalg.norm(right.v_template[None] - right.joints[:, None], axis=2)
    reach = dict(zip(MANO_JOINT_NAMES, np.where(right.J_regressor > 0, distances, 0).max(axis=1), strict=True))
    assert reach.pop("wrist") < 0.06
    assert reach.pop("thumb1") < 0.04
    assert max(reach.values()) < 0.03


def test_regressed_joints_follow_the_posed_skeleton(right, rotations, rng):
    turns = rotations(20, 16, scale=0.3)
    vertices, joints = skin(right, turns, rng.normal(size=(20, 10)), np.zeros((20, 3)))
    errors = np.linalg.norm(right.J_regressor @ vertices - joints, axis=2)
    assert errors.mean() < 0.001
    assert errors.max() < 0.005


def test_joints_lie_inside_the_hand_of_any_shape(right, rest_joints):
    """From each finger joint the mesh fills nearly the whole solid angle; the rest is the open wrist."""
    for betas in np.concatenate([np.zeros((1, 10)), 3 * np.eye(10), -3 * np.eye(10)]):
        vertices = shaped(right, betas[None])[0]
        corners = vertices[right.faces][None] - rest_joints(right, betas[None])[0, 1:, None, None]
        a, b, c = np.moveaxis(corners / np.linalg.norm(corners, axis=-1, keepdims=True), 2, 0)
        triple = np.sum(a * np.cross(b, c), axis=-1)
        angles = 2 * np.arctan2(triple, 1 + np.sum(a * b + b * c + c * a, axis=-1))
        assert (angles.sum(axis=1) / (4 * np.pi)).min() > 0.85


def test_root_joint_is_where_mano_has_it_and_depends_on_the_shape(right, rng, rest_joints):
    np.testing.assert_allclose(right.joints[0], [0.096, 0.006, 0.006], atol=1e-6)
    roots = rest_joints(right, rng.normal(size=(200, 10)))[:, 0]
    assert np.linalg.norm(roots.std(axis=0)) > 0.002


def test_rest_frame(right):
    """Fingers towards −x, flat; palm towards −y; thumb and index towards +z."""
    tips = dict(zip(FINGERS, right.v_template[list(EANET_TIP_VERTICES)], strict=True))
    for finger in FINGERS[1:]:
        knuckle = right.joints[MANO_JOINT_NAMES.index(f"{finger}1")]
        direction = unit(tips[finger] - knuckle)
        assert direction[0] < -0.85
        assert abs(direction[1]) < 0.12
    assert tips["thumb"][2] > tips["index"][2] > tips["middle"][2] > tips["ring"][2] > tips["pinky"][2]
    assert tips["thumb"][1] < right.joints[0, 1] - 0.02
    assert 0.18 < np.linalg.norm(tips["middle"] - right.joints[0]) < 0.20


def test_flexion_about_plus_z_brings_the_fingers_to_the_palm(right):
    turns = np.tile(np.eye(3), (1, 16, 1, 1))
    turns[:, 1:13] = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    vertices, _ = skin(right, turns, np.zeros((1, 10)), np.zeros((1, 3)))
    for tip in EANET_TIP_VERTICES[1:]:
        assert vertices[0, tip, 1] < right.v_template[tip, 1] - 0.03
        assert vertices[0, tip, 0] > right.v_template[tip, 0] + 0.03


def test_fingertips_are_the_extreme_vertices_with_neighbours_beside_them(right):
    edges = {
        tuple(sorted(edge)) for face in right.faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)
    }
    for finger, tip, neighbour in zip(FINGERS, EANET_TIP_VERTICES, SMPLX_TIP_VERTICES, strict=True):
        distal = MANO_JOINT_NAMES.index(f"{finger}3")
        own = np.flatnonzero(right.weights[:, distal] > 0.5)
        assert tip in own
        along = right.v_template @ unit(right.v_template[tip] - right.joints[distal])
        assert along[tip] > along[own].max() - 0.002
        distances = np.linalg.norm(right.v_template[own] - right.joints[distal], axis=1)
        assert np.linalg.norm(right.v_template[tip] - right.joints[distal]) > distances.max() - 0.002
        assert tuple(sorted((tip, neighbour))) in edges
        assert np.linalg.norm(right.v_template[tip] - right.v_template[neighbour]) < 0.008
    middle, other = EANET_TIP_VERTICES[2], INTERHAND_TIP_VERTICES[2]
    assert other != middle
    assert tuple(sorted((middle, other))) in edges


def test_shape_directions_are_standard_deviations_of_human_hands(right, rng):
    hands = shaped(right, rng.normal(size=(2000, 10)))
    lengths = np.linalg.norm(hands[:, EANET_TIP_VERTICES[2]] - rest_joints_of(right, hands), axis=1)
    assert 0.04 < lengths.std() / lengths.mean() < 0.06
    assert 0.15 < lengths.min() < lengths.max() < 0.24
    rms = np.sqrt((right.shapedirs**2).sum(axis=1).mean(axis=0))
    assert np.all(np.diff(rms) <= 0)
    assert rms[0] < 0.005


def rest_joints_of(hand, vertices):
    return np.einsum("v,nvc->nc", hand.J_regressor[0], vertices)


def test_not_every_direction_is_size(right):
    """A change of overall size explains only a part of each direction, apart from the hand's position."""
    size = right.v_template - right.v_template.mean(axis=0)
    explained = []
    for k in range(10):
        direction = right.shapedirs[..., k] - right.shapedirs[..., k].mean(axis=0)
        explained.append((size * direction).sum() ** 2 / (size**2).sum() / (direction**2).sum())
    assert explained[0] > 0.8
    assert max(explained[1:]) < 0.3


def test_skinning_weights(right):
    assert right.weights.min() >= 0
    np.testing.assert_array_equal(right.weights.sum(axis=1), 1)
    assert (right.weights.max(axis=0) > 0.75).all()


def test_mesh_is_one_piece_open_at_the_wrist(right):
    edges = Counter(
        tuple(sorted(edge)) for face in right.faces.tolist() for edge in zip(face, face[1:] + face[:1], strict=True)
    )
    assert Counter(edges.values()) == {2: 4784, 1: 20}
    rim = {vertex for edge, count in edges.items() if count == 1 for vertex in edge}
    assert right.v_template[list(rim), 0].min() > right.joints[0, 0]


def test_mean_pose_is_a_relaxed_hand(right):
    pose = right.hands_mean.reshape(15, 3)
    flexion = np.linalg.norm(pose, axis=1)
    assert flexion.min() > 0.05
    assert flexion.max() < 0.8
    fingers = {MANO_JOINT_NAMES[1 + 3 * k][:-1]: flexion[3 * k : 3 * k + 3] for k in range(5)}
    assert len({tuple(np.round(angles, 3)) for angles in fingers.values()}) == 5
    assert (pose[:12, 2] > 0.1).all()


def test_reading_it_needs_neither_torch_nor_smplx_nor_anny():
    code = (
        "import sys; from gesturehand.hand.load import open_hand; open_hand('left'); "
        "from gesturehand.hand import skinning, load; "
        "sys.exit(bool({'torch', 'smplx', 'anny', 'chumpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("side", SIDES)
def test_nothing_is_the_open_hand(side):
    assert load_hand(None, side).fingerprint == open_hand(side).fingerprint


def test_both_files_with_the_official_error_in_the_left_one(small_hand, write_official, tmp_path):
    left = mirror(small_hand)
    write_official(small_hand, tmp_path / "MANO_RIGHT.pkl")
    write_official(replace(left, shapedirs=small_hand.shapedirs), tmp_path / "MANO_LEFT.pkl")
    assert load_hand(str(tmp_path), "right").fingerprint == small_hand.fingerprint
    assert load_hand(tmp_path, "left").fingerprint == left.fingerprint


@pytest.mark.parametrize("present", SIDES)
@pytest.mark.parametrize("as_folder", [True, False])
def test_one_file_serves_both_sides(small_hand, tmp_path, present, as_folder):
    hands = {"right": small_hand, "left": mirror(small_hand)}
    path = tmp_path / f"MANO_{present.upper()}.npz"
    write_npz(hands[present], path)
    for side in SIDES:
        loaded = load_hand(tmp_path if as_folder else path, side)
        assert loaded.side == side
        assert loaded.fingerprint == hands[side].fingerprint
        assert loaded.source == str(path) + ("" if side == present else ", mirrored")


def test_empty_folder_and_missing_file(tmp_path):
    with pytest.raises(UserError, match="neither MANO_RIGHT nor MANO_LEFT"):
        load_hand(tmp_path, "right")
    with pytest.raises(UserError, match="does not exist"):
        load_hand(tmp_path / "MANO_RIGHT.pkl", "right")


def official_left(right):
    """The left hand as in the official file, with the shape directions of the right one."""
    return replace(mirror(right), shapedirs=right.shapedirs)


def grown(hand, beta):
    """Vertices with the given value of the first beta."""
    return hand.v_template + beta * hand.shapedirs[:, :, 0]


@pytest.mark.parametrize(
    ("file", "given", "beside"),
    faults(
        "official left hand",
        "sign repaired",
        (
            ("the file MANO_LEFT.pkl alone", "MANO_LEFT.pkl", "MANO_LEFT.pkl", None),
            ("the file MANO_LEFT.npz alone", "MANO_LEFT.npz", "MANO_LEFT.npz", None),
            ("a folder with the left file only", "MANO_LEFT.pkl", "", None),
            ("a folder with the left file only, lower case", "mano_left.pkl", "", None),
            ("MANO_LEFT.pkl given, the right beside it", "MANO_LEFT.pkl", "MANO_LEFT.pkl", "MANO_RIGHT.pkl"),
            ("MANO_LEFT.pkl given, the right as .npz", "MANO_LEFT.pkl", "MANO_LEFT.pkl", "MANO_RIGHT.npz"),
        ),
    ),
)
@pytest.mark.parametrize("already_repaired", [False, True])
def test_left_hand_without_the_right_one(write_official, tmp_path, file, given, beside, already_repaired):
    """At beta = 1 the hand is the mirrored right one, on its own side and mirrored; the error would be 10.6 mm."""
    right = open_hand("right")
    left = mirror(right) if already_repaired else official_left(right)
    for name, hand in ((file, left), (beside, right)):
        if name is not None:
            (write_official if name.endswith("pkl") else write_npz)(hand, tmp_path / name)
    for side, sign in (("left", [-1, 1, 1]), ("right", [1, 1, 1])):
        loaded = load_hand(tmp_path / given, side)
        np.testing.assert_allclose(grown(loaded, 1.0), grown(right, 1.0) * sign, atol=1e-12)
    assert already_repaired or np.abs(grown(left, 1.0) - grown(mirror(right), 1.0)).max() > 0.01


@fault("official left hand", "a model that is no hand, left file only", "loaded with a warning")
def test_a_left_hand_whose_sign_is_not_clear_is_named(small_hand, tmp_path):
    hand = replace(mirror(small_hand), shapedirs=np.abs(small_hand.shapedirs))
    write_npz(hand, tmp_path / "MANO_LEFT.npz")
    with pytest.warns(UserWarning, match="MANO_LEFT.npz has the official left hand's error"):
        assert load_hand(tmp_path, "left").fingerprint == hand.fingerprint


@fault("official left hand", "a model without shape directions", "loaded as it is")
def test_a_left_hand_without_shape_directions(small_hand, tmp_path):
    hand = replace(mirror(small_hand), shapedirs=np.zeros_like(small_hand.shapedirs))
    write_npz(hand, tmp_path / "MANO_LEFT.npz")
    assert load_hand(tmp_path, "left").fingerprint == hand.fingerprint


@pytest.mark.parametrize(
    ("right", "left"),
    faults(
        "folders of hand models",
        "found",
        (
            (variant, right, left)
            for right, left, variant in (
                ("mano_v1_2/models/MANO_RIGHT.pkl", "mano_v1_2/models/MANO_LEFT.pkl", "mano_v1_2/models"),
                ("body_models/mano/MANO_RIGHT.pkl", "body_models/mano/MANO_LEFT.pkl", "body_models/mano"),
                ("models/MANO_RIGHT.pkl", "models/MANO_LEFT.pkl", "the folder mano_v1_2 itself"),
                ("mano_right.pkl", "mano_left.pkl", "lower-case names"),
                ("Mano_Right.PKL", "Mano_Left.PKL", "a suffix in capitals"),
                ("a/b/mano/MANO_RIGHT.pkl", "a/b/mano/MANO_LEFT.pkl", "three folders down"),
                ("right/MANO_RIGHT.pkl", "left/MANO_LEFT.pkl", "a folder for each hand"),
            )
        ),
    ),
)
def test_folders_as_people_have_them(write_official, tmp_path, right, left):
    hand = open_hand("right")
    for name, content in ((right, hand), (left, official_left(hand))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_official(content, tmp_path / name)
    for side in SIDES:
        assert load_hand(tmp_path, side).fingerprint == open_hand(side).fingerprint


@fault("folders of hand models", "two copies of MANO", "refused in one sentence that names both")
def test_two_copies_are_not_chosen_between(small_hand, tmp_path):
    for folder in ("mano_v1_2", "old"):
        (tmp_path / folder).mkdir()
        write_npz(small_hand, tmp_path / folder / "MANO_RIGHT.npz")
    with pytest.raises(
        UserError, match=r"more than one MANO_RIGHT: .*mano_v1_2/MANO_RIGHT.npz and .*old/MANO_RIGHT.npz"
    ):
        load_hand(tmp_path, "right")


@pytest.mark.parametrize(
    "given",
    faults(
        "folders of hand models",
        "refused; the sentence points to it",
        (
            (variant, given)
            for given, variant in (
                ("MANO_RIGHT.pkl", "a file that lies a folder deeper"),
                ("models/mano_right.pkl", "another spelling in a folder that is not there"),
                ("mano_v1_2/MANO_RIGHT.pkl", "the file without models/"),
            )
        ),
    ),
)
def test_the_sentence_points_to_the_existing_file(small_hand, tmp_path, given):
    path = tmp_path / "mano_v1_2" / "models" / "MANO_RIGHT.npz"
    path.parent.mkdir(parents=True)
    write_npz(small_hand, path)
    with pytest.raises(UserError, match=f"{given} does not exist; there is {path}"):
        load_hand(tmp_path / given, "right")
