"""The contents of the photo-like set openphoto-v1, and the speed at which it is drawn.

    python benchmarks/photo_set.py [--frames 1000] [--backgrounds FOLDER] [--out docs/results/photo_set.json]
        [--into docs/openphoto_set.md]

Draws pictures with the set's settings, 50 for each person, in one process and without writing them. The time is
processor time and includes encoding.
"""

import argparse
import platform
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hand_penetration import TOLERANCE_M, PenetrationCheck
from tqdm import tqdm

from gesturehand.hand.load import open_hand
from gesturehand.markdown import markdown_table, write_between_markers
from gesturehand.skeleton import SIDES
from gesturehand.synthetic.articulation import LONG_FINGERS
from gesturehand.synthetic.photo.picture import Photo, draw_photo
from gesturehand.synthetic.photo.plan import OPENPHOTO, OPENPHOTO_V1, make_photo_plan
from gesturehand.text_file import write_json

_PER_PERSON = 50
#: The main hand of one in this many pictures is checked for parts that pass through each other.
_CHECKED = 4


def measure(frames: int, backgrounds: str | None) -> dict[str, Any]:
    """Shares of elements, views and poses, and milliseconds per picture."""
    people = max(1, frames // _PER_PERSON)
    licence = None if backgrounds is None else "not written"
    settings = replace(
        OPENPHOTO_V1,
        subjects=(people, 0, 0),
        frames=(frames, 0, 0),
        backgrounds=backgrounds,
        backgrounds_licence=licence,
    )
    checks = {side: PenetrationCheck(open_hand(side)) for side in SIDES}
    elements, views, seconds = Counter[str](), Counter[str](), 0.0
    depths, sizes, bends = [], [], []
    for number, planned in enumerate(tqdm(make_photo_plan(settings), mininterval=10)):
        start = time.process_time()
        photo = draw_photo(planned, settings)
        cv2.imencode(".jpg", photo.image, [cv2.IMWRITE_JPEG_QUALITY, 75])
        seconds += time.process_time() - start
        elements.update(photo.elements)
        views.update([_view(photo)])
        sizes.append(_size(photo))
        bends.append(_bends_deg(photo))
        if number % _CHECKED == 0:
            hand = photo.frame.hands[photo.main]
            depths.append(1000 * max(checks[hand.side].depths(hand.vertices).values(), default=0.0))
    depth = np.array(depths)
    return {
        "settings": OPENPHOTO,
        "backgrounds": "made up" if backgrounds is None else "photographs",
        "frames": frames,
        "ms_per_frame_of_one_core": round(1000 * seconds / frames, 1),
        "elements": {name: count / frames for name, count in sorted(elements.items())},
        "views": {name: count / frames for name, count in sorted(views.items())},
        "size_in_sides_percentiles_5_50_95": np.percentile(sizes, [5, 50, 95]).round(3).tolist(),
        "bend_deg_percentiles_5_50_95": {
            finger: np.percentile(column, [5, 50, 95]).round(1).tolist()
            for finger, column in zip(LONG_FINGERS, np.array(bends).T, strict=True)
        },
        "penetration": {
            "hands": len(depth),
            "share_beyond_tolerance": float((depth > 1000 * TOLERANCE_M).mean()),
            "share_beyond_10_mm": float((depth > 10).mean()),
            "percentile_95_mm": round(float(np.percentile(depth, 95)), 2),
        },
        "python": platform.python_version(),
        "opencv": cv2.__version__,
    }


def _view(photo: Photo) -> str:
    """The side of the palm that the camera sees, by the angle between palm and line of sight."""
    hand = photo.frame.hands[photo.main]
    wrist, index, pinky = hand.joints[[0, 5, 17]]
    normal = np.cross(index - wrist, pinky - wrist) * (1 if hand.side == "right" else -1)
    cosine = normal @ -wrist / np.linalg.norm(normal) / np.linalg.norm(wrist)
    return "edge of the palm (within 30°)" if abs(cosine) < 0.5 else "palm" if cosine > 0 else "back"


def _size(photo: Photo) -> float:
    """The longer side of the joints' box in sides of the picture."""
    camera = photo.frame.cameras[0]
    return float(np.ptp(camera.project(photo.frame.hands[photo.main].joints), axis=0).max() / camera.width)


def _bends_deg(photo: Photo) -> list[float]:
    """For each long finger, the sum of the bends of its middle and last joint."""
    fingers = photo.frame.hands[photo.main].joints[5:].reshape(4, 4, 3)
    bones = np.diff(fingers, axis=1)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    cosines = np.clip((bones[:, 1:] * bones[:, :-1]).sum(-1), -1, 1)
    return np.degrees(np.arccos(cosines)).sum(1).tolist()


def markdown(result: dict[str, Any]) -> str:
    """The result as tables."""
    shares = {**result["elements"], **result["views"]}
    sizes = [f"{value:.2f}" for value in result["size_in_sides_percentiles_5_50_95"]]
    bends = [
        [f"bend of the {finger}'s last two joints", *(f"{value:.0f}°" for value in values)]
        for finger, values in result["bend_deg_percentiles_5_50_95"].items()
    ]
    deep = result["penetration"]
    return "\n".join(
        [
            markdown_table(
                [[f"of {result['frames']:,} pictures", "share"], *([name, f"{x:.1%}"] for name, x in shares.items())]
            ),
            markdown_table(
                [
                    ["main hand", "5th percentile", "median", "95th percentile"],
                    ["longer side of its joints' box, in sides of the picture", *sizes],
                    *bends,
                ]
            ),
            f"Of {deep['hands']} hands {deep['share_beyond_tolerance']:.1%} have an overlap of parts beyond 5 mm and",
            f"{deep['share_beyond_10_mm']:.1%} beyond 10 mm. A picture takes "
            f"{result['ms_per_frame_of_one_core']} ms of one core (backgrounds: {result['backgrounds']}).",
            "",
        ]
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--backgrounds")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    result = measure(options.frames, options.backgrounds)
    text = markdown(result)
    print(text)
    if options.out:
        write_json(options.out, result)
    if options.into:
        source = (
            f"<!-- written by `python benchmarks/photo_set.py --frames {options.frames} --into {options.into}` -->\n"
        )
        write_between_markers(options.into, source + text)


if __name__ == "__main__":
    main()
