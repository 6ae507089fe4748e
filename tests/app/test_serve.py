"""The app as a process and as a server: what it refuses, what it keeps to itself, and what it leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gesturehand.app.serve import check_app, served
from gesturehand.cli.main import main
from gesturehand.errors import UserError

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((70_000, 10, 10), r"--port is 70000"),
        ((-1, 10, 10), r"--port is -1"),
        ((0, 0, 10), r"--max_upload_mb is 0"),
        ((0, float("nan"), 10), r"--max_upload_mb is nan"),
        ((0, 10, -2), r"--max_seconds is -2"),
        ((0, 10, float("inf")), r"--max_seconds is inf"),
    ],
)
def test_numbers_that_cannot_be(given, sentence):
    with pytest.raises(UserError, match=sentence):
        check_app(*given)


def test_a_port_in_use_and_a_missing_host(predictor):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(UserError, match=rf"cannot listen on port {port} of '127\.0\.0\.1' .*: give another --port"),
            served(predictor, host="127.0.0.1", port=port, max_upload_mb=1, max_seconds=1),
        ):
            pass
    with (
        pytest.raises(UserError, match="cannot listen on port"),
        served(predictor, host="no.such.host.invalid", port=0, max_upload_mb=1, max_seconds=1),
    ):
        pass


def test_served_from_this_machine_alone_and_nothing_left(predictor, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with served(predictor, host="127.0.0.1", port=0, max_upload_mb=1, max_seconds=1) as address:
        assert address.startswith("http://127.0.0.1:")
        page = urllib.request.urlopen(address, timeout=60).read().decode()
        assert "GestureHand" in page
        (folder,) = tmp_path.glob("gesturehand-app-*")
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        # It offers neither files of this machine nor a list of what others did.
        for path in ("file=/etc/hostname", "file=" + str(SOURCE / "gesturehand" / "errors.py"), "monitoring"):
            with pytest.raises(urllib.error.HTTPError, match=r"40[134]"):
                urllib.request.urlopen(f"{address}gradio_api/{path}", timeout=60)
    assert list(tmp_path.glob("gesturehand-app-*")) == []
    assert os.environ.get("GRADIO_TEMP_DIR") is None
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)


def test_without_gradio_one_sentence_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app"]) == 2
    assert capsys.readouterr().err == (
        "gesturehand: The app needs Gradio: install it with pip install 'gesturehand[app]'.\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals end processes there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_when_told_and_leaves_nothing(tmp_path, number):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    program = "import sys; from gesturehand.cli.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "app", "--port", "0", "--device", "cpu"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[1].startswith("The app is at http://127.0.0.1:")
        assert len(list(tmp_path.glob("gesturehand-app-*"))) == 1
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    assert list(tmp_path.glob("gesturehand-app-*")) == []
