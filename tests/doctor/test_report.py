"""The report: aligned, complete, and without private words."""

import socket
from pathlib import Path

import pytest

from gesturehand.doctor.finding import Finding
from gesturehand.doctor.report import private_words_hidden, report_json, report_lines, summary_line, worst

FOUND = {
    "storage": [
        Finding("data", "'~/hands'"),
        Finding("data, random reads", "20 files/s " * 12, "warning", "copy the set to a disk of this machine " * 4),
    ],
    "extras": [Finding("glb", "not installed", "problem", "pip install trimesh")],
}


@pytest.mark.parametrize("width", [70, 110])
def test_lines_are_aligned_and_hold_every_word(width):
    lines = [line for _, line in report_lines(FOUND, width)]
    assert all(len(line) <= width and line == line.rstrip() for line in lines)
    starts = {
        line[37:].lstrip() and 37 + len(line[37:]) - len(line[37:].lstrip()) for line in lines if line[37:].strip()
    }
    assert starts <= {37, 39}
    text = " ".join(" ".join(lines).split())
    for rows in FOUND.values():
        for row in rows:
            assert f"{row.state} {row.name} " in text
            assert " ".join(row.value.split()) in text
            assert " ".join(row.remedy.split()) in text
    assert [state for state, _ in report_lines(FOUND) if state] == ["ok", "warning", "problem"]


def test_worst_state_and_summary():
    assert worst(FOUND) == "problem"
    assert summary_line(FOUND) == "1 problem and 1 warning."
    assert worst({"a": [Finding("b", "c")]}) == worst({}) == "ok"
    assert summary_line({"a": [Finding("b", "c")]}) == "No problems."
    assert summary_line({"a": [Finding("b", "c", "warning")] * 2}) == "2 warnings."


def test_json_holds_all():
    content = report_json(FOUND)
    assert content["state"] == "problem"
    assert content["findings"][2] == {
        "subject": "extras",
        "name": "glb",
        "value": "not installed",
        "state": "problem",
        "remedy": "pip install trimesh",
    }


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("'HOME/hands/a.jpg' is gone", "'~/hands/a.jpg' is gone"),
        ("HOME", "~"),
        ("HOMEless", "HOMEless"),
        ("/data/ada-l/set and ada-l", "/data/USER/set and ada-l"),
        ("/data/ada-lovelace/set", "/data/ada-lovelace/set"),
        ("/home/somebody/set, C:\\Users\\Some", "/home/USER/set, C:\\Users\\USER"),
        ("https://me:word@host.example/x", "https://host.example/x"),
        ("node17.cluster.example: node17, node170", "HOST: HOST, node170"),
        ("the key is 0123456789abcdef", "the key is ***"),
        ("torch 2.15.0 on Linux", "torch 2.15.0 on Linux"),
    ],
)
def test_private_words(monkeypatch, tmp_path, text, hidden):
    home = tmp_path / "home-of-ada"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "ada-l")
    monkeypatch.setenv("MY_API_KEY", "0123456789abcdef")
    monkeypatch.setattr(socket, "gethostname", lambda: "node17.cluster.example")
    assert Path.home() == home
    assert private_words_hidden()(text.replace("HOME", str(home))) == hidden.replace("HOME", str(home))
