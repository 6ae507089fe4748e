import numpy as np
import pytest

from gesturehand.gestures import NO_GESTURE, fine_index
from gesturehand.synthetic.articulation import ANGLE_LIMITS_DEG, NUM_ANGLES, gesture_poses, neutral_pose
from gesturehand.synthetic.sequence import amplitude, make_subject, sequence_angles, wrist_rotation

SUBJECT = make_subject(0, np.random.default_rng(0))
FIST = fine_index("fist")


def mean_angles(phase: float) -> np.ndarray:
    rng, still = np.random.default_rng(1), np.zeros(NUM_ANGLES)
    return np.mean([sequence_angles(FIST, phase, SUBJECT, still, rng) for _ in range(400)], axis=0) - SUBJECT.habit_deg


def test_a_sequence_goes_from_neutral_into_the_gesture_and_back():
    neutral, fist = neutral_pose(), gesture_poses()[FIST]
    for phase, expected in ((0.0, neutral), (0.125, (neutral + fist) / 2), (0.5, fist), (1.0, neutral)):
        assert np.abs(mean_angles(phase) - expected).mean() < 2.0


def test_amplitude_stays_between_neutral_and_full():
    values = np.array([amplitude(phase) for phase in np.linspace(0, 1, 101)])
    assert values.min() == 0
    assert values.max() == 1
    assert (np.diff(values)[:25] > 0).all()
    np.testing.assert_allclose(values, values[::-1], atol=1e-12)


def test_angles_stay_within_the_joints_limits():
    rng = np.random.default_rng(2)
    low, high = ANGLE_LIMITS_DEG.T
    for fine in (NO_GESTURE, *range(35)):
        angles = sequence_angles(fine, 0.5, SUBJECT, np.full(NUM_ANGLES, 3.0), rng)
        assert (angles >= low).all()
        assert (angles <= high).all()


@pytest.mark.parametrize("cone_deg", [0.0, 35.0])
def test_the_palm_or_the_back_faces_the_camera_within_the_cone(cone_deg):
    rng = np.random.default_rng(3)
    turns, palms = [], 0
    for _ in range(300):
        rotation = wrist_rotation(cone_deg, ("right",), rng)["right"]
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        fingers, palm = rotation @ [-1.0, 0, 0], rotation @ [0, -1.0, 0]
        palms += palm[2] < 0
        turns.append(np.degrees(np.arccos(np.clip(np.abs(palm[2]), 0, 1))))
        assert fingers @ [0, -1.0, 0] >= np.cos(np.radians(cone_deg)) - 1e-9
    assert max(turns) <= cone_deg + 1e-6
    assert 100 < palms < 200


def test_two_hands_are_mirrored_when_they_are_not_tilted():
    rng = np.random.default_rng(4)
    for _ in range(5):
        both = wrist_rotation(0.0, ("right", "left"), rng)
        mirror = np.diag([-1.0, 1.0, 1.0])
        np.testing.assert_allclose(both["left"], mirror @ both["right"] @ mirror, atol=1e-12)


def test_subjects_have_credible_shapes():
    betas = np.stack([make_subject(n, np.random.default_rng(n)).betas for n in range(200)])
    assert np.abs(betas).max() < 3
    np.testing.assert_allclose(betas.std(0), 1.0, atol=0.2)


def test_at_180_degrees_every_orientation_is_equally_likely():
    rng = np.random.default_rng(6)
    drawn = np.stack([wrist_rotation(180.0, ("right",), rng)["right"] for _ in range(4000)])
    # For uniform rotations, every matrix entry has mean 0 and variance 1/3, and the trace's mean square is 1.
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.04)
    np.testing.assert_allclose((drawn**2).mean(0), 1 / 3, atol=0.03)
    assert (np.trace(drawn, axis1=1, axis2=2) ** 2).mean() == pytest.approx(1.0, abs=0.1)
