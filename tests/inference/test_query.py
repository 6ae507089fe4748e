"""What is asked: images, boxes and sides of a call, intrinsics, and the crops that come of them."""

import cv2
import numpy as np
import pytest

from gesturehand.data.image_file import read_image
from gesturehand.errors import UserError
from gesturehand.inference.boxes import BOX_SCALE, HandBox
from gesturehand.inference.query import ImageQuery, crops_of, hands_from, image_of, intrinsics_matrix

IMAGE = np.zeros((200, 300, 3), np.uint8)


def test_hands_of_a_call():
    assert hands_from(None, None) == (HandBox(),)
    assert hands_from(None, "left") == (HandBox(None, "left"),)
    assert hands_from([1, 2, 3, 4], None) == (HandBox((1, 2, 3, 4)),)
    assert hands_from(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), "left") == (
        HandBox((1, 2, 3, 4), "left"),
        HandBox((5, 6, 7, 8), "left"),
    )
    assert hands_from([[1, 2, 3, 4], [5, 6, 7, 8]], ["left", "right"])[1].hand == "right"
    assert hands_from([], None) == hands_from(np.zeros((0, 4)), []) == ()


def test_turns_of_a_call():
    boxes = [[1, 2, 3, 4], [5, 6, 7, 8]]
    for turns in (30, 30.0, np.float32(30), [30, 30], np.array([30, 30]), (30, 30)):
        assert [hand.turn_deg for hand in hands_from(boxes, None, turns)] == [30, 30]
    assert [hand.turn_deg for hand in hands_from(boxes, None, [None, -5])] == [None, -5]
    assert hands_from(None, None, 90) == (HandBox(turn_deg=90),)
    for wrong in ("30", [1, "x"], [1, np.nan], True):
        with pytest.raises(UserError, match=r"The turn is .*: give the degrees"):
            hands_from(boxes, None, wrong)
    for wrong in ([1], [1, 2, 3]):
        with pytest.raises(UserError, match=rf"There are 2 boxes and {len(wrong)} turns"):
            hands_from(boxes, None, wrong)


def test_crops_know_their_turn_unless_they_show_two_hands():
    query = ImageQuery(IMAGE, (HandBox((10, 20, 50, 100), "right", 30), HandBox((10, 20, 50, 100), "right")))
    assert [crop.turn_deg for crop in crops_of(query, IMAGE, False, BOX_SCALE)] == [30, None]
    assert [crop.turn_deg for crop in crops_of(query, IMAGE, True, BOX_SCALE)] == [None, None]


@pytest.mark.parametrize(
    ("boxes", "hands", "message"),
    [
        ([[1, 2, 3]], None, r"boxes has the shape \(1, 3\)"),
        ([[1, 2, 3, 0]], None, "Box 0 is"),
        ([[1, 2, 3, 4]], ["left", "right"], "1 boxes and 2 hands"),
        (None, ["left", "right"], "1 boxes and 2 hands"),
        ([[1, 2, 3, 4]], "up", "The side is 'up'"),
    ],
)
def test_what_a_call_cannot_ask(boxes, hands, message):
    with pytest.raises(UserError, match=message):
        hands_from(boxes, hands)


def test_intrinsics_in_every_form():
    expected = [[500.0, 0, 160], [0, 510, 120], [0, 0, 1]]
    for given in ("500,510,160,120", (500, 510, 160, 120), np.array(expected), expected):
        assert intrinsics_matrix(given).tolist() == expected
    for wrong in ("500,510,160", (0, 510, 160, 120), np.eye(4), "a,b,c,d", (np.nan, 1, 1, 1)):
        with pytest.raises(UserError, match="give fx,fy,cx,cy"):
            intrinsics_matrix(wrong)


def test_images_in_every_form(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
    np.testing.assert_array_equal(image_of(ImageQuery(str(tmp_path / "a.png"))), picture)
    np.testing.assert_array_equal(image_of(ImageQuery(picture)), picture)
    for wrong in (picture[..., 0], picture.astype(float), picture[:0], np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(UserError, match=r"is an array of shape .* give \(height, width, 3\) uint8"):
            image_of(ImageQuery(wrong))


def test_images_that_cannot_be_read(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"text.jpg' is not a readable image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(UserError, match=r"none.jpg' is missing"):
        read_image(tmp_path / "none.jpg")


def test_one_crop_a_hand():
    query = ImageQuery(IMAGE, (HandBox((10, 20, 50, 100)), HandBox((20, 30, 60, 50), "left"), HandBox()))
    first, second, third = crops_of(query, IMAGE, False, 1.5)
    assert (first.sides, second.sides, third.sides) == (("right",), ("left",), ("right",))
    assert first.square.tolist() == [34.5, 69.5, 150]
    assert third.square.tolist() == [149.5, 99.5, 300]
    assert third.box == (0, 0, 300, 200)


def test_a_one_hand_network_cannot_show_both():
    with pytest.raises(UserError, match="sees one hand at a time"):
        crops_of(ImageQuery(IMAGE, (HandBox(None, "both"),)), IMAGE, False, BOX_SCALE)


def test_box_outside_the_image():
    with pytest.raises(UserError, match=r"lies outside 'x.jpg', which has 300 × 200 px"):
        crops_of(ImageQuery(IMAGE, (HandBox((400, 0, 5, 5)),), name="'x.jpg'"), IMAGE, False, BOX_SCALE)


def test_a_two_hand_network_gets_near_hands_in_one_crop():
    hands = (
        HandBox((10, 10, 40, 40), "left"),
        HandBox((200, 100, 50, 50), "right"),  # far from the left one
        HandBox((60, 20, 40, 60), "right"),
        HandBox(None, None),
    )
    requests = crops_of(ImageQuery(IMAGE, hands), IMAGE, True, 1.5)
    by_order = {request.order: request for request in requests}
    pair = by_order[(2, 0)]
    assert pair.sides == ("right", "left")
    assert pair.box == (10, 10, 90, 70)
    assert pair.square.tolist() == [54.5, 44.5, 135]
    assert by_order[(1,)].sides == ("right",)
    assert by_order[(3, 3.5)].sides == ("right", "left")


def test_every_hand_is_in_one_pair_only():
    hands = tuple(
        HandBox((x, 10, 60, 60), side) for x, side in ((0, "right"), (30, "left"), (50, "left"), (75, "right"))
    )
    requests = crops_of(ImageQuery(IMAGE, hands), IMAGE, True, 1.0)
    assert sorted(order for request in requests for order in request.order) == [0, 1, 2, 3]
    assert sorted(request.order for request in requests) == [(0, 1), (3, 2)]
