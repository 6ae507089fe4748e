"""``gesturehand predict``: runs a trained network on images, folders of images and videos."""

from pathlib import Path
from typing import Any, Literal

from gesturehand.cli.console import say
from gesturehand.errors import UserError
from gesturehand.settings import ExistingPath


def predict(
    inputs: list[str],
    checkpoint: ExistingPath | Literal["openphoto", "latest"] = "openphoto",
    output: str = "predictions",
    boxes: str | None = None,
    box: str | None = None,
    detect: bool = True,
    hand: Literal["right", "left", "both"] | None = None,
    max_hands: int | None = None,
    min_score: float | None = None,
    smallest_px: float | None = None,
    intrinsics: str | None = None,
    box_scale: float | None = None,
    mano: ExistingPath | None = None,
    device: str = "auto",
    engine: Literal["auto", "torch", "onnx"] = "auto",
    joints: Literal["annotated", "model"] = "annotated",
    batch_size: int = 32,
    overlay: bool = True,
    mesh: bool | None = None,
    mesh_format: str = "obj,ply",
    y_up: bool = False,
    smooth: bool = True,
    detect_every: int = 10,
    skip_done: bool = False,
    cluster: str | None = None,
    processes: int | None = None,
) -> None:
    """Predicts hands in images, folders of images, videos and camera streams, and writes JSON, meshes and pictures.

    An image gives NAME.json, NAME.obj, NAME.ply and NAME_overlay.png; a video gives NAME.jsonl and NAME_overlay.mp4.
    docs/predict.md describes their contents. Files of the same names in the output folder are replaced, unless
    --skip_done keeps them.

    Args:
        inputs: Images, folders of images, videos; a number for a camera (0 is the first one) or an address
            (http, https, rtsp, rtmp), which are predicted until Ctrl-C.
        checkpoint: "openphoto": the weights that come with the package; a checkpoint file; the .safetensors of `make
            photo`; the folder of a run; or "latest": the newest finished run under runs/.
        output: Folder for the results, created if necessary.
        boxes: JSON file of boxes: {"a.jpg": [{"box": [x, y, w, h], "hand": "right"}, ...], ...}.
        box: x,y,w,h in pixels: the hand in every image; whole: it fills the image. Without box and boxes, hands and
            their sides are detected.
        detect: Detect hands if no box is given; false: the whole image is the hand.
        hand: right or left, for boxes without a side, and in place of detected sides; both, for networks that see two
            hands.
        max_hands: Keep at most this many detected hands per image, the most certain ones.
        min_score: Leave out detected hands with a lower score (0 to 1); 0.5 if not given.
        smallest_px: Size of the smallest hands to detect; 40 if not given, in videos a tenth of the longer side.
            Smaller values take longer.
        intrinsics: fx,fy,cx,cy in pixels, the same for every image. If not given, the focal length comes from the
            photo's Exif data, or is taken as the image's longer side.
        box_scale: Side of a crop over the longer side of its box; 1.4 if not given.
        mano: MANO's file or folder on this machine; that of the training if not given.
        engine: What runs the network: torch; onnx (ONNX Runtime, on a CPU, for networks with the layers of
            "openphoto"); or auto: onnx if possible.
        joints: annotated: the 21 joints where people mark them in photographs, if the weights know where, as
            "openphoto" does; model: the hand model's own joints, about which it bends.
        device: auto (CUDA if available), cpu, cuda, cuda:1, ...
        batch_size: Crops at a time.
        overlay: Draw the hands over the images.
        mesh: Write meshes; if not given, for images but not for videos.
        mesh_format: One or more of obj, ply and glb, separated by commas.
        y_up: Rotate OBJ and PLY by 180 degrees about x, so that y points up, as many viewers expect. In GLB it always
            does.
        smooth: Smooth the hands of videos over time.
        detect_every: Number of video frames from one search for hands to the next; in between, known hands are tracked.
        skip_done: Skip images whose results from the same weights and settings are already in the output folder, as
            after an interruption; videos are predicted again.
        cluster: Where to predict images, if not in this process: "local" for several processes on this machine, the
            address of a scheduler as "tcp://host:8786", or a YAML file for SLURM, PBS or LSF. See docs/cluster.md.
        processes: Number of processes for --cluster local, by default one per GPU, or one per core if there is no GPU;
            for a YAML file, the number of jobs.
    """
    # Before PyTorch is imported, which takes seconds.
    from gesturehand.inference.sources import find_sources

    find_sources(inputs)
    if box is not None and boxes is not None:
        raise UserError("--box and --boxes cannot both be given: leave one out.")
    from gesturehand.detection.detector import MIN_SCORE
    from gesturehand.inference.boxes import BoxFile, HandBox, parse_box, parse_hand
    from gesturehand.inference.output_files import parse_formats
    from gesturehand.inference.predict_files import predict_files
    from gesturehand.inference.prediction_run import Settings, introduction
    from gesturehand.inference.predictor import HandPredictor, find_device

    if cluster is None:
        find_device(device)
        if processes is not None:
            raise UserError("--processes is the number of processes for --cluster: give --cluster local, too.")
    side = parse_hand(hand, "--hand")
    where: BoxFile | HandBox | None = None
    if boxes is not None:
        where = BoxFile(boxes)
    elif box is not None and box != "whole":
        where = HandBox(parse_box(box, "--box"))
    elif box == "whole" or not detect:
        where = HandBox()
    settings = Settings(
        Path(output),
        boxes=where,
        side=side,
        min_score=MIN_SCORE if min_score is None else min_score,
        max_hands=max_hands,
        smallest_px=smallest_px,
        intrinsics=intrinsics,  # type: ignore[arg-type]
        batch_size=batch_size,
        overlay=overlay,
        mesh=mesh,
        mesh_formats=parse_formats(mesh_format),
        y_up=y_up,
        smooth=smooth,
        detect_every=detect_every,
        skip_done=skip_done,
    )
    if cluster is not None:
        from gesturehand.cluster import Cluster
        from gesturehand.inference.predict_on_cluster import network_of, predict_on_cluster

        network = network_of(checkpoint, device, mano=mano, box_scale=box_scale, engine=engine, joints=joints)
        with Cluster(cluster, workers=processes, gpu=device != "cpu", folder=settings.output) as workers:
            _say_counts(predict_on_cluster(network, inputs, settings, workers, say), output)
        return
    predictor = HandPredictor.from_checkpoint(
        checkpoint,
        device,
        mano=mano,
        box_scale=box_scale,
        engine=engine,
        joints=joints,
    )
    say(introduction(predictor))
    done = predict_files(predictor, inputs, settings, say)
    if done.images == 1 and not done.frames:
        for found in done.last:
            say(_line(found))
        if not done.last and where is None:
            say("  no hand was found: say where it is with --box x,y,w,h, or lower --min_score")
    _say_counts(done, output)


def _say_counts(done: Any, output: str) -> None:
    counts = [
        f"{number} {what}{'' if number == 1 else 's'}"
        for number, what in ((done.images, "image"), (done.frames, "frame"))
        if number
    ]
    empty = f", {done.empty} without a hand" if done.empty else ""
    say(f"{' and '.join(counts)}, {done.hands} hand{'' if done.hands == 1 else 's'}{empty}: {output}/")
    if done.skipped:
        say(f"{done.skipped} of the images {'was' if done.skipped == 1 else 'were'} done before.")


def _line(hand: Any) -> str:
    gesture = ""
    if hand.gesture_fine is not None:
        gesture = ", ".join(f"{name} {100 * p:.0f} %" for name, p in hand.gesture_fine.top(3)) + "; "
    x, y, z = hand.cam_t.tolist()
    rests_on = {"given": "", "exif": " (focal length from Exif)", "assumed": " (assumed intrinsics)"}
    place = "" if hand.score is None else f" at {','.join(f'{round(value)}' for value in hand.box.tolist())}"
    return f"  {hand.side} hand{place}: {gesture}cam_t {x:.3f} {y:.3f} {z:.3f} m{rests_on[hand.intrinsics_source]}"
