import json
from dataclasses import replace

import pytest

from gesturehand.errors import UserError
from gesturehand.synthetic.cameras import CAMERA_NAMES
from gesturehand.synthetic.settings import OPENHAND_V1, SetSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gestures": ["fist", "a_oky"]}, "did you mean 'a_okay'"),
        ({"left_share": 1.5}, "left_share"),
        ({"outside_share": -0.1}, "outside_share"),
        ({"two_hand_share": 0.7, "rom_share": 0.7}, "together"),
        ({"views": 13}, "views"),
        ({"views": 12, "test_only_cameras": ["400053"]}, "between 1 and 11"),
        ({"test_only_cameras": ["400099"]}, "no camera '400099'"),
        ({"subjects": (8, 2)}, "subjects"),
        ({"subjects": (8, 0, 4)}, "val"),
        ({"frames": (10, -1, 4)}, "frames"),
        ({"frames": (0, 0, 0)}, "no frame"),
        ({"seed": -1}, "seed"),
        ({"wrist_cone_deg": 200.0}, "wrist_cone_deg"),
    ],
)
def test_wrong_settings(changes, message):
    with pytest.raises(UserError, match=message):
        SetSettings(**changes)


def test_the_benchmark_has_every_kind_of_frame_and_cameras_of_its_own_in_the_test():
    assert OPENHAND_V1.wrist_cone_deg == 180
    shares = (
        OPENHAND_V1.two_hand_share,
        OPENHAND_V1.rom_share,
        OPENHAND_V1.without_fit_share,
        OPENHAND_V1.outside_share,
    )
    assert min(shares) > 0
    seen = set(OPENHAND_V1.cameras("train"))
    assert set(OPENHAND_V1.cameras("test")) == set(CAMERA_NAMES) > seen
    assert {name[:2] for name in set(CAMERA_NAMES) - seen} == {"40", "41"}


def test_settings_as_json_tell_sets_apart():
    text = json.dumps(OPENHAND_V1.as_json())
    assert text == json.dumps(replace(OPENHAND_V1, subjects=list(OPENHAND_V1.subjects)).as_json())
    assert text != json.dumps(replace(OPENHAND_V1, seed=1).as_json())
