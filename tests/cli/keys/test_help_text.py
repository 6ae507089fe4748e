"""The help of every command, which imports neither PyTorch nor Lightning."""

import pytest

from gesturehand.cli.commands import GROUPS, all_commands
from gesturehand.cli.keys.known import known_keys, model_classes


@pytest.fixture(scope="module")
def helps(answers):
    """The output of each command for --help, by its name."""
    names = [*all_commands(), *GROUPS]
    lines = [[*name.split(), "--help"] for name in names]
    return dict(zip(names, answers(lines), strict=True))


@pytest.mark.parametrize("command", all_commands())
def test_every_key_has_its_line(helps, command):
    code, text, err = helps[command]
    assert (code, err) == (0, "")
    assert text.startswith(f"usage: gesturehand {command} ")
    assert all(len(line) <= 120 for line in text.splitlines())
    for path, key in known_keys(command).by_path.items():
        assert f"  --{path}" in text
        assert key.parameter.text, f"{path} is not explained"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_its_commands(helps, group):
    code, text, _ = helps[group]
    assert code == 0
    for name, line in GROUPS[group].items():
        assert f"  {group} {name} " in text
        assert line in text


def test_defaults_and_words_are_shown(helps):
    text = " ".join(helps["fit"][1].split())
    assert "--data.image_size N Side of the square crop, px. [256]" in text
    assert (
        "--model.init_args.fusion WORD How gesture tokens guide the joint tokens. (concat, cross, none) [concat]"
        in text
    )
    assert "--checkpoint.filename TEXT" in text
    assert "IMAGE|FOLDER|VIDEO" in helps["predict"][1]
    assert "[best]" in text
    assert "[16, 4, 8]" in " ".join(helps["data synth"][1].split())


@pytest.mark.parametrize("asked", ["command line", "short name", "file"])
def test_help_of_one_class_is_that_class_alone(answers, asked, tmp_path):
    name = model_classes()["EANetRegressor"]
    (tmp_path / "own.yaml").write_text(f"model:\n  class_path: {name}\n")
    word = {"command line": f"--model={name}", "short name": "--model=EANetRegressor", "file": "--config=own.yaml"}[
        asked
    ]
    ((code, text, _),) = answers([["fit", word, "--help"]], tmp_path)
    assert code == 0
    assert "--model.init_args.gesture_heads N" in text
    assert "[resnet50]" in text
    assert "--model.init_args.fusion" not in text


def test_help_of_somebodys_own_class(answers, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\nopen('ran', 'w').close()\n"
        "class Mine(torch.nn.Module):\n"
        '    """A class.\n\n    Args:\n        size: How large it is.\n    """\n\n'
        "    def __init__(self, size: int = 3, **more) -> None: ...\n"
    )
    ((code, text, _),) = answers([["fit", "--model=mine.Mine", "--help"]], tmp_path)
    assert code == 0
    assert not (tmp_path / "ran").exists(), "its source is read and not run"
    assert "--model.init_args.size N" in text or "--model.help=mine.Mine" in text
