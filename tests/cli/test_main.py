"""The dispatcher."""

import pytest

import gesturehand
from gesturehand.cli.commands import all_commands
from gesturehand.cli.main import main


def test_overview_lists_the_commands(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    commands = all_commands()
    assert {"fit", "predict", "data synth", "run summary"} <= set(commands)
    for command in commands:
        assert f"  {command} " in text


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gesturehand {gesturehand.__version__}\n"


def test_unknown_command_is_one_sentence(refusal):
    assert refusal("train").startswith("gesturehand: There is no command 'train'")


@pytest.mark.parametrize("words", [["data", "synth"], ["predict"]])
def test_options_are_explained(words, capsys):
    """The other commands' options are tested in tests/cli/keys/test_help_text.py."""
    assert main([*words, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    options = [line for line in lines if line.startswith("  --") and not line.startswith(("  --help", "  --config"))]
    assert options
