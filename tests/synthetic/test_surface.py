import numpy as np

from gesturehand.hand.open_hand import open_hand
from gesturehand.synthetic.surface import boundary_loops, surface_of


def test_the_surface_is_closed():
    surface = surface_of(open_hand("right").faces, open_hand("right").num_vertices)
    edges = {(int(a), int(b)) for face in surface.faces for a, b in zip(face, np.roll(face, -1), strict=True)}
    assert len(edges) == 3 * len(surface.faces)
    assert all((b, a) in edges for a, b in edges)


def test_the_only_hole_of_the_hand_is_its_wrist():
    hand = open_hand("right")
    (loop,) = boundary_loops(hand.faces)
    assert len(loop) == len(set(loop)) == 20
    # All of it lies behind the wrist joint, and neighbours along it are neighbours on the mesh.
    assert (hand.v_template[loop, 0] > hand.joints[0, 0]).all()
    edges = {frozenset(pair) for face in hand.faces for pair in zip(face, np.roll(face, -1), strict=True)}
    assert all(frozenset(pair) in edges for pair in zip(loop, np.roll(loop, -1), strict=True))
    assert boundary_loops(surface_of(hand.faces, hand.num_vertices).faces) == []
