"""``gesturehand app``: the page in the browser."""

from gesturehand.cli.console import say


def app(
    checkpoint: str = "openphoto",
    device: str = "auto",
    host: str = "127.0.0.1",
    port: int = 7860,
    max_upload_mb: float = 50.0,
    max_seconds: float = 20.0,
) -> None:
    """Serves a page in the browser that predicts the hands in a photo, a camera's picture or a short video.

    It runs until Ctrl-C, can be reached only from this machine unless --host says otherwise, sends nothing over the
    network, and removes visitors' files. docs/app.md describes it.

    Args:
        checkpoint: "openphoto": the weights that come with the package; a checkpoint file; the folder of a run; or
            "latest": the newest finished run under runs/.
        device: auto (CUDA if available), cpu, cuda, cuda:1, ...
        host: Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for everybody on the network.
        port: Port to listen on; 0 for any free port.
        max_upload_mb: Largest file that is accepted, megabytes.
        max_seconds: Longest video that is accepted, seconds.
    """
    from gesturehand.app.serve import check_app, serve
    from gesturehand.inference.predictor import HandPredictor

    check_app(port, max_upload_mb, max_seconds)
    predictor = HandPredictor.from_checkpoint(checkpoint, device)
    say(f"Weights: {predictor.checkpoint}, on {predictor.device}, by {predictor.engine_name}")
    serve(predictor, host=host, port=port, max_upload_mb=max_upload_mb, max_seconds=max_seconds, say=say)
