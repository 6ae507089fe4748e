"""The cost of a predictor's call apart from its network, on one core: crop, posing, placing.

    python benchmarks/prediction_geometry.py [--checkpoint latest]

Times the steps for one hand in a photo-sized image, with the network's output given, and prints a table of the medians
of many calls, ms.
"""

import argparse
import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch

from gesturehand.camera import assumed_intrinsics
from gesturehand.evaluation.report import markdown_table
from gesturehand.inference.assemble import assemble_hands, numpy_prediction
from gesturehand.inference.boxes import HandBox
from gesturehand.inference.crop import crop_image
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.query import ImageQuery, crops_of

#: Width and height of the image, and the hand's box in it, px.
SIZE, BOX = (1600, 1200), (610.0, 400.0, 260.0, 330.0)


def median_ms(call: Callable[[], Any], repeats: int = 200) -> float:
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)


@torch.inference_mode()
def measure(predictor: HandPredictor, repeats: int = 200) -> dict[str, float]:
    """The steps' times, ms."""
    image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    (request,) = crops_of(ImageQuery(image, (HandBox(BOX, "right"),)), image, False, predictor.box_scale)
    size, turn = predictor.image_size, math.radians(30)
    crop, affine = crop_image(image, request.square, size, False, turn)
    pixels = torch.from_numpy(crop).permute(2, 0, 1)[None]
    map_, is_right = torch.from_numpy(affine)[None], torch.ones(1, 1, dtype=torch.bool)
    hand, gesture = predictor.model(pixels, is_right)
    model = predictor.model.hand_model
    arrays = numpy_prediction(hand, gesture, map_, is_right, model)
    row = {name: array[0] for name, array in arrays.items()}

    def assemble() -> None:
        assemble_hands(
            row,
            [0],
            request,
            affine,
            assumed_intrinsics(*SIZE),
            source="assumed",
            image_size=size,
            faces=model.faces.numpy(),
            hands_mean=model.hands_mean.float().numpy(),
            names=predictor.names,
        )

    return {
        "the crop, turned": median_ms(lambda: crop_image(image, request.square, size, False, turn), repeats),
        "posing in the image's frame": median_ms(
            lambda: numpy_prediction(hand, gesture, map_, is_right, model), repeats
        ),
        "placing and the result": median_ms(assemble, repeats),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="latest")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    times = measure(HandPredictor.from_checkpoint(options.checkpoint, "cpu"))
    rows = [("step", "ms"), *((name, f"{value:.2f}") for name, value in times.items())]
    print(markdown_table([*rows, ("**all**", f"{sum(times.values()):.2f}")]))


if __name__ == "__main__":
    main()
