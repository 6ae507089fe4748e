"""Pictures: order of surfaces, arms, and nothing around a hand that depends on its gesture."""

from dataclasses import replace

import numpy as np

from gesturehand.gestures import fine_index
from gesturehand.synthetic.arm import CLOTH, HAND, SKIN, limb_surface
from gesturehand.synthetic.articulation import hand_model
from gesturehand.synthetic.capture import capture_frame
from gesturehand.synthetic.placement import palm_centre
from gesturehand.synthetic.plan import SetSettings, make_plan
from gesturehand.synthetic.render import Light, Mesh, render_meshes
from gesturehand.synthetic.view import draw_view

PLAN = make_plan(SetSettings(subjects=(2, 0, 0), frames=(70, 0, 0), wrist_cone_deg=180.0, outside_share=0.1))


def test_everything_far_from_the_hand_is_the_same_for_every_gesture():
    far_px, hidden = 185, []
    for planned in PLAN[::9]:
        pictures = []
        for gesture in ("fist", "open_spread", "surfer"):
            frame = capture_frame(replace(planned, fine=(fine_index(gesture),), phase=0.5), 0, 180.0)
            image, mask = draw_view(frame, 0, 0)
            palm = frame.cameras[0].project(palm_centre(frame.hands[0].joints))
            rows, columns = np.indices(mask.shape)
            far = np.hypot(columns - palm[0], rows - palm[1]) > far_px
            assert not mask[far].any()
            pictures.append(np.where(far[..., None], image, 0).astype(int))
            hidden.append((~far).mean())
        # The start of the region that is drawn depends on the fingers, which changes the rounding of single pixels.
        for other in pictures[1:]:
            assert np.abs(pictures[0] - other).max() <= 2
            assert (pictures[0] != other).sum() <= 6
    assert np.mean(hidden) < 0.75


def test_the_arm_continues_the_hand_and_is_not_in_its_mask():
    for side in ("right", "left"):
        surface, material = limb_surface(side)
        edges = {(int(a), int(b)) for face in surface.faces for a, b in zip(face, np.roll(face, -1), strict=True)}
        assert len(edges) == 3 * len(surface.faces)
        assert all((b, a) in edges for a, b in edges)
        assert (material == HAND).sum() == len(hand_model(side).faces)
        assert set(material) == {HAND, SKIN, CLOTH}


def test_the_order_of_painting_agrees_with_the_depth_of_every_pixel():
    intrinsics = np.array([[635.0, 0, 83.0], [0, 635.0, 83.0], [0, 0, 1]])
    light = Light(np.array([0.0, 0, -1.0]), 0.5, 0.5)
    wrong = seen = 0
    for planned in PLAN[::10]:
        frame = capture_frame(planned, 0, 180.0)
        faces = hand_model(frame.hands[0].side).faces
        points = frame.cameras[0].to_camera(frame.hands[0].vertices)
        points = points - points.mean(0) + [0, 0, 0.95]
        surface, _ = limb_surface(frame.hands[0].side)
        # One material for each finger's breadth: 200 faces share a number.
        material = np.concatenate([np.arange(len(faces)) // 20, np.zeros(len(surface.faces) - len(faces), int)])
        hand_only = replace(
            surface,
            faces=surface.faces[: len(faces)],
            face_to_vertex=surface.face_to_vertex[: len(points), : len(faces)],
        )
        drawn = render_meshes(
            np.zeros((166, 166, 3), np.uint8),
            [Mesh(points, hand_only, material[: len(faces)])],
            [np.full(3, 200.0)] * 200,
            intrinsics,
            light,
        )
        painted = drawn.astype(int)
        _, depth = z_buffer(points, faces, intrinsics)
        both = (painted > 0) & np.isfinite(depth)
        for row, column in np.argwhere(both):
            group = faces[(painted[row, column] - 1) * 20 : painted[row, column] * 20]
            # Correct where the painted patch of skin lies within 3 mm of the nearest surface.
            seen += 1
            wrong += points[group][..., 2].min() > depth[row, column] + 0.003
    assert seen > 10000
    assert wrong / seen < 0.01


def z_buffer(points: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest face and depth at every pixel's centre, one triangle after another."""
    projected = points @ intrinsics.T
    pixels = projected[:, :2] / projected[:, 2:]
    depth, near = np.full((166, 166), np.inf), np.full((166, 166), -1)
    for number, face in enumerate(faces):
        (ax, ay), (bx, by), (cx, cy) = pixels[face]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area >= 0:
            continue
        rows = np.arange(max(int(np.ceil(min(ay, by, cy))), 0), min(int(max(ay, by, cy)), 165) + 1)
        columns = np.arange(max(int(np.ceil(min(ax, bx, cx))), 0), min(int(max(ax, bx, cx)), 165) + 1)
        if not len(rows) or not len(columns):
            continue
        y, x = np.meshgrid(rows, columns, indexing="ij")
        u = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        v = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        za, zb, zc = 1 / points[face, 2]
        z = 1 / ((1 - u - v) * za + u * zb + v * zc)
        better = (u >= 0) & (v >= 0) & (u + v <= 1) & (z < depth[y, x])
        depth[y[better], x[better]], near[y[better], x[better]] = z[better], number
    return near, depth
