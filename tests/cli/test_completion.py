"""The completion script in a real Bash."""

import shutil
import subprocess

import pytest

from gesturehand.cli.commands import all_commands
from gesturehand.cli.completion import completion_script

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no Bash")


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "gesturehand"
    path.write_text(completion_script())
    return path


def completed(script, line, folder):
    """The completions that Bash offers for a line with the cursor at its end."""
    program = (
        f"source '{script}'; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); COMP_CWORD=1; "
        "_gesturehand; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gesturehand f", {"fit"}),
        ("gesturehand data sy", {"synth", "synth_photo"}),
        ("gesturehand fit --data.la", {"--data.layout=", "--data.labelled_only="}),
        ("gesturehand fit --config own.yaml --data.layout=", {"per_hand", "two_hand"}),
        ("gesturehand fit --data.layout=tw", {"two_hand"}),
        ("gesturehand fit --model=E", {"EANetRegressor"}),
        ("gesturehand fit --data.upright=", {"true", "false"}),
        ("gesturehand export --format=", {"onnx", "pt2"}),
        ("gesturehand data synth --overw", {"--overwrite="}),
        ("gesturehand fit --config=ow", {"own.yaml"}),
        ("gesturehand predict pho", {"photo.jpg"}),
    ],
)
def test_offered_completions(script, tmp_path, line, offered):
    for name in ("own.yaml", "photo.jpg"):
        (tmp_path / name).write_text("")
    assert completed(script, line, tmp_path) == offered


def test_every_command_is_offered(script, tmp_path):
    for command in all_commands():
        group, _, _ = command.rpartition(" ")
        assert command.rpartition(" ")[2] in completed(script, f"gesturehand {group} ".replace("  ", " "), tmp_path)
