"""``gesturehand export`` as users type it."""

import pytest

from gesturehand.cli.main import main


def test_a_program_and_its_contents(trained_checkpoint, synthetic_root, tmp_path, capsys, refusal):
    out = tmp_path / "model.pt2"
    words = ["export", "--mesh=false", f"--checkpoint={trained_checkpoint}", "--format=pt2", f"--out={out}"]
    words.append(f"--data={synthetic_root}")
    assert main(words) == 0
    text = capsys.readouterr().out
    assert out.is_file()
    assert "hand_pose          B × 15 × 3 × 3" in text
    assert "Contains no hand model." in text
    assert "exists: give another name, or --overwrite=true" in refusal(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out=model.pt2"], "model.pt2 does not end in .onnx"),
        (["--out=missing/model.onnx"], "missing is not a folder"),
        (["--out=model.onnx", "--checkpoint=missing"], "'missing' does not exist"),
    ],
)
def test_mistakes_are_one_sentence(words, message, tmp_path, monkeypatch, refusal):
    monkeypatch.chdir(tmp_path)
    assert message in refusal("export", *words)
