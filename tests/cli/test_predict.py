"""``gesturehand predict`` as users type it."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from trainings import exit_code

from gesturehand.cli.main import main
from gesturehand.inference.prediction_run import FOUND, WHOLE_IMAGE
from gesturehand.inference.result import HAND_KEYS


@pytest.fixture
def image(pair_frames):
    return pair_frames[0]["file"]


def test_files_stand_for_themselves(trained_checkpoint, image, tmp_path, capsys):
    words = ["predict", f"--checkpoint={trained_checkpoint}", str(image), "--output", str(tmp_path / "out")]
    words += ["--hand", "left", "--box", "30,40,150,160", "--intrinsics", "1200,1200,250,160"]
    assert main(words) == 0
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
        (["--intrinsics=1,2"], "The intrinsics '1,2' are not a camera's: give fx,fy,cx,cy"),
        (["--intrinsics=1.1,1.1,0.5,0.5"], "Focal lengths of 1.1 and 1.1 px cannot be those of an image of "),
        (["--intrinsics=500,4,256,256"], "Focal lengths of 500 and 4 px cannot be those of an image of "),
        (["--intrinsics=500,500,1e9,256"], "A principal point at 1e+09, 256 px cannot be that of an image of "),
        (["--device=gpu"], "The device 'gpu' cannot be used"),
        (["--device=meta"], "The device 'meta' cannot be used"),
        (["--detect_every=0"], "detect_every is 0: give a whole number from 1 upwards."),
        (["--smallest_px=0"], "smallest_px is 0.0: give a number above 0."),
        (["--batch_size=1e3"], "--batch_size is '1000.0': give a whole number."),
        (["--output="], "--output is empty: give a path, or leave it out."),
        (["--mano="], "--mano is empty: give a path, or leave it out."),
        (["--checkpoint=missing.ckpt"], "'missing.ckpt' does not exist"),
        (["--processes=2"], "--processes is the number of processes for --cluster"),
        (["--cluster=missing.yaml"], "The cluster's file 'missing.yaml' cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(trained_checkpoint, image, tmp_path, refusal, more, message):
    words = [str(image), f"--checkpoint={trained_checkpoint}", f"--output={tmp_path / 'out'}", *more]
    assert message in refusal("predict", *words)


def test_files_are_needed(refusal):
    assert "IMAGE|FOLDER|VIDEO" in refusal("predict")


def test_hands_are_detected_if_no_box_is_given(trained_checkpoint, tmp_path, capsys):
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


def fault(variant, outcome, *values):
    return pytest.param(*values, marks=pytest.mark.fault(kind="boxes", variant=variant, outcome=outcome))


@pytest.fixture
def predicted(trained_checkpoint, image, tmp_path, capsys):
    """Predicts the image with more words or a boxes file; returns exit code, hands and output."""

    def predict(*more, boxes=None):
        words = ["predict", str(image), f"--checkpoint={trained_checkpoint}", "--overlay=false", "--mesh=false"]
        if boxes is not None:
            text = boxes if isinstance(boxes, bytes) else json.dumps(boxes).encode()
            (tmp_path / "boxes.json").write_bytes(text)
            words.append(f"--boxes={tmp_path / 'boxes.json'}")
        code = exit_code([*words, f"--output={tmp_path / 'out'}", *more])
        file = tmp_path / "out" / f"{image.stem}.json"
        printed = capsys.readouterr()
        return code, json.loads(file.read_text())["hands"] if code == 0 else [], printed.out + printed.err

    return predict


HAND = {"box": [30, 40, 150, 160], "hand": "left"}


@pytest.mark.parametrize(("entry", "side"), [
    fault("side instead of hand, as the tool's own JSON", "read", {"box": HAND["box"], "side": "left"}, "left"),
    fault("hand and side, equal", "read", {**HAND, "side": "left"}, "left"),
    fault("side null beside a hand", "read", {**HAND, "side": None}, "left"),
    fault("a hand as the tool writes it, with all keys", "read", {**HAND, "betas": [0.1], "mesh_object": "left"},
     "left"),
    fault("box as text", "read", {"box": "30,40,150,160", "hand": "left"}, "left"),
    fault("no side at all", "taken for a right hand, and a sentence says so", {"box": HAND["box"]}, "right"),
])  # fmt: skip
def test_boxes_that_are_read(predicted, image, entry, side):
    code, hands, _ = predicted(boxes={image.name: [entry]})
    assert code == 0
    assert [(hand["side"], hand["box"]) for hand in hands] == [(side, HAND["box"])]


@pytest.mark.fault(
    kind="boxes", variant="the tool's own JSON file as boxes file", outcome="read back as the same hands"
)
def test_predictions_are_boxes_files(predicted, image, tmp_path):
    _, first, _ = predicted(boxes={image.name: [HAND, {"box": [100, 60, 90, 80], "hand": "right"}]})
    code, again, _ = predicted(boxes=(tmp_path / "out" / f"{image.stem}.json").read_bytes())
    assert code == 0
    assert again == first
    assert set(again[0]) == set(HAND_KEYS)
    assert len(again) == 2


@pytest.mark.parametrize(
    "encode",
    [
        fault("UTF-8 with a byte-order mark", "read", lambda text: b"\xef\xbb\xbf" + text.encode()),
        fault("UTF-16", "read", lambda text: text.encode("utf-16")),
        fault("UTF-16 without a mark", "read", lambda text: text.encode("utf-16-le")),
    ],
)
def test_encodings_of_boxes(predicted, image, encode):
    code, hands, _ = predicted(boxes=encode(json.dumps({image.name: [HAND]})))
    assert (code, [hand["side"] for hand in hands]) == (0, ["left"])


def one_hand(**entry):
    return {"IMAGE": [entry]}


@pytest.mark.parametrize(("boxes", "message"), [
    fault("bbox", "refused by name", one_hand(bbox=[1, 2, 30, 40]), "The key 'bbox' of hand 0"),
    fault("handedness", "refused by name", one_hand(**HAND, handedness="Left"), "The key 'handedness' of hand 0"),
    fault("is_right", "refused by name", one_hand(box=HAND["box"], is_right=0), "The key 'is_right' of hand 0"),
    fault("hand_type", "refused by name", one_hand(box=HAND["box"], hand_type="left"), "The key 'hand_type'"),
    fault("Box, in capitals", "refused by name", one_hand(Box=[1, 2, 30, 40]), "The key 'Box' of hand 0"),
    fault("label and confidence of a detector", "refused by name", one_hand(**HAND, conf=0.9), "The key 'conf'"),
    fault("hand and side that differ", "refused", one_hand(**HAND, side="right"),
     'left as "hand" and right as "side"' ),
    fault("Left, in capitals", "refused", one_hand(box=HAND["box"], hand="Left"),
     "is 'Left': choose right, left or both"),
    fault("fractions of the image", "refused", one_hand(box=[0.1, 0.2, 0.5, 0.6]),
     "0.5 × 0.6 px: give pixels, not fractions"),
    fault("a share of the whole image", "refused", one_hand(box=[0, 0, 1, 1]), "1 × 1 px: give pixels, not fractions"),
    fault("a box of one pixel", "refused", one_hand(box=[80, 90, 1, 1]), "1 × 1 px: give pixels"),
    fault("a box thinner than a pixel", "refused", one_hand(box=[80, 90, 0.4, 50]), "0.4 × 50 px: give pixels"),
    fault("a box outside the image", "refused", one_hand(box=[5000, 90, 50, 50]), "lies outside"),
    fault("width 0", "refused", one_hand(box=[5, 9, 0, 50]), "width and height above 0"),
    fault("NaN in a box", "refused", one_hand(box=[5, float("nan"), 50, 50]), "give x,y,w,h"),
    fault("1e300 in a box", "refused", one_hand(box=[5, 5, 1e300, 50]), "A crop of"),
    fault("a COCO file", "refused", {"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]}, "The key 'bbox'"),
    fault("deeply nested JSON", "refused", b"[" * 200_000, "nested too deeply"),
    fault("deeply nested JSON in a value", "refused", b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
     "nested too deeply"),
    fault("an image named twice", "refused", b'{"IMAGE": [], "IMAGE": [{}]}', "'IMAGE' occurs twice"),
    fault("a number of 5,000 digits", "refused", b"[" + b"9" * 5000 + b"]", "is not valid JSON"),
    fault("cp1252, of an image that is not there", "read", b'{"h\xe4nd.jpg": []}', "händ.jpg"),
    fault("an empty file", "refused", b"", "is not valid JSON"),
    fault("JSON lines", "refused", b"{}\n{}\n", "is not valid JSON"),
])  # fmt: skip
def test_boxes_that_are_refused(predicted, image, tmp_path, boxes, message):
    if isinstance(boxes, dict):
        boxes = {name.replace("IMAGE", image.name): entry for name, entry in boxes.items()}
    code, _, printed = predicted(boxes=boxes)
    assert code == 2
    assert message in printed
    assert len(printed) < 1000
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.fault(
    kind="boxes", variant="corners instead of width and height", outcome="predicted, and a sentence says so"
)
def test_corners_are_noticed(predicted, image):
    height, width = cv2.imread(str(image)).shape[:2]
    corners = [width // 2, height // 2, width - 10, height - 10]
    code, _, printed = predicted(boxes={image.name: [{"box": corners, "hand": "left"}]})
    assert code == 0
    assert "would lie inside if it were two corners" in printed
    for box in (
        [width // 2, height // 2, width // 2 - 10, height // 2 - 10],
        [-20, -20, width, height],
        [0, 0, width, height],
    ):
        assert "two corners" not in predicted(boxes={image.name: [{"box": box, "hand": "left"}]})[2]


@pytest.mark.parametrize(
    "words",
    [
        fault("--box -50,-50,200,200 without =", "read", ["--box", "-50,-50,200,200"]),
        fault("--box=-50,-50,200,200", "read", ["--box=-50,-50,200,200"]),
        fault("--box -50.0,-50,200,2e2", "read", ["--box", "-50.0,-50,200,2e2"]),
    ],
)
def test_boxes_that_begin_with_a_minus(predicted, words):
    code, hands, _ = predicted(*words, "--hand", "left")
    assert code == 0
    assert [(hand["side"], hand["box"]) for hand in hands] == [("left", [-50, -50, 200, 200])]


@pytest.mark.fault(kind="boxes", variant="--box -.5,10,90,90 without =", outcome="read")
def test_a_box_that_begins_with_a_minus_and_a_point(predicted):
    code, hands, _ = predicted("--box", "-.5,10,90,90")
    assert (code, hands[0]["box"]) == (0, [-0.5, 10, 90, 90])


@pytest.mark.parametrize(("words", "message"), [
    fault("--box=-100000,-100000,200000,200000", "refused", ["--box=-100000,-100000,200000,200000"],
     "A crop of 2.8e+05 px"),
    fault("--box_scale=1e6", "refused", ["--box=10,10,90,90", "--box_scale=1e6"], "box_scale is 1000000.0: give"),
    fault("--box_scale=inf", "refused", ["--box=10,10,90,90", "--box_scale=inf"], "inf is not a finite number"),
    fault("--box_scale=nan", "refused", ["--box=10,10,90,90", "--box_scale=nan"], "nan is not a finite number"),
    fault("--box_scale=-1 without =", "refused", ["--box=10,10,90,90", "--box_scale", "-1"],
     "box_scale is -1.0: give" ),
    fault("a long thin box", "refused", ["--box=0,0,10,9000000"], "A crop of"),
])  # fmt: skip
def test_boxes_that_would_fill_the_memory(predicted, words, message):
    code, _, printed = predicted(*words)
    assert code == 2
    assert message in printed


@pytest.mark.parametrize("name", [b"bad\xff\xfe.jpg", b"two\nlines.jpg", b"\x1b[31mred.jpg"])
def test_files_with_names_that_are_not_text(name, tmp_path, capsys):
    """The results have the same names, and the JSON the same bytes."""
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(cv2.imencode(".jpg", np.full((64, 64, 3), 128, np.uint8))[1].tobytes())
    assert main(["predict", str(file), f"--output={tmp_path / 'out'}", "--box=whole", "--hand=left"]) == 0
    content = json.loads((tmp_path / "out" / f"{file.stem}.json").read_text())
    assert os.fsencode(content["image"]) == name
    file.write_bytes(b"no image")
    assert main(["predict", str(file), f"--output={tmp_path / 'out'}"]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "is not a readable image: get it again." in sentence
    assert str(tmp_path) in sentence
    assert sentence.isprintable()


def test_an_argument_that_begins_with_a_dash(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("-dash.jpg").write_bytes(cv2.imencode(".jpg", np.full((64, 64, 3), 128, np.uint8))[1].tobytes())
    assert main(["predict", "-dash.jpg"]) == 2
    assert "./-NAME" in capsys.readouterr().err
    for words in (["./-dash.jpg", "--output=a"], ["--output=b", "--", "-dash.jpg"]):
        assert main(["predict", "--box=whole", "--overlay=false", "--mesh=false", *words]) == 0
    assert Path("a/-dash.json").read_bytes() == Path("b/-dash.json").read_bytes()


@pytest.mark.parametrize(
    ("input_", "message"),
    [
        ("", "An input is empty ('')"),
        ("loop.jpg", "cannot be read (Too many levels of symbolic links)"),
        ("lost.jpg", "is a link to a file that is missing"),
    ],
)
def test_inputs_that_lead_nowhere(input_, message, tmp_path, monkeypatch, refusal):
    monkeypatch.chdir(tmp_path)
    Path("loop.jpg").symlink_to("loop.jpg")
    Path("lost.jpg").symlink_to("missing.jpg")
    assert message in refusal("predict", input_)
