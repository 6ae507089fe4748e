"""The list of experiments."""

from gesturehand.cli.experiment_files import experiment_names, summary_of
from gesturehand.cli.main import main


def test_each_has_one_line_with_its_command_and_sentence(capsys):
    assert main(["experiments"]) == 0
    heading, *lines, note = capsys.readouterr().out.splitlines()
    assert heading.split() == ["experiment", "used", "with", "what", "it", "is"]
    assert len(lines) == len(experiment_names()) > 10
    for line, (name, path) in zip(lines, experiment_names().items(), strict=True):
        assert line.startswith(f"{name} ")
        assert summary_of(path) in line
    assert "sweep --file" in next(line for line in lines if line.startswith("sweeps/"))
    assert "fit --config" in next(line for line in lines if line.startswith("demo/"))
    assert "gesturehand init" in note
