"""The frequency with which noise, habit and hand shape make fingers of the open set pass through each other.

    python benchmarks/penetration.py [--frames 700] [--out docs/results/penetration.json]

Counts labelled frames of the benchmark openhand-v1 in which a part of a hand enters another more deeply than the
tolerance that the gestures' own poses keep, and lists the pairs of parts.
"""

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from hand_penetration import TOLERANCE_M, PenetrationCheck
from tqdm import tqdm

from gesturehand.hand.load import open_hand
from gesturehand.skeleton import SIDES
from gesturehand.synthetic.capture import capture_frame
from gesturehand.synthetic.plan import OPENHAND_V1, make_plan
from gesturehand.text_file import write_json


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=700)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    settings = replace(OPENHAND_V1, frames=(options.frames, 0, 0), two_hand_share=0.0, rom_share=0.0)
    checks = {side: PenetrationCheck(open_hand(side)) for side in SIDES}
    deepest, pairs = [], Counter()
    for planned in tqdm(make_plan(settings), mininterval=10):
        hand = capture_frame(planned, settings.seed, settings.wrist_cone_deg).hands[0]
        depths = checks[hand.side].depths(hand.vertices)
        deepest.append(1000 * max(depths.values(), default=0.0))
        pairs.update(f"{a} in {b}" for (a, b), depth in depths.items() if depth > TOLERANCE_M)
    depth = np.array(deepest)
    result = {
        "frames": len(depth),
        "tolerance_mm": 1000 * TOLERANCE_M,
        "share_beyond_tolerance": float((depth > 1000 * TOLERANCE_M).mean()),
        "share_beyond_10_mm": float((depth > 10).mean()),
        "median_mm": float(np.median(depth)),
        "percentile_95_mm": float(np.percentile(depth, 95)),
        "frames_by_pair": dict(pairs.most_common(8)),
    }
    for name, value in result.items():
        print(f"{name:>24}  {value}")
    if options.out:
        write_json(options.out, result)


if __name__ == "__main__":
    main()
