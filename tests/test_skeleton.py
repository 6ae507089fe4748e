"""The tables of the skeleton against their names and against lists written out by hand."""

import numpy as np
import pytest

from gesturehand import skeleton


def spelled_out(names: str) -> list[str]:
    return names.split()


PAPERS = spelled_out(
    "wrist thumb1 thumb2 thumb3 thumb4 index1 index2 index3 index4 middle1 middle2 middle3 middle4 "
    "ring1 ring2 ring3 ring4 pinky1 pinky2 pinky3 pinky4"
)
INTERHAND = spelled_out(
    "thumb4 thumb3 thumb2 thumb1 index4 index3 index2 index1 middle4 middle3 middle2 middle1 "
    "ring4 ring3 ring2 ring1 pinky4 pinky3 pinky2 pinky1 wrist"
)
MANO = spelled_out(
    "wrist index1 index2 index3 middle1 middle2 middle3 pinky1 pinky2 pinky3 ring1 ring2 ring3 thumb1 thumb2 thumb3"
)


@pytest.mark.parametrize(
    ("permutation", "source", "destination"),
    [
        (skeleton.JOINTS_FROM_INTERHAND, INTERHAND, PAPERS),
        (skeleton.INTERHAND_FROM_JOINTS, PAPERS, INTERHAND),
        (skeleton.JOINTS_FROM_MANO_AND_TIPS, [*MANO, "thumb4", "index4", "middle4", "ring4", "pinky4"], PAPERS),
        (skeleton.JOINT_OF_MANO_ROTATION, PAPERS, MANO),
    ],
)
def test_permutation_moves_every_name_to_its_place(permutation, source, destination):
    assert list(np.array(source)[list(permutation)]) == destination


def test_names_are_in_the_order_of_the_tables():
    assert list(skeleton.JOINT_NAMES) == PAPERS
    assert list(skeleton.INTERHAND_JOINT_NAMES) == INTERHAND
    assert list(skeleton.MANO_JOINT_NAMES) == MANO
    assert (len(PAPERS), len(MANO)) == (skeleton.NUM_JOINTS, skeleton.NUM_MANO_JOINTS)


def test_bones_form_a_tree_from_the_wrist():
    assert len(skeleton.BONES) == 20
    assert sorted(child for _, child in skeleton.BONES) == list(range(1, 21))
    reached = {PAPERS.index("wrist")}
    for _ in skeleton.BONES:
        reached |= {child for parent, child in skeleton.BONES if parent in reached}
    assert reached == set(range(21))


def test_a_bone_joins_neighbours_of_one_finger_or_starts_at_the_wrist():
    for parent, child in skeleton.BONES:
        finger, k = PAPERS[child][:-1], int(PAPERS[child][-1])
        assert PAPERS[parent] == ("wrist" if k == 1 else f"{finger}{k - 1}")


def test_manos_parents_are_those_of_the_skeleton():
    for child, parent in enumerate(skeleton.MANO_PARENTS):
        joint = PAPERS.index(MANO[child])
        expected = skeleton.JOINT_PARENTS[joint]
        assert (PAPERS.index(MANO[parent]) if parent >= 0 else -1) == expected


def test_named_joints():
    assert PAPERS[skeleton.WRIST] == "wrist"
    assert PAPERS[skeleton.MIDDLE_MCP] == "middle1"
    assert skeleton.MIDDLE_MCP == 9


def test_fingertip_sets_of_the_evaluation_protocols():
    assert skeleton.TIP_VERTICES["eanet"] == (745, 317, 444, 556, 673)
    assert skeleton.TIP_VERTICES["smplx"] == (744, 320, 443, 554, 671)
    differing = [
        finger
        for finger, a, b in zip(
            skeleton.FINGERS, skeleton.TIP_VERTICES["eanet"], skeleton.TIP_VERTICES["interhand"], strict=True
        )
        if a != b
    ]
    assert differing == ["middle"]
