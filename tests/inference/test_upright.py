"""Turned crops by exact geometry: a network that knows the true hand, turned pictures, and passes that go wrong."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gesturehand.camera import project, px_to_normalised, transform_affine
from gesturehand.data.crop import upright_turns
from gesturehand.inference import HandPredictor
from gesturehand.inference.checkpoint import CropSettings, load_regressor
from gesturehand.inference.query import read_image
from gesturehand.inference.upright import doubt

K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
IMAGE = np.zeros((480, 640, 3), np.uint8)
PLACE = np.array([0.03, -0.02, 0.7])
#: A network of upright crops fails if a hand is turned by more than this.
LIMIT = math.radians(60)


def hand_at(model, side, turn):
    """Vertices, joints (m, camera frame) and rotations of a hand with its fingers up, then turned clockwise."""

    def posed(rotation):
        rotations = torch.eye(3).repeat(1, 16, 1, 1)
        rotations[0, 0] = torch.from_numpy(rotation)
        vertices, joints = model(rotations, torch.zeros(1, 10), None, torch.tensor([side == "right"]))
        return vertices[0].double().numpy(), joints[0].double().numpy(), rotations[0].numpy()

    # At rest: x across the palm, y from the knuckle to the wrist, z out of the palm.
    rest = posed(np.eye(3))[1]
    down = (rest[0] - rest[9]) / np.linalg.norm(rest[0] - rest[9])
    out = np.cross(rest[17] - rest[5], down)
    out /= np.linalg.norm(out)
    upright = np.stack([np.cross(down, out), down, out])
    vertices, joints, rotations = posed(Rotation.from_euler("z", turn).as_matrix() @ upright)
    return vertices - joints[0] + PLACE, joints - joints[0] + PLACE, rotations


class Oracle(HandPredictor):
    """Predicts for every crop the truth about the one hand in the picture, or whatever it is told to."""

    def __init__(self, checkpoint, side, turn, upright=True):
        loaded = load_regressor(checkpoint)
        super().__init__(loaded._replace(crops=CropSettings(upright=upright)), "cpu")
        self.side = side
        self.mesh, self.hand, self.rotations = hand_at(self.model.hand_model, side, turn)
        self.seen = project(self.hand, K)
        self.batches = []
        self.lie = None

    @property
    def box(self):
        low, size = self.seen.min(0), np.ptp(self.seen, 0)
        return [*(low - 0.05 * size), *(1.1 * size)]

    def run_crops(self, crops, is_right):
        self.batches.append(len(crops))
        rows = [self._row(affine, mirror, right) for (_, affine, mirror), right in zip(crops, is_right, strict=True)]
        return {name: np.stack([row[name] for row in rows]).astype(np.float32) for name in rows[0]}

    def _row(self, affine, mirror, right):
        assert mirror == (self.side == "left")
        assert right == (self.side == "right")
        assert (np.linalg.det(affine[:, :2]) < 0) == mirror
        flat = px_to_normalised(transform_affine(self.seen, affine), self.image_size)
        mesh = flat.copy()
        if abs(upright_turns(flat)) > LIMIT:  # fingers up, as always, but in two ways that differ
            flat = np.random.default_rng(0).normal(0, 0.3, (21, 2))
            flat[0], flat[9] = [0, 0.6], [0, 0]
            mesh = flat * [-1, 1]
        if self.lie:
            flat, mesh = self.lie(flat, mesh, len(self.batches))
        return {
            "joints_25d": np.concatenate([flat, np.zeros((21, 1))], -1)[None],
            "joints_2d": mesh[None],
            "joints": (self.hand - PLACE)[None],
            "vertices": (self.mesh - PLACE)[None],
            "rotations": self.rotations[None],
            "axis_angle": Rotation.from_matrix(self.rotations).as_rotvec()[None],
            "betas": np.zeros((1, 10)),
            "camera": np.ones((1, 3)),
            "is_right": np.array([right]),
        }


def in_crop(hand, predictor):
    return px_to_normalised(transform_affine(predictor.seen, hand.crop_affine.astype(float)), predictor.image_size)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("degrees", [0, 35, 100, 180, -120, -50])
def test_any_turn_is_found_and_undone(trained_checkpoint, side, degrees):
    """The last crop is the one that training would have cut; the hand stays where it is in the image."""
    predictor = Oracle(trained_checkpoint, side, math.radians(degrees))
    assert np.degrees(upright_turns(predictor.seen)) % 360 == pytest.approx(-degrees % 360, abs=2)
    (hand,) = predictor(IMAGE, predictor.box, side, K)
    assert hand.side == side
    np.testing.assert_allclose(hand.joints, predictor.hand, atol=1e-4)
    np.testing.assert_allclose(hand.vertices, predictor.mesh, atol=1e-4)
    np.testing.assert_allclose(hand.joints_2d_image, predictor.seen, atol=1e-2)
    points = in_crop(hand, predictor)
    assert abs(math.degrees(upright_turns(points))) < 8
    assert np.ptp(points, 0).max() == pytest.approx(2 / 1.25**2, rel=0.1)
    assert np.abs(points.min(0) + points.max(0)).max() < 0.25
    assert (np.linalg.det(hand.crop_affine[:, :2]) < 0) == (side == "left")
    np.testing.assert_allclose(hand.box, predictor.box, rtol=1e-5)


def test_no_more_crops_than_needed(trained_checkpoint):
    """An upright hand in its box takes one; a turned one three more in one batch, and those that its joints ask for."""
    upright = Oracle(trained_checkpoint, "right", 0.0)
    upright(IMAGE, upright.box, "right", K)
    assert upright.batches == [1]
    turned = Oracle(trained_checkpoint, "right", math.pi)
    turned(IMAGE, [turned.box] * 2, "right", K)
    assert turned.batches[:2] == [2, 6]
    assert len(turned.batches) <= 4


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_known_turn_is_one_crop(trained_checkpoint, side):
    predictor = Oracle(trained_checkpoint, side, math.radians(70))
    (hand,) = predictor(IMAGE, predictor.box, side, K, turns=-70)
    assert predictor.batches == [1]
    assert abs(math.degrees(upright_turns(in_crop(hand, predictor)))) < 2
    np.testing.assert_allclose(hand.joints, predictor.hand, atol=1e-4)
    mixed = Oracle(trained_checkpoint, side, math.radians(70))
    known, found = mixed(IMAGE, [mixed.box] * 2, side, K, turns=[-70, None])
    np.testing.assert_allclose(known.crop_affine, hand.crop_affine, atol=1e-4)
    assert mixed.batches[:2] == [2, 3]
    np.testing.assert_allclose(found.joints, hand.joints, atol=1e-4)


def test_other_networks_look_once(trained_checkpoint):
    predictor = Oracle(trained_checkpoint, "right", 2.0, upright=False)
    predictor(IMAGE, predictor.box, "right", K)
    assert predictor.batches == [1]


def far_away(flat, mesh, batch):
    return (flat, mesh) if batch < 2 else (flat + 1.5, mesh + 1.5)


def far_too_small(flat, mesh, batch):
    return flat * 0.2, mesh * 0.2


def without_sense(flat, mesh, batch):
    return (flat, mesh) if batch < 2 else (flat, mesh * [-1, 1])


def first_leads_away(flat, mesh, batch):
    return flat + 0.9, mesh + 0.9


@pytest.mark.parametrize("lie", [far_away, far_too_small, without_sense, first_leads_away])
def test_a_pass_that_runs_away_is_dropped(trained_checkpoint, lie):
    """Joints outside the box, of another size, or that contradict each other, move no crop."""
    predictor = Oracle(trained_checkpoint, "right", math.radians(25))
    predictor.lie = lie
    (hand,) = predictor(IMAGE, predictor.box, "right", K)
    plain = Oracle(trained_checkpoint, "right", math.radians(25), upright=False)
    (given,) = plain(IMAGE, plain.box, "right", K)
    centre = np.linalg.norm((in_crop(hand, predictor).min(0) + in_crop(hand, predictor).max(0)) / 2)
    assert centre < 0.3, "the hand is still in the middle of its crop"
    ratio = np.linalg.det(hand.crop_affine[:, :2]) / np.linalg.det(given.crop_affine[:, :2])
    assert 0.5 < ratio < 2


def test_doubt_is_least_for_a_hand_that_fits():
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (21, 2))
    points[0], points[9] = [0, 0.64], [0, -0.64]

    def of(flat, mesh=None):
        mesh = flat if mesh is None else mesh
        return doubt({"joints_25d": np.pad(flat, ((0, 0), (0, 1)))[None], "joints_2d": mesh[None]})

    assert of(points) == pytest.approx(0, abs=1e-9)
    turn = Rotation.from_euler("z", 1.0).as_matrix()[:2, :2]
    worse = (of(points, points * 0.8), of(points @ turn.T), of(points + 0.6), of(points * 0.5), of(points * 0))
    assert min(worse) > 0.1
    assert np.isfinite(worse).all()


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_turned_picture_and_its_turn_give_the_turned_hand(predictor, pair_frames, side):
    """A property of the whole path, whatever the weights: picture and camera are turned clockwise by a quarter."""
    frame = next(frame for frame in pair_frames if any(hand["hand"] == side for hand in frame["hands"]))
    x, y, w, h = next(hand["box"] for hand in frame["hands"] if hand["hand"] == side)
    image, k = read_image(frame["file"]), np.array(frame["intrinsics"], float)
    height = image.shape[0]
    (plain,) = predictor(image, [x, y, w, h], side, k, turns=0)
    turned_k = np.array([[k[1, 1], 0, height - 1 - k[1, 2]], [0, k[0, 0], k[0, 2]], [0, 0, 1]])
    box = [height - y - h, x, h, w]
    (turned,) = predictor(np.ascontiguousarray(np.rot90(image, -1)), box, side, turned_k, turns=-90)
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    for name in ("joints", "vertices"):
        np.testing.assert_allclose(getattr(turned, name), getattr(plain, name) @ quarter.T, atol=2e-3)
    np.testing.assert_allclose(turned.global_orient, quarter @ plain.global_orient, atol=5e-3)
    np.testing.assert_allclose(turned.hand_pose, plain.hand_pose, atol=5e-3)
    expected = np.stack([height - 1 - plain.joints_2d_image[:, 1], plain.joints_2d_image[:, 0]], -1)
    np.testing.assert_allclose(turned.joints_2d_image, expected, atol=0.2)
