import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gesturehand.errors import UserError
from gesturehand.gestures import NO_GESTURE, gesture_of_sequence, vocabulary
from gesturehand.splits import SPLITS
from gesturehand.synthetic.cameras import CAMERA_NAMES
from gesturehand.synthetic.plan import OPENHAND_V1, PlannedFrame, SetSettings, make_plan, sequence_numbers

DEFAULT = SetSettings(frames=(700, 70, 280))


def plan(**changes: Any) -> list[PlannedFrame]:
    return make_plan(replace(DEFAULT, **changes))


def test_every_split_has_its_frames_and_no_subject_is_in_two():
    planned = plan()
    assert Counter(frame.split for frame in planned) == dict(zip(SPLITS, (700, 70, 280), strict=True))
    subjects = {split: {frame.subject for frame in planned if frame.split == split} for split in SPLITS}
    assert [len(subjects[split]) for split in SPLITS] == [8, 2, 4]
    assert len(set.union(*subjects.values())) == 14
    captures = {frame.subject: frame.capture for frame in planned}
    assert len(set(captures.values())) == 14
    assert all(frame.capture == captures[frame.subject] != frame.subject for frame in planned)


def test_labels_subjects_and_hands_are_balanced():
    train = [frame for frame in plan() if frame.split == "train"]
    assert set(Counter(frame.fine for frame in train).values()) == {20}
    assert set(Counter((frame.fine, frame.subject) for frame in train).values()) <= {2, 3}
    assert abs(sum(frame.sides == ("left",) for frame in train) - 350) <= 20
    for share in (0.0, 0.3, 1.0):
        left = sum(frame.sides == ("left",) for frame in plan(left_share=share))
        assert left == pytest.approx(share * 1050, abs=60 if 0 < share < 1 else 0)


def test_sequence_names_are_interhands_and_carry_the_label():
    planned = plan(two_hand_share=0.2, rom_share=0.1)
    for frame in planned:
        number, _, name = frame.seq_name.partition("_")
        label = gesture_of_sequence(frame.seq_name)
        if frame.labelled:
            assert label == (vocabulary().parent[frame.fine[0]], frame.fine[0])
            assert number == f"{sequence_numbers()[name] + (100 if frame.sides == ('left',) else 0):04d}"
        else:
            assert label == (NO_GESTURE, NO_GESTURE)
            if len(frame.sides) == 2:
                assert frame.sides == ("right", "left")
                assert number[:2] in ("02", "03")
                assert name.startswith("dh_")
            else:
                assert frame.seq_name.startswith("ROM")
    test = [frame for frame in planned if frame.split == "test"]
    assert sum(len(frame.sides) == 2 for frame in test) == 56
    assert sum(frame.seq_name.startswith("ROM") for frame in test) == 28


def test_all_46_names_occur_and_the_samples_numbers_are_right():
    names = {frame.seq_name.partition("_")[2] for frame in plan()}
    assert names == set(vocabulary().fine_of_sequence) == set(sequence_numbers())
    # Two of the real sample's frames: 0007_thumbup_normal and, for a left hand, 0115_rocker_backside.
    assert sequence_numbers()["thumbup_normal"] == 7
    assert sequence_numbers()["rocker_backside"] == 15


def test_frames_are_unique_within_a_capture_and_run_through_their_sequence():
    planned = plan(views=2)
    assert len({(frame.capture, frame.frame_idx) for frame in planned}) == len(planned)
    for split in SPLITS:
        ids = [frame.image_id for frame in planned if frame.split == split]
        assert ids == list(range(0, 2 * len(ids), 2))
    sequences: dict[tuple[int, str], list[PlannedFrame]] = {}
    for frame in planned:
        sequences.setdefault((frame.capture, frame.seq_name), []).append(frame)
    for frames in sequences.values():
        phases = [frame.phase for frame in sorted(frames, key=lambda frame: frame.frame_idx)]
        assert phases == sorted(phases)
        assert 0 <= phases[0] <= phases[-1] < 1


def test_frames_without_a_fit_and_views():
    planned = plan(without_fit_share=0.1, views=3)
    assert sum(not frame.has_fit for frame in planned) == 70 + 7 + 28
    assert all(len(set(frame.cameras)) == 3 for frame in planned)


def test_only_the_asked_gestures():
    names = {vocabulary().fine[frame.fine[0]] for frame in plan(gestures=["fist", "cup"])}
    assert names == {"fist", "cup"}


def test_some_hands_are_partly_outside():
    planned = plan(outside_share=0.1, two_hand_share=0.5)
    assert sum(frame.partly_outside for frame in planned) == round(0.1 * 350) + round(3.5) + 14
    assert {len(frame.sides) for frame in planned if frame.partly_outside} == {1}


def test_some_cameras_are_in_the_test_split_only():
    held_out = ("400053", "410053")
    planned = plan(test_only_cameras=held_out)
    used = {split: {c for frame in planned if frame.split == split for c in frame.cameras} for split in SPLITS}
    assert used["train"] == set(CAMERA_NAMES) - set(held_out)
    assert not used["val"] & set(held_out)
    assert used["test"] == set(CAMERA_NAMES)


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


def test_the_benchmark_has_every_kind_of_frame_and_cameras_only_in_the_test():
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
