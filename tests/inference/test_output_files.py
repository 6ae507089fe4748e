"""Mesh files, read by trimesh."""

import io
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from gesturehand.errors import UserError
from gesturehand.inference.output_files import mesh_bytes, obj_bytes, parse_formats, ply_bytes


@pytest.fixture(scope="module")
def hands(predictor, frame_with_both):
    boxes = [hand["box"] for hand in frame_with_both["hands"]]
    return predictor(frame_with_both["file"], boxes, ["right", "left"], frame_with_both["intrinsics"])


def test_obj_has_one_object_per_hand(hands):
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
    """Normals point away from the hand, for both sides: otherwise the meshes would be drawn inside out."""
    for hand in hands:
        mesh = trimesh.Trimesh(hand.vertices, hand.faces, process=False)
        mesh.fill_holes()
        assert mesh.volume > 0


def test_no_hands():
    assert b"element vertex 0" in ply_bytes([])
    assert obj_bytes([]).startswith(b"#")


def test_glb_has_one_coloured_node_per_hand_with_y_up(hands):
    scene = trimesh.load(io.BytesIO(mesh_bytes(hands, "glb")), file_type="glb", process=False)
    assert sorted(scene.graph.nodes_geometry) == ["hand0_right", "hand1_left"]
    colours = []
    for name, hand in zip(("hand0_right", "hand1_left"), hands, strict=True):
        transform, geometry = scene.graph[name]
        np.testing.assert_array_equal(transform, np.eye(4))
        mesh = scene.geometry[geometry]
        np.testing.assert_allclose(mesh.triangles, hand.vertices[hand.faces] * [1, -1, -1], atol=1e-6)
        outwards = (mesh.vertex_normals * (mesh.vertices - mesh.vertices.mean(0))).sum(-1)
        assert (outwards > 0).mean() > 0.7
        colours.append(tuple(mesh.visual.material.baseColorFactor[:3]))
    assert colours[0][0] > colours[0][2]  # right hands are warm, left ones cool
    assert colours[1][0] < colours[1][2]


def test_y_up_turns_obj_and_ply_about_x(hands):
    turned = np.concatenate([hand.vertices for hand in hands]) * [1, -1, -1]
    for kind in ("obj", "ply"):
        mesh = trimesh.load(io.BytesIO(mesh_bytes(hands, kind, y_up=True)), file_type=kind, process=False, force="mesh")
        np.testing.assert_allclose(mesh.vertices, turned, atol=1e-6)
    assert mesh_bytes(hands, "obj") == obj_bytes(hands)


def test_a_glb_without_hands_is_a_scene_without_nodes():
    scene = trimesh.load(io.BytesIO(mesh_bytes([], "glb")), file_type="glb")
    assert len(scene.geometry) == 0


def test_formats_by_name():
    assert parse_formats("GLB, obj,obj") == ("obj", "glb")
    for text in ("", "stl", "obj,", "obj;ply"):
        with pytest.raises(UserError, match="give one or more of obj, ply, glb"):
            parse_formats(text)


def test_glb_without_trimesh_names_the_extra():
    """In a separate process, in which trimesh cannot be imported."""
    code = """
import sys
sys.modules["trimesh"] = None
from gesturehand.errors import UserError
from gesturehand.inference.output_files import parse_formats
parse_formats("obj,ply")
try:
    parse_formats("glb")
except UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "GLB needs trimesh: install it with pip install 'gesturehand[glb]'.\n"
