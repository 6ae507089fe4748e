"""Mesh files, read by trimesh."""

import io

import numpy as np
import pytest
import trimesh

from gesturehand.inference.mesh_files import obj_bytes, ply_bytes


@pytest.fixture(scope="module")
def hands(predictor, frame_with_both):
    boxes = [hand["box"] for hand in frame_with_both["hands"]]
    return predictor(frame_with_both["file"], boxes, ["right", "left"], frame_with_both["intrinsics"])


def test_obj_has_an_object_a_hand(hands):
    scene = trimesh.load(
        io.BytesIO(obj_bytes(hands)), file_type="obj", process=False, split_objects=True, group_material=False
    )
    assert sorted(scene.geometry) == ["hand0_right", "hand1_left"]
    for name, hand in zip(("hand0_right", "hand1_left"), hands, strict=True):
        corners = scene.geometry[name].triangles
        np.testing.assert_allclose(corners, hand.vertices[hand.faces], atol=1e-6)


def test_ply_has_all_hands_and_their_colours(hands):
    mesh = trimesh.load(io.BytesIO(ply_bytes(hands)), file_type="ply", process=False)
    np.testing.assert_array_equal(mesh.vertices.astype(np.float32), np.concatenate([hand.vertices for hand in hands]))
    count = len(hands[0].vertices)
    np.testing.assert_array_equal(mesh.faces, np.concatenate([hands[0].faces, hands[1].faces + count]))
    colours = mesh.visual.vertex_colors[:, :3]
    assert len(np.unique(colours[:count], axis=0)) == len(np.unique(colours[count:], axis=0)) == 1
    assert (colours[0] != colours[-1]).any()


def test_outside_is_outside(hands):
    """Normals point away from the hand, on both sides: the meshes would otherwise be drawn inside out."""
    for hand in hands:
        mesh = trimesh.Trimesh(hand.vertices, hand.faces, process=False)
        mesh.fill_holes()
        assert mesh.volume > 0


def test_no_hands():
    assert b"element vertex 0" in ply_bytes([])
    assert obj_bytes([]).startswith(b"#")
