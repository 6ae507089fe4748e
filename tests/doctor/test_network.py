"""What can be reached, with servers on this machine."""

import http.server
import socket
import threading

import pytest

from gesturehand.doctor.network import address_of, network
from gesturehand.errors import UserError

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_BASE_URL", NOBODY)
    monkeypatch.setenv("HF_ENDPOINT", NOBODY)


@pytest.fixture
def server():
    """The address of a server on this machine that answers."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def by_name(cluster=None):
    return {row.name: row for row in network(cluster)}


def test_nothing_answers():
    found = by_name()
    assert found["W&B"].value == "the server that WANDB_BASE_URL names does not answer"
    assert found["W&B"].state == "ok", "nobody is logged in, so nobody misses it"
    assert found["W&B login"].value == "nobody is logged in: runs are logged offline"
    assert found["model hub"].state == "warning"


def test_logged_in_and_the_key_is_not_told(monkeypatch, server):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    assert by_name()["W&B"].state == "warning"
    monkeypatch.setenv("WANDB_BASE_URL", server)
    monkeypatch.setenv("HF_ENDPOINT", server)
    found = by_name()
    assert {row.state for row in found.values()} == {"ok"}
    assert found["W&B login"].value == "somebody is logged in: runs are logged online"
    assert found["model hub"].value == "the hub that HF_ENDPOINT names answers"
    assert "0123456789abcdef" not in str(found)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert by_name()["W&B login"].value.endswith("runs are logged offline")


def test_online_by_force_without_a_login_is_a_problem(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    assert by_name()["W&B login"].state == "problem"


def test_hub_that_is_not_wanted_is_not_asked(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert by_name()["model hub"].state == "ok"


def test_scheduler(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert by_name(f"tcp://127.0.0.1:{port}")["scheduler"].state == "ok"
    closed = by_name(f"tcp://127.0.0.1:{port}")["scheduler"]
    assert closed.state == "problem"
    assert "refused" in closed.value
    assert "127.0.0.1" not in closed.value


@pytest.mark.parametrize("address", ["10.0.0.1:8786", "tcp://10.0.0.1", "http://a:80", "tcp://a:port", "tcp://:1", ""])
def test_what_is_no_address(address):
    with pytest.raises(UserError, match="such as tcp://"):
        address_of(address)
