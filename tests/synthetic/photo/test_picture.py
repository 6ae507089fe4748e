"""Pictures of the photo-like set: visible hands, splits with their own photographs, objects that are held."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hand_penetration import winding_number

from gesturehand.skeleton import SIDES
from gesturehand.synthetic.articulation import hand_model
from gesturehand.synthetic.photo.hands import capture_photo
from gesturehand.synthetic.photo.picture import draw_photo
from gesturehand.synthetic.photo.plan import PhotoSettings, make_photo_plan
from gesturehand.synthetic.photo.surroundings import background, make_solid
from gesturehand.synthetic.render import surface_of
from gesturehand.synthetic.view import MASK_LEVELS

SETTINGS = PhotoSettings(subjects=(3, 1, 1), frames=(60, 5, 10), image_px=128)
PLAN = make_photo_plan(SETTINGS)
TIPS = [4, 8, 12, 16, 20]
KNUCKLES = [5, 9, 13, 17]


@pytest.fixture(scope="module")
def photos():
    return [draw_photo(planned, SETTINGS) for planned in PLAN[:60]]


def test_every_main_hand_is_visible_and_lies_in_its_mask(photos):
    for photo in photos:
        hand = photo.frame.hands[photo.main]
        mask = photo.mask == MASK_LEVELS[hand.side]
        assert mask.sum() > 150
        inside = photo.frame.joint_valid_image[0][photo.main]
        points = np.rint(photo.frame.cameras[0].project(hand.joints[inside])).astype(int)
        near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8))
        hidden = len(photo.frame.hands) == 2 or any(
            name.startswith(("held", "flat")) or "before" in name for name in photo.elements
        )
        if not hidden:
            assert near[points[:, 1], points[:, 0]].mean() > 0.8


def test_a_plan_has_both_sides_people_of_one_split_and_all_kinds():
    assert {frame.sides for frame in PLAN} == {("right",), ("left",), SIDES}
    people = {split: {frame.subject for frame in PLAN if frame.split == split} for split in ("train", "val", "test")}
    assert len(people["train"] | people["val"] | people["test"]) == 5
    assert all(len(frame.cameras) == 1 and frame.has_fit for frame in PLAN)
    assert len({frame.cameras for frame in PLAN}) == 6


def test_hands_point_up_if_they_should_and_anywhere_otherwise():
    def lean(share: float) -> np.ndarray:
        settings, out = replace(SETTINGS, upright_share=share), []
        for planned in PLAN[:40]:
            hands = capture_photo(planned, settings, np.random.default_rng(planned.frame_idx), grip=False)
            joints = hands.frame.hands[hands.main].joints
            out.append(np.degrees(np.arctan2(joints[9, 0] - joints[0, 0], joints[0, 1] - joints[9, 1])))
        return np.abs(out)

    # Perspective turns the projection a little, not the world.
    assert np.percentile(lean(1.0), 90) < 35
    assert np.median(lean(0.0)) > 50


def test_held_objects_lie_between_fingers_and_palm_and_not_in_them():
    held = 0
    for planned in PLAN:
        if planned.labelled or len(planned.sides) == 2:
            continue
        rng = np.random.default_rng(planned.frame_idx)
        hands = capture_photo(planned, SETTINGS, rng, grip=True)
        hand, solid = hands.frame.hands[0], make_solid(hands.frame.hands[0], rng, held=True)
        if solid is None or not solid.held:
            continue
        held += 1
        inside = winding_number(hand.joints, solid.vertices[solid.surface.faces]) > 0.5
        assert not inside.any()
        assert np.linalg.norm(solid.vertices.mean(0) - hand.joints[9]) < 0.1
    assert held >= 12


def test_clasped_hands_face_each_other_and_do_not_pass_through_each_other():
    """Judged by the plane of each palm, and by the winding number of one hand's mesh around the other's joints."""
    settings = PhotoSettings(
        subjects=(3, 0, 0), frames=(40, 0, 0), two_hand_share=1.0, rom_share=0.0, clasped_share=1.0
    )
    facing, interlaced = [], 0
    for planned in make_photo_plan(settings):
        hands = capture_photo(planned, settings, np.random.default_rng(planned.frame_idx), grip=False)
        assert "second hand, clasping the first" in hands.elements
        right, left = hands.frame.hands
        palms = []
        for hand, sign in ((right, 1), (left, -1)):
            out_of_palm = sign * np.cross(hand.joints[5] - hand.joints[0], hand.joints[17] - hand.joints[0])
            palms.append((hand.joints[[0, 5, 17]].mean(0), out_of_palm / np.linalg.norm(out_of_palm)))
        between = palms[1][0] - palms[0][0]
        facing.append(palms[0][1] @ palms[1][1] < -0.7 and palms[0][1] @ between > 0 and palms[1][1] @ between < 0)
        # All joints but the tips lie deeper below the skin than the 6 mm by which it may give way.
        inner = np.delete(right.joints, TIPS, axis=0)
        faces = surface_of(hand_model("left").faces, len(left.vertices)).faces
        assert not (winding_number(inner, left.vertices[faces]) > 0.5).any()
        tips, knuckles = right.joints[TIPS[1:]] - palms[1][0], left.joints[[5, 9, 13, 17]] - palms[1][0]
        interlaced += bool((tips @ palms[1][1] < (knuckles @ palms[1][1]).max()).any())
    assert np.mean(facing) > 0.85
    assert interlaced >= 3


def test_clasped_hands_are_the_share_of_the_two_hand_pictures_that_was_asked_for():
    settings = PhotoSettings(subjects=(6, 0, 0), frames=(120, 0, 0), two_hand_share=0.5, clasped_share=0.5)
    clasped = [
        "second hand, clasping the first"
        in capture_photo(planned, settings, np.random.default_rng(planned.frame_idx), grip=False).elements
        for planned in make_photo_plan(settings)
        if len(planned.sides) == 2
    ]
    assert len(clasped) == 60
    assert 18 <= sum(clasped) <= 42  # within three standard deviations


def test_fists_are_closed_and_half_of_them_are_seen_end_on():
    """Judged by the joints alone: where the fingers point, and the axis from wrist to middle knuckle."""
    settings = PhotoSettings(
        subjects=(6, 0, 0), frames=(150, 0, 0), two_hand_share=0.0, rom_share=0.8, outside_share=0.0, fist_share=1.0
    )
    curled, end_on, depths = [], [], []
    rng = np.random.default_rng(0)
    for planned in make_photo_plan(settings):
        hands = capture_photo(planned, settings, rng, grip=False)
        assert ("fist pose" in hands.elements) == (not planned.labelled)
        if planned.labelled:
            continue
        hand = hands.frame.hands[0]
        palm = hand.joints[KNUCKLES] - hand.joints[0]
        fingers = hand.joints[[knuckle + 3 for knuckle in KNUCKLES]] - hand.joints[KNUCKLES]
        curled.append(int(((palm * fingers).sum(1) < 0).sum()))
        axis = palm[1] / np.linalg.norm(palm[1])
        end_on.append(abs(axis[2]) > 0.7)
        inner = np.delete(hand.joints, TIPS, axis=0)
        faces = surface_of(hand_model(hand.side).faces, len(hand.vertices)).faces
        depths.append((winding_number(inner, hand.vertices[faces]) > 1.5).any())
    assert len(curled) == 120
    # Some fists have a finger or two stretched out, and a pose that would overlap is opened a little.
    assert np.mean(np.array(curled) >= 2) > 0.9
    assert 0.4 < np.mean(np.array(curled) == 4) < 0.85
    # Half are made so, and three of ten of the others by chance.
    assert 0.5 < np.mean(end_on) < 0.8
    # Fingers of a fist press on each other, but hardly a joint comes to lie in another part of the hand.
    assert np.mean(depths) < 0.03


def test_without_fists_a_set_is_the_one_it_was():
    plain = PhotoSettings().as_json()
    assert not {"fist_share", "clasped_share"} & plain.keys()
    assert PhotoSettings(fist_share=0.2).as_json()["fist_share"] == 0.2


def test_every_split_has_its_own_photographs(tmp_path):
    for number in range(20):
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), np.full((80, 120, 3), 12 * number, np.uint8))
    settings = replace(SETTINGS, backgrounds=str(tmp_path), backgrounds_licence="mine")
    seen = {}
    for split, subjects in (("train", range(12)), ("val", (100, 101)), ("test", (200, 201))):
        shades = set()
        for subject in subjects:
            for k in range(12):
                piece = background(settings, split, subject, np.random.default_rng(k))
                if piece.std() == 0:
                    shades.add(int(piece[0, 0, 0]) // 12)
        seen[split] = shades
    assert seen["test"] <= {0, 10}
    assert seen["val"] <= {1, 11}
    assert len(seen["train"]) > 8
    assert not seen["train"] & (seen["val"] | seen["test"])


def test_made_up_backgrounds_have_the_spectrum_of_photographs():
    """The amplitude of natural images falls approximately as 1/f."""
    spectra = []
    for k in range(40):
        grey = background(SETTINGS, "train", k % 6, np.random.default_rng(k)).mean(-1)
        window = np.hanning(len(grey))
        spectra.append(np.abs(np.fft.fft2((grey - grey.mean()) * window * window[:, None])))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(SETTINGS.image_px)] * 2))
    band = (frequency > 0.03) & (frequency < 0.3)
    slope = np.polyfit(np.log(frequency[band]), np.log(np.mean(spectra, 0)[band]), 1)[0]
    assert -2.2 < slope < -0.8
