"""Skin tone: the angle against its definition's closed form, the groups, and means of planted errors."""

import numpy as np
import pytest

from gesturehand.evaluation.skin_tone import (
    TONE_GROUPS,
    errors_by_tone,
    mean_with_interval,
    palm_angle,
    tone_group,
    typology_angle,
)


def rgb_of_lab(lightness, red, yellow):
    """sRGB, 0 to 255, of a colour in CIE L*a*b* (D65), by the definitions, step by step."""
    f = (lightness + 16) / 116
    f = np.array([f + red / 500, f, f - yellow / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.95047, 1.0, 1.08883]
    linear = (
        np.array(
            [
                [3.2404542, -1.5371385, -0.4985314],
                [-0.9692660, 1.8760108, 0.0415560],
                [0.0556434, -0.2040259, 1.0572252],
            ]
        )
        @ xyz
    )
    return 255 * np.where(linear > 0.0031308, 1.055 * np.clip(linear, 0, 1) ** (1 / 2.4) - 0.055, 12.92 * linear)


@pytest.mark.parametrize(
    ("lightness", "yellow", "angle"),
    [(70, 20, 45), (50, 15, 0), (50 + 16 * np.sqrt(3), 16, 60), (30, 20, -45), (50 - 18 / np.sqrt(3), 18, -30)],
)
def test_the_angle_is_that_of_known_colours(lightness, yellow, angle):
    colour = rgb_of_lab(lightness, 12, yellow)
    assert typology_angle(colour) == pytest.approx(angle, abs=0.5)
    pixels = np.tile(colour, (4, 5, 1))
    assert typology_angle(pixels) == pytest.approx(np.full((4, 5), angle), abs=0.5)


def test_colours_bluer_than_grey_have_none():
    assert np.isnan(typology_angle(rgb_of_lab(60, 10, -5)))
    assert tone_group(float("nan")) is None


@pytest.mark.parametrize(("place", "angle"), enumerate([55, 41, 28, 10, -30]))
def test_groups_end_at_the_published_angles(place, angle):
    names = list(TONE_GROUPS)
    assert tone_group(angle + 1e-6) == names[place]
    assert tone_group(angle) == names[place + 1]


@pytest.fixture
def hand():
    """A picture that is dark except in the square between wrist and knuckles, and the joints of a hand there."""
    image = np.tile(rgb_of_lab(30, 12, 20), (100, 100, 1)).round().astype(np.uint8)
    image[40:81, 30:71] = rgb_of_lab(70, 12, 20).round()
    joints = np.full((21, 2), 5.0)
    joints[[0, 5, 9, 13, 17]] = [[50, 80], [32, 45], [42, 42], [55, 42], [68, 46]]
    return image, joints


def test_the_palm_alone_is_seen_and_spots_do_not_count(hand):
    image, joints = hand
    assert palm_angle(image, joints) == pytest.approx(45, abs=1)
    image[50:56, 40:60] = (20, 20, 200)
    assert palm_angle(image, joints) == pytest.approx(45, abs=1)
    # Partly outside: the rest of the palm determines the tone.
    assert palm_angle(image, joints - [40.0, 0.0]) == pytest.approx(-45, abs=1)


def test_a_palm_that_cannot_be_seen_has_no_angle(hand):
    image, joints = hand
    assert np.isnan(palm_angle(image, joints + 500))
    assert np.isnan(palm_angle(image, joints * 0.05))
    image[:] = rgb_of_lab(60, 0, -20).round()
    assert np.isnan(palm_angle(image, joints))


def test_intervals_are_those_of_independent_people():
    """With one hand each they are the mean's; copies of all hands change nothing, as a copy is not another person."""
    values = np.random.default_rng(1).normal(5, 2, 400)
    mean, low, high = mean_with_interval(values, range(400))
    half = 1.96 * values.std() / np.sqrt(400)
    assert mean == pytest.approx(values.mean())
    assert [low, high] == pytest.approx([mean - half, mean + half], abs=0.15 * half)
    again = mean_with_interval(np.repeat(values, 5), np.repeat(np.arange(400), 5))
    assert again == pytest.approx((mean, low, high))
    assert np.isnan(mean_with_interval([1.0, 2.0], ["a", "a"])[1:]).all()


def test_planted_errors_are_found_in_their_groups():
    planted = {"very light": 1.0, "tan": 3.0, "dark": 7.0, None: 11.0}
    angle = {"very light": 60.0, "tan": 20.0, "dark": -50.0, None: float("nan")}
    # Each group has two people, with two hands and one; half the errors lie above and half below the planted one.
    hands = [(group, person, off) for group in planted for person, off in ((0, 0.5), (0, 0.5), (1, -1.0))]
    hands = [hands[place] for place in np.random.default_rng(0).permutation(len(hands))]
    errors = [planted[group] + off for group, _, off in hands]
    rows = errors_by_tone(
        [angle[group] for group, *_ in hands], {"first": errors, "tenfold": [10 * e for e in errors]},
        [(group, person) for group, person, _ in hands],
    )  # fmt: skip
    assert [row["group"] for row in rows] == ["very light", "tan", "dark", None]
    for row in rows:
        assert (row["hands"], row["people"]) == (3, 2)
        expected = planted[row["group"]]
        # The extremes with two people: both draws give the one, or both the other.
        assert row["first"] == pytest.approx((expected, expected - 1, expected + 0.5))
        assert row["tenfold"] == pytest.approx((10 * expected, 10 * expected - 10, 10 * expected + 5))
