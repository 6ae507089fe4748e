"""Serves the page, only to this machine unless told otherwise, and leaves nothing behind."""

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from types import FrameType
from typing import Any, Final

from gesturehand.errors import UserError
from gesturehand.extras import install
from gesturehand.inference.predictor import HandPredictor

#: Read by Gradio and the libraries below it when they are imported: nothing is sent or requested over the network.
_QUIET: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


@contextmanager
def served(
    predictor: HandPredictor, *, host: str, port: int, max_upload_mb: float, max_seconds: float
) -> Iterator[str]:
    """Serves the app while the block runs.

    Args:
        predictor: The predictor.
        host: Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for everybody on the network.
        port: Its port; 0 for any free port.
        max_upload_mb: Largest file that a visitor may give.
        max_seconds: Longest video.

    Yields:
        The page's address.

    Raises:
        UserError: A number is out of its range, Gradio or another package that this requires is not installed, or the
            port cannot be opened.
    """
    check_app(port, max_upload_mb, max_seconds)
    with (
        tempfile.TemporaryDirectory(prefix="gesturehand-app-", ignore_cleanup_errors=True) as folder,
        as_file(files("gesturehand.assets")) as assets,
    ):
        uploads = Path(folder).resolve()
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        import gradio

        from gesturehand.app.answers import Answerer, Visits
        from gesturehand.app.page import CSS, build_page

        port = _free_port(host, port)
        examples = sorted(assets.glob("example_*.jpg"))
        visits = Visits(uploads / "visits")
        page = build_page(Answerer(predictor, max_seconds), visits, uploads, examples, max_upload_mb)
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                max_file_size=round(2**20 * max_upload_mb),  # as Gradio's message counts megabytes
                share=False,
                inbrowser=False,
                prevent_thread_lock=True,
                show_error=False,
                quiet=True,
                enable_monitoring=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                run_history=False,
                footer_links=[],
                theme=_theme(gradio),
                css=CSS,
            )
            yield str(address)
        finally:
            page.close(verbose=False)
            os.environ.pop("GRADIO_TEMP_DIR", None)


def serve(predictor: HandPredictor, *, host: str, say: Callable[[str], None], **settings: Any) -> None:
    """Serves the app until Ctrl-C or a request to terminate.

    Args:
        predictor: See :func:`served`.
        host: Likewise.
        say: Called with the address.
        **settings: Further arguments of :func:`served`.

    Raises:
        UserError: See :func:`served`.
    """
    logging.basicConfig(level=logging.WARNING)
    asked = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with served(predictor, host=host, **settings) as address:
            say(f"The app is at {address} until Ctrl-C.")
            if host not in _LOCAL:
                say("Everybody who can reach this machine can use it.")
            while not asked.is_set():
                time.sleep(0.2)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_app(port: int, max_upload_mb: float, max_seconds: float) -> None:
    """Checks the arguments before anything is loaded.

    Args:
        port: See :func:`served`.
        max_upload_mb: Likewise.
        max_seconds: Likewise.

    Raises:
        UserError: A number is out of its range, or Gradio is not installed.
    """
    if not 0 <= port < 65536:
        raise UserError(f"--port is {port}: give a number from 0 to 65535.")
    if not 0 < max_upload_mb <= 10_000:
        raise UserError(f"--max_upload_mb is {max_upload_mb}: give a number above 0, at most 10000.")
    if not 0 < max_seconds <= 3600:
        raise UserError(f"--max_seconds is {max_seconds}: give a number above 0, at most 3600.")
    os.environ.update(_QUIET)
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise UserError(f"The app needs Gradio: install it with {install('app')}.") from None


def _free_port(host: str, port: int) -> int:
    """The given port, once it is known to be free; for 0, a free one."""
    try:
        place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(place[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place[4])
            return int(probe.getsockname()[1])
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"The app cannot listen on port {port} of '{host}' ({reason}): give another --port or --host."
        ) from None


def _theme(gradio: Any) -> Any:
    """Uses the fonts of the visitor's machine; none is downloaded."""
    font = gradio.themes.Font
    return gradio.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        font=[font("system-ui"), font("sans-serif")],
        font_mono=[font("ui-monospace"), font("monospace")],
    )
