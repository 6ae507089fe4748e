"""``gesturehand predict``: a trained network on images, folders of images and videos."""

from pathlib import Path
from typing import Any

from gesturehand.cli.console import say
from gesturehand.errors import UserError


def predict(
    inputs: list[str],
    checkpoint: str = "openphoto",
    output: str = "predictions",
    boxes: str | None = None,
    box: str | None = None,
    hand: str | None = None,
    intrinsics: str | None = None,
    box_scale: float | None = None,
    mano: str | None = None,
    device: str = "auto",
    engine: str = "auto",
    batch_size: int = 32,
    overlay: bool = True,
    mesh: bool | None = None,
) -> None:
    """Predicts hands in images, folders of images and videos: JSON, meshes and pictures.

    Of an image: NAME.json, NAME.obj, NAME.ply, NAME_overlay.png. Of a video: NAME.jsonl, NAME_overlay.mp4.
    docs/predict.md describes what is in them. Files of the same names in the output folder are replaced.

    Args:
        inputs: Images, folders of images, videos.
        checkpoint: "openphoto": the weights that come with the package; a checkpoint file; the folder of a run; or
            "latest": the newest finished run under runs/.
        output: Folder of the results; made if it is not there.
        boxes: JSON file of boxes: {"a.jpg": [{"box": [x, y, w, h], "hand": "right"}, ...], ...}.
        box: x,y,w,h in pixels: the hand in every image. Without box and boxes the whole image is the hand.
        hand: right or left, where a box does not say; both, for networks that see two hands.
        intrinsics: fx,fy,cx,cy in pixels, of every image. Without, the focal length is the image's longer side.
        box_scale: Side of a crop over the longer side of its box; 1.4 if not given.
        mano: MANO's file or folder on this machine; the training's if not given.
        engine: What runs the network: torch, onnx (ONNX Runtime, on a CPU, networks with the layers of "openphoto"), or
            auto: onnx where it can.
        device: auto (CUDA where there is one), cpu, cuda, cuda:1, ...
        batch_size: Crops at a time.
        overlay: Draw the hands over the images.
        mesh: Write meshes (OBJ and PLY); if not given, of images and not of videos.
    """
    from gesturehand.inference.boxes import BoxFile, HandBox, parse_box, parse_hand
    from gesturehand.inference.predict_files import Settings, predict_files
    from gesturehand.inference.predictor import HandPredictor

    if box is not None and boxes is not None:
        raise UserError("--box and --boxes cannot both be given: leave one out.")
    side = parse_hand(hand, "--hand")
    where = BoxFile(boxes) if boxes is not None else None if box is None else HandBox(parse_box(box, "--box"))
    settings = Settings(
        Path(output),
        boxes=where,
        hand=side,
        intrinsics=intrinsics,  # type: ignore[arg-type]
        batch_size=batch_size,
        overlay=overlay,
        mesh=mesh,
    )
    predictor = HandPredictor.from_checkpoint(
        checkpoint,
        device,
        mano=mano,
        box_scale=box_scale,
        engine=engine,  # type: ignore[arg-type]
    )
    say(f"Weights: {predictor.checkpoint}, on {predictor.device}, by {predictor.engine_name}")
    done = predict_files(predictor, inputs, settings, say)
    if done.images == 1 and not done.frames:
        for found in done.last:
            say(_line(found))
    counts = [
        f"{number} {what}{'' if number == 1 else 's'}"
        for number, what in ((done.images, "image"), (done.frames, "frame"))
        if number
    ]
    empty = f", {done.empty} without a hand" if done.empty else ""
    say(f"{' and '.join(counts)}, {done.hands} hand{'' if done.hands == 1 else 's'}{empty}: {output}/")


def _line(hand: Any) -> str:
    gesture = ""
    if hand.gesture_fine is not None:
        gesture = ", ".join(f"{name} {100 * p:.0f} %" for name, p in hand.gesture_fine.top(3)) + "; "
    x, y, z = hand.cam_t.tolist()
    guess = " (assumed intrinsics)" if hand.intrinsics_assumed else ""
    return f"  {hand.side} hand: {gesture}cam_t {x:.3f} {y:.3f} {z:.3f} m{guess}"
