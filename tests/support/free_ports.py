"""Ports of this machine at which processes of a test can meet."""

import socket

from gesturehand.cli.training import process


def free_port() -> int:
    """A port at which nobody listens, nor at the one aside of it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = one.getsockname()[1]
        try:
            with socket.create_server(("127.0.0.1", process._aside(port))):
                return port
        except OSError:
            continue
