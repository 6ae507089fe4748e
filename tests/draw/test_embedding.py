import cv2
import numpy as np

from gesturehand.draw.embedding import save_embedding


def test_every_class_has_a_map_of_its_own(tmp_path):
    """Where all samples of a class lie at one place, every map shows one coloured dot."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(27), 4)
    places = np.repeat(rng.uniform(-1, 1, (27, 2)), 4, axis=0)
    save_embedding(tmp_path / "map.png", places, labels, [f"class {k}" for k in range(27)], (0.5, 0.3), "title")
    picture = cv2.imread(str(tmp_path / "map.png")).astype(int)
    blue = ((picture[..., 0] > 130) & (picture[..., 2] < 60)).astype(np.uint8)
    assert cv2.connectedComponents(blue)[0] - 1 == 27


def test_one_class_at_one_place(tmp_path):
    save_embedding(tmp_path / "map.png", np.zeros((3, 2)), np.full(3, 1), ["a", "b"], (1.0, 0.0), "title")
    assert (tmp_path / "map.png").is_file()
