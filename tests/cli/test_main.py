"""The dispatcher."""

import pytest

import gesturehand
from gesturehand.cli.main import main


def test_overview_lists_the_commands(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    for command in (
        "fit",
        "validate",
        "test",
        "evaluate",
        "app",
        "predict",
        "export",
        "data synth",
        "data gallery",
        "hand info",
        "hand convert",
        "run summary",
    ):
        assert f"  {command} " in text


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gesturehand {gesturehand.__version__}\n"


def test_unknown_command_is_one_sentence(capsys):
    assert main(["train"]) == 2
    assert capsys.readouterr().err.startswith("gesturehand: There is no command 'train'")


@pytest.mark.parametrize(
    "words",
    [
        ["data", "synth"],
        ["data", "gallery"],
        ["hand", "info"],
        ["run", "summary"],
        ["evaluate"],
        ["predict"],
        ["app"],
        ["export"],
        ["sweep"],
        ["data", "import"],
    ],
)
def test_every_option_is_explained(words, capsys):
    assert main([*words, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    options = [line for line in lines if line.startswith("  --") and not line.startswith(("  --help", "  --config"))]
    assert options
