"""Tracks and smoothing on rendered videos with known hands: the table in docs/predict.md.

    python benchmarks/video_tracks.py [--frames 90] [--keep FOLDER]

The open set's two hands, with arms, move along smooth curves, past each other with a hand's breadth
between them or one behind the other. The videos are written as MP4 and predicted by ``gesturehand predict``, with
and without smoothing. Prints and writes docs/results/video_tracks.json:

- frames in and out, and the number of hands found;
- tracks of a hand, and swaps: frames in which a track is nearest to another hand than in the frame before;
- errors of the joints relative to the wrist (MPJPE), in the camera's frame and in pixels, where both runs see the hand;
- jitter: the joints' mean acceleration in the same three ways, and that of the true joints.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from gesturehand.camera import project
from gesturehand.inference.output_files import new_video
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import Settings
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.video import Video
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.runs import write_json
from gesturehand.skeleton import SIDES, WRIST, Side
from gesturehand.synthetic.arm import limb_surface, make_arm
from gesturehand.synthetic.articulation import (
    hand_model,
    mirror_rotations,
    pose_from_rotations,
    pose_table,
    posed_mesh,
    right_articulation,
    rotations_from_angles,
)
from gesturehand.synthetic.capture import CapturedHand
from gesturehand.synthetic.render import Light, Mesh, render_meshes

DOCS = Path(__file__).parent.parent / "docs"
WIDTH, HEIGHT, FPS = 640, 480, 30
INTRINSICS = np.array([[640.0, 0, (WIDTH - 1) / 2], [0, 640, (HEIGHT - 1) / 2], [0, 0, 1]])
#: Distances in height and depth at which the hands pass each other, m; the share of their curve that they cover, and
#: where they start on it; and the gesture to which they close. The filters' constants were chosen on the first two, not
#: on the last one.
SCENES = {
    "apart": (0.22, 0.0, 1.0, 0.0, "fist"),
    "near": (0.05, 0.1, 1.0, 0.0, "fist"),
    "held out": (0.2, 0.06, 0.7, 0.3, "index_point"),
}
TOWARDS_CAMERA = np.array([0.0, 0.0, -1.0])
LIGHT = Light(np.array([0.3, -0.7, -0.65]), diffuse=0.45, ambient=0.5, gloss=0.05)
#: Directions of a right hand's rest axes with palm to the camera and fingers up.
PALM_TO_CAMERA = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Film(NamedTuple):
    """Frames (H, W, 3) uint8 RGB, and the true joints (T, 2, 21, 3) m of the right and the left hand."""

    images: list[np.ndarray]
    joints: np.ndarray


def hand_at(side: Side, time: float, scene: str) -> CapturedHand:
    """A hand at a time from 0 to 1, which moves from its side to the other and back while it opens and closes."""
    height, depth, pace, start, gesture = SCENES[scene]
    time = start + pace * time
    sign = 1.0 if side == "right" else -1.0
    formed = 0.5 - 0.5 * np.cos(2 * np.pi * (2 * time + (0.15 if side == "left" else 0)))
    angles = pose_table()["open_relaxed"] * (1 - 0.7 * formed) + pose_table()[gesture] * 0.7 * formed
    rotations = rotations_from_angles(angles[None], right_articulation())[0]
    swing = Rotation.from_euler("zyx", [25 * np.sin(4 * np.pi * time), 30 * np.sin(2 * np.pi * time), 10], degrees=True)
    root = swing.as_matrix() @ PALM_TO_CAMERA
    rotations[0] = root
    if side == "left":
        rotations = mirror_rotations(rotations)
    pose = pose_from_rotations(rotations, hand_model(side).hands_mean).astype(np.float32)
    betas = np.zeros(10, np.float32)
    vertices, joints = posed_mesh(side, pose, betas)
    place = np.array(
        [
            -sign * 0.2 * np.cos(2 * np.pi * time),
            sign * height / 2 + 0.02 * np.sin(6 * np.pi * time),
            0.75 + sign * depth / 2 + 0.05 * np.sin(2 * np.pi * time),
        ]
    )
    shift = (place - joints.mean(0)).astype(np.float32)
    return CapturedHand(side, pose, betas, shift, vertices + shift, joints + shift, np.ones(21, bool))


def film(scene: str, frames: int) -> Film:
    """Draws a scene."""
    rng = np.random.default_rng(0)
    ground = 150 + 25 * np.linspace(-1, 1, HEIGHT)[:, None, None] + np.array([8.0, 0, -6]) + np.zeros((1, WIDTH, 1))
    tones = [np.array([140.0, 165, 215])] * 2 + [np.array([110.0, 70, 60])]
    images, truth = [], []
    for number in range(frames):
        meshes = []
        hands = [hand_at(side, number / frames, scene) for side in SIDES]
        for place, hand in enumerate(hands):
            surface, material = limb_surface(hand.side)
            arm = make_arm(hand, TOWARDS_CAMERA, np.random.default_rng(place))
            vertices = np.concatenate([hand.vertices, arm.rings.reshape(-1, 3)])
            meshes.append(Mesh(vertices, surface, np.array([place, place, 2])[material]))
        image = np.clip(ground + rng.normal(0, 4, ground.shape), 0, 255).astype(np.uint8)
        render_meshes(image, meshes, tones, INTRINSICS, LIGHT)
        images.append(np.ascontiguousarray(image[..., ::-1]))
        truth.append([hand.joints for hand in hands])
    return Film(images, np.array(truth))


def lines_of(predictor: HandPredictor, path: Path, output: Path, *, smooth: bool) -> list[dict[str, Any]]:
    """The lines that ``predict`` writes for a video."""
    intrinsics = [INTRINSICS[0, 0], INTRINSICS[1, 1], INTRINSICS[0, 2], INTRINSICS[1, 2]]
    settings = Settings(output, intrinsics=intrinsics, overlay=smooth, smooth=smooth, progress=False)
    predict_files(predictor, [path], settings, lambda _: None)
    return [json.loads(line) for line in (output / f"{path.stem}.jsonl").read_text(encoding="utf-8").splitlines()]


def assigned(lines: list[dict[str, Any]], truth: np.ndarray) -> list[dict[int, dict[str, Any]]]:
    """Each frame's hands, by the true hand that is nearest in the image and within a hand's size."""
    pixels = project(truth, INTRINSICS)
    frames = []
    for line, own in zip(lines, pixels, strict=True):
        found: dict[int, dict[str, Any]] = {}
        for hand in line["hands"]:
            distance = np.linalg.norm(np.array(hand["joints_2d"]) - own, axis=-1).mean(-1)
            nearest = int(distance.argmin())
            if distance[nearest] < np.ptp(own[nearest], axis=0).max():
                found.setdefault(nearest, hand)
        frames.append(found)
    return frames


def swaps(frames: list[dict[int, dict[str, Any]]]) -> int:
    """Number of times that a track switches to another hand."""
    last: dict[int, int] = {}
    count = 0
    for found in frames:
        for number, hand in found.items():
            count += last.get(hand["track"], number) != number
            last[hand["track"]] = number
    return count


def acceleration(points: np.ndarray) -> float:
    """Mean acceleration of (T, …, C), per s², over runs of three frames that all have values (not NaN)."""
    second = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=-1) * FPS**2
    return float(np.nanmean(second))


def figures(frames: list[dict[int, dict[str, Any]]], truth: np.ndarray, both: np.ndarray) -> dict[str, float]:
    """Errors and jitter where both runs have the hand."""
    joints = np.full(truth.shape, np.nan)
    for number, found in enumerate(frames):
        for place, hand in found.items():
            joints[number, place] = hand["joints"]
    joints[~both], truth = np.nan, np.where(both[..., None, None], truth, np.nan)
    relative, true_relative = joints - joints[:, :, WRIST : WRIST + 1], truth - truth[:, :, WRIST : WRIST + 1]
    pixels, true_pixels = project(joints, INTRINSICS), project(truth, INTRINSICS)
    return {
        "mpjpe_mm": 1000 * float(np.nanmean(np.linalg.norm(relative - true_relative, axis=-1))),
        "error_px": float(np.nanmean(np.linalg.norm(pixels - true_pixels, axis=-1))),
        "error_mm": 1000 * float(np.nanmean(np.linalg.norm(joints - truth, axis=-1))),
        "jitter_m_s2": acceleration(relative),
        "jitter_px_s2": acceleration(pixels),
        "jitter_camera_m_s2": acceleration(joints),
        "true_jitter_m_s2": acceleration(true_relative),
        "true_jitter_px_s2": acceleration(true_pixels),
        "true_jitter_camera_m_s2": acceleration(truth),
    }


def measure(predictor: HandPredictor, scene: str, count: int, folder: Path) -> dict[str, Any]:
    """All figures of a scene."""
    shown = film(scene, count)
    path = folder / f"{scene}.mp4"
    with new_video(path, FPS) as video:
        for image in shown.images:
            video.add(image)
    runs = {
        name: lines_of(predictor, path, folder / name, smooth=name == "smooth") for name in ("each frame", "smooth")
    }
    frames = {name: assigned(lines, shown.joints) for name, lines in runs.items()}
    both = np.array([[all(place in run[n] for run in frames.values()) for place in (0, 1)] for n in range(count)])
    smooth = frames["smooth"]
    overlay = Video(folder / "smooth" / f"{scene}_overlay.mp4")
    tracks: list[set[int]] = [{found[place]["track"] for found in smooth if place in found} for place in (0, 1)]
    return {
        "frames": count,
        "lines": len(runs["smooth"]),
        "overlay_frames": overlay.frames,
        "size_kept": all((line["width"], line["height"]) == (WIDTH, HEIGHT) for line in runs["smooth"]),
        "found": sum(map(len, smooth)) / (2 * count),
        "side_right": float(np.mean([hand["side"] == SIDES[place] for f in smooth for place, hand in f.items()])),
        "tracks": [len(own) for own in tracks],
        "swaps": swaps(smooth),
        "runs": {name: figures(run, shown.joints, both) for name, run in frames.items()},
    }


def tables(results: dict[str, Any]) -> str:
    """Both tables."""
    first = [("video", "frames in, lines, pictures", "hands found", "side right", "tracks of each hand", "swaps")]
    kinds = ("mpjpe_mm", "error_mm", "error_px", "jitter_m_s2", "jitter_camera_m_s2", "jitter_px_s2")
    errors = ("MPJPE, mm", "in the camera's frame", "2D, px")
    second = [("video", "", *errors, "jitter, m/s²", "in the camera's frame", "2D, px/s²")]
    for scene, result in results.items():
        first.append(
            (
                scene,
                f"{result['frames']}, {result['lines']}, {result['overlay_frames']}",
                f"{100 * result['found']:.1f} %",
                f"{100 * result['side_right']:.1f} %",
                ", ".join(map(str, result["tracks"])),
                str(result["swaps"]),
            )
        )
        rows = {name: [own[kind] for kind in kinds] for name, own in result["runs"].items()}
        rows["true"] = [result["runs"]["smooth"].get(f"true_{kind}", 0.0) for kind in kinds]
        second += [(scene, name, *(f"{value:,.1f}" for value in row)) for name, row in rows.items()]
        second.append((scene, "ratio", *(f"{b / a:.2f}" for a, b in zip(*list(rows.values())[:2], strict=True))))
    return f"{markdown_table(first)}\n\n{markdown_table(second)}"


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--checkpoint", default="openphoto")
    parser.add_argument("--keep", type=Path, help="folder for videos and results")
    options = parser.parse_args()
    predictor = HandPredictor.from_checkpoint(options.checkpoint, "cpu", joints="model")
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        results = {scene: measure(predictor, scene, options.frames, place) for scene in SCENES}
    write_json(DOCS / "results" / "video_tracks.json", results)
    table = tables(results)
    print(table)
    markers = ("<!-- video_tracks:begin -->", "<!-- video_tracks:end -->")
    write_between_markers(DOCS / "predict.md", table, markers)


if __name__ == "__main__":
    main()
