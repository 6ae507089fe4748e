"""A predictor with the small trained network, and a server."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gesturehand.inference import HandPredictor


@pytest.fixture(scope="session")
def predictor(trained_checkpoint) -> HandPredictor:
    return HandPredictor.from_checkpoint(trained_checkpoint, "cpu")


@pytest.fixture(scope="session")
def frame_with_both(pair_frames) -> dict[str, Any]:
    """A frame with a right and a left hand."""
    return next(frame for frame in pair_frames if len(frame["hands"]) == 2)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path_factory):
    """A folder, and its address."""
    folder = tmp_path_factory.mktemp("served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
