"""``gesturehand predict`` as users type it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gesturehand.cli.main import main
from gesturehand.inference.predict_files import FOUND, WHOLE_IMAGE


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
    assert main([*words, "--box", "30,40,150,160", "--hand", "left"]) == 0
    text = capsys.readouterr().out
    assert "Weights: openphoto, on " in text
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


def test_hands_are_looked_for_where_no_box_is_given(trained_checkpoint, tmp_path, capsys):
    with np.load(Path(__file__).parents[1] / "detection" / "mediapipe_reference.npz") as arrays:
        cv2.imwrite(str(tmp_path / "hand.png"), arrays["photo"][..., ::-1])
    cv2.imwrite(str(tmp_path / "none.png"), np.zeros((60, 80, 3), np.uint8))
    out = tmp_path / "out"

    def hands_of(name, *more):
        words = ["predict", f"--checkpoint={trained_checkpoint}", str(tmp_path / f"{name}.png"), f"--output={out}"]
        assert main([*words, "--mesh=false", "--overlay=false", *more]) == 0
        return json.loads((out / f"{name}.json").read_text())["hands"], capsys.readouterr().out

    (found,), text = hands_of("hand")
    assert (found["side"], found["score"] > 0.5) == ("right", True)
    assert FOUND in text
    assert f"right hand at {','.join(f'{value:.0f}' for value in found['box'])}:" in text
    assert hands_of("hand", "--hand=left")[0][0]["side"] == "left"
    assert hands_of("hand", "--min_score=1")[0] == []
    for whole in ("--box=whole", "--detect=false"):
        (hand,), text = hands_of("hand", whole)
        assert (hand["box"], hand["score"]) == ([0, 0, 100, 100], None)
        assert WHOLE_IMAGE in text
    hands, text = hands_of("none")
    assert hands == []
    assert "no hand was found: say where it is" in text
