"""``gesturehand predict`` as users type it."""

import json
import os
import subprocess
import sys

import pytest

from gesturehand.cli.main import main


@pytest.fixture
def image(pair_frames):
    return pair_frames[0]["file"]


def test_files_stand_for_themselves(trained_checkpoint, image, tmp_path, capsys):
    words = [
        "predict",
        f"--checkpoint={trained_checkpoint}",
        str(image),
        "--output",
        str(tmp_path / "out"),
        "--hand",
        "left",
    ]
    assert main([*words, "--box", "30,40,150,160", "--intrinsics", "1200,1200,250,160"]) == 0
    content = json.loads((tmp_path / "out" / f"{image.stem}.json").read_text())
    (hand,) = content["hands"]
    assert (hand["side"], hand["box"], hand["intrinsics"]) == ("left", [30, 40, 150, 160], "given")
    assert content["camera"]["princpt"] == [250, 160]
    text = capsys.readouterr().out
    assert "trained on rendered hands" in text
    assert f"left hand: {hand['gesture']['fine']['name']}" in text
    assert f"1 image, 1 hand: {tmp_path / 'out'}/" in text


def test_without_a_checkpoint_the_weights_that_come_with_the_package_are_used(image, tmp_path, capsys):
    words = ["predict", str(image), "--output", str(tmp_path), "--mesh=false", "--overlay=false"]
    assert main([*words, "--box", "30,40,150,160", "--hand", "left", "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "Weights: openphoto, on cpu, by ONNX Runtime" in text
    assert "trained on rendered hands" not in text
    content = json.loads((tmp_path / f"{image.stem}.json").read_text())
    assert content["model"]["checkpoint"] == "openphoto"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--hand=up"], "--hand is 'up': choose right, left or both."),
        (["--box=1,2,3"], "--box is '1,2,3': give x,y,w,h"),
        (["--box=1,2,3,4", "--boxes=b.json"], "--box and --boxes cannot both be given"),
        (["--boxes=missing.json"], "'missing.json' does not exist"),
        (["--box=9000,0,10,10"], "lies outside '"),
        (["--intrinsics=1,2"], "The intrinsics '1,2' are none: give fx,fy,cx,cy"),
        (["--device=gpu"], "The device 'gpu' is not to be had"),
        (["--checkpoint=missing.ckpt"], "'missing.ckpt' does not exist"),
    ],
)
def test_mistakes_are_one_sentence(trained_checkpoint, image, tmp_path, capsys, more, message):
    words = ["predict", str(image), f"--checkpoint={trained_checkpoint}", f"--output={tmp_path / 'out'}", *more]
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.startswith("gesturehand: ")
    assert len(error.splitlines()) == 1


def test_files_are_needed(capsys):
    with pytest.raises(SystemExit):
        main(["predict"])
    assert "IMAGE|FOLDER|VIDEO" in capsys.readouterr().err


def test_help_needs_no_torch():
    code = "import sys; from gesturehand.cli.main import main\ntry: main(['predict', '--help'])\n"
    code += "finally: print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert "IMAGE|FOLDER|VIDEO" in done.stdout
    assert done.stdout.strip().endswith("False")
