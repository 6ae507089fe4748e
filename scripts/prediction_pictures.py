"""The example of docs/predict.md and its three pictures, from a trained network and three frames of the open set.

    python scripts/prediction_pictures.py [--checkpoint latest]

Writes a few frames like the demo's, with one and two hands, runs ``gesturehand predict`` on a right hand, a left hand
and a pair, and puts pictures, commands and output into docs/.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from gesturehand.camera import project
from gesturehand.data.files import image_path
from gesturehand.data.index import InterHandIndex, read_index
from gesturehand.inference.checkpoint import find_checkpoint
from gesturehand.markdown import write_between_markers
from gesturehand.skeleton import SIDES
from gesturehand.synthetic.writer import write_synthetic_set

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
JPEG_QUALITY = 90
#: By the picture's name: right hands, left hands, or both, as bits of the index.
KINDS = {"right": 1, "left": 2, "pair": 3}


def boxes_of(index: InterHandIndex, row: int) -> list[dict[str, object]]:
    """The hands' boxes as a detector would give them: those of the joints, a tenth wider, in whole pixels."""
    frame, camera, found = index.frame[row], index.camera[row], []
    for hand in (h for h in range(2) if index.hand_type[row] & (1, 2)[h]):
        points = index.joints_world[frame, hand] @ index.camera_rotation[camera].T + index.camera_translation[camera]
        pixels = project(points, index.intrinsics[camera])
        low, size = pixels.min(0), np.ptp(pixels, 0)
        box = np.rint([*(low - 0.05 * size), *(1.1 * size)]).astype(int).tolist()
        found.append({"box": box, "hand": SIDES[hand]})
    return found


def row_of(index: InterHandIndex, kind: int) -> int:
    """The first frame of a kind whose joints all lie in the image; for pairs, the one whose hands are farthest apart.

    The demo's network sees one hand at a time and has never seen another one in its crop.
    """
    hands = [hand for hand in range(2) if kind & (1, 2)[hand]]
    rows = np.flatnonzero(index.hand_type == kind).tolist()
    whole = [row for row in rows if all(np.asarray(index.joint_valid_image[row, hand]).all() for hand in hands)]
    if not whole:
        raise SystemExit("None of the frames shows such hands as a whole: write more.")
    return whole[0] if len(hands) == 1 else max(whole, key=lambda row: gap_of(index, row))


def gap_of(index: InterHandIndex, row: int) -> float:
    """Gap between a pair's boxes, px, along the axis on which they are farther apart; negative if they overlap."""
    (x, y, width, height), (u, v, across, down) = (box["box"] for box in boxes_of(index, row))  # type: ignore[misc]
    return float(max(u - x - width, x - u - across, v - y - height, y - v - down))


def words_of(name: str, boxes: list[dict[str, object]], intrinsics: np.ndarray, folder: Path) -> list[str]:
    """The command's words after ``gesturehand``."""
    camera = ",".join(f"{intrinsics[place]:.0f}" for place in ((0, 0), (1, 1), (0, 2), (1, 2)))
    if len(boxes) == 1:
        box = ",".join(str(number) for number in boxes[0]["box"])  # type: ignore[attr-defined]
        where = ["--box", box, "--hand", str(boxes[0]["hand"])]
    else:
        (folder / "boxes.json").write_text(json.dumps({f"{name}.jpg": boxes}))
        where = ["--boxes", "boxes.json"]
    return ["predict", f"{name}.jpg", *where, "--intrinsics", camera, "--output", "out"]


def main() -> None:
    """Predicts and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="latest")
    checkpoint = find_checkpoint(parser.parse_args().checkpoint).resolve()
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name), Path(name) / "set"
        write_synthetic_set(
            root, subjects=(1, 0, 0), frames=(40, 0, 0), seed=3, two_hand_share=0.3, wrist_cone_deg=35.0, progress=False
        )
        index = read_index(root, "train")
        for kind, bits in KINDS.items():
            row = row_of(index, bits)
            source = image_path(root, "train", index.file_name[row].decode())
            (folder / f"{kind}.jpg").write_bytes(source.read_bytes())
            words = words_of(kind, boxes_of(index, row), index.intrinsics[index.camera[row]], folder)
            command = [str(Path(sys.executable).with_name("gesturehand")), *words, "--checkpoint", str(checkpoint)]
            output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
            if kind == "pair":
                lines += [f"$ cat boxes.json\n{(folder / 'boxes.json').read_text()}"]
            lines += [f"$ gesturehand {' '.join(words)}", output.replace(f"{REPOSITORY}/", "").strip()]
            picture = cv2.imread(str(folder / "out" / f"{kind}_overlay.png"))
            cv2.imwrite(str(DOCS / "images" / f"predict_{kind}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        files = sorted(path.name for path in (folder / "out").iterdir())
    lines += [f"$ ls out\n{'  '.join(files)}"]
    text = "```\n" + "\n".join(lines) + "\n```\n"
    print(text)
    write_between_markers(DOCS / "predict.md", text, ("<!-- example:begin -->", "<!-- example:end -->"))


if __name__ == "__main__":
    main()
