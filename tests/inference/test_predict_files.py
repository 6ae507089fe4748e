"""Files in, files out."""

import json
import shutil

import cv2
import numpy as np
import pytest
import trimesh
from faults import fault, faults
from PIL import Image

from gesturehand.data import image_file
from gesturehand.errors import UserError
from gesturehand.hand.load import open_hand
from gesturehand.hand.skinning import skin
from gesturehand.inference.boxes import BoxFile, HandBox
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import NO_INTRINSICS, NO_SIDE, OPEN_HAND, WHOLE_IMAGE, Settings


@pytest.fixture(scope="module")
def images(tmp_path_factory, pair_frames):
    """A folder with four frames and the file of their hands' boxes; the third has no entry."""
    folder = tmp_path_factory.mktemp("images")
    boxes = {}
    for number, frame in enumerate(pair_frames[:4]):
        shutil.copy(frame["file"], folder / f"{number}.jpg")
        if number != 2:
            boxes[f"{number}.jpg"] = [{"box": hand["box"], "hand": hand["hand"]} for hand in frame["hands"]]
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return folder


def run(predictor, inputs, output, **settings):
    said = []
    done = predict_files(predictor, inputs, Settings(output, progress=False, **settings), said.append)
    return done, said


def rotations_of(hand):
    return np.concatenate([[hand["global_orient"]], hand["hand_pose"]])[None]


def test_json_skinned_again_is_the_obj(predictor, images, pair_frames, tmp_path):
    """The files' parameters of a hand give its mesh to 1e-5 m, for right and for left hands."""
    k = pair_frames[0]["intrinsics"]
    intrinsics = [k[0, 0], k[1, 1], k[0, 2], k[1, 2]]
    done, said = run(predictor, [images], tmp_path, boxes=BoxFile(images / "boxes.json"), intrinsics=intrinsics)
    assert said[0].startswith(f"Left out of '{images}': 1 .json.")
    assert said[1:] == [OPEN_HAND]
    assert (done.images, done.frames, done.empty) == (4, 0, 1)
    sides = set()
    for number in range(4):
        content = json.loads((tmp_path / f"{number}.json").read_text())
        assert content["camera"]["intrinsics"] == "given"
        assert len(content["hands"]) == (0 if number == 2 else len(pair_frames[number]["hands"]))
        vertices = np.array(
            [line.split()[1:] for line in (tmp_path / f"{number}.obj").read_text().splitlines() if line[:2] == "v "]
        ).astype(float)
        for place, hand in enumerate(content["hands"]):
            data = open_hand(hand["side"])
            mesh, joints = skin(data, rotations_of(hand), np.array([hand["betas"]]), np.array([hand["cam_t"]]))
            own = vertices[place * data.num_vertices : (place + 1) * data.num_vertices]
            np.testing.assert_allclose(mesh[0], own, atol=1e-5)
            np.testing.assert_allclose(joints[0, 0], hand["joints"][0], atol=1e-5)
            sides.add(hand["side"])
    assert sides == {"right", "left"}


def test_every_file_of_an_image(predictor, images, tmp_path):
    done, said = run(predictor, [images / "0.jpg"], tmp_path / "new" / "out", boxes=HandBox())
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == [
        "0.json",
        "0.obj",
        "0.ply",
        "0_overlay.png",
    ]
    assert said == [OPEN_HAND, NO_INTRINSICS, WHOLE_IMAGE, NO_SIDE.format("right ones")]
    content = json.loads((tmp_path / "new" / "out" / "0.json").read_text())
    (hand,) = content["hands"]
    assert (hand["side"], hand["intrinsics"], content["camera"]["intrinsics"]) == ("right", "assumed", "assumed")
    assert hand["gesture"]["fine"]["name"] == done.last[0].gesture_fine.name
    assert sum(hand["gesture"]["fine"]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    for name, shape in {
        "cam_t": (3,),
        "global_orient": (3, 3),
        "hand_pose": (15, 3, 3),
        "betas": (10,),
        "global_orient_axis_angle": (3,),
        "hand_pose_axis_angle": (45,),
        "hand_pose_axis_angle_flat": (45,),
        "joints": (21, 3),
        "joints_2d": (21, 2),
    }.items():
        assert np.shape(hand[name]) == shape, name
    assert cv2.imread(str(tmp_path / "new" / "out" / "0_overlay.png")) is not None
    assert len(trimesh.load(tmp_path / "new" / "out" / "0.ply").faces) == len(done.last[0].faces)


def test_less_on_request_and_again(predictor, images, tmp_path):
    (tmp_path / "0.json").write_text("earlier")
    (tmp_path / "other.txt").write_text("kept")
    run(predictor, [images / "0.jpg"], tmp_path, boxes=HandBox((5, 5, 100, 100), "left"), overlay=False, mesh=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.json", "other.txt"]
    assert json.loads((tmp_path / "0.json").read_text())["hands"][0]["box"] == [5, 5, 100, 100]


def test_side_for_boxes_that_do_not_say(predictor, images, tmp_path):
    (tmp_path / "boxes.json").write_text(
        json.dumps([{"box": [5, 5, 90, 90]}, {"box": [50, 50, 90, 90], "hand": "right"}])
    )
    done, _ = run(
        predictor, [images / "0.jpg"], tmp_path, boxes=BoxFile(tmp_path / "boxes.json"), side="left", mesh=False
    )
    assert [hand.side for hand in done.last] == ["left", "right"]


@pytest.fixture
def clip(tmp_path, pair_frames):
    """Seven frames of one image that moves to the right."""
    image = cv2.imread(str(pair_frames[0]["file"]))
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (image.shape[1], image.shape[0])
    )
    for step in range(7):
        writer.write(np.roll(image, 4 * step, 1))
    writer.release()
    return tmp_path / "clip.avi"


def test_video(predictor, clip, tmp_path):
    boxes = {"clip.avi": {str(n): [{"box": [60, 60, 150, 150], "hand": "left"}] for n in (0, 1, 2, 5)}}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    out = tmp_path / "out"
    done, _ = run(predictor, [clip], out, boxes=BoxFile(tmp_path / "boxes.json"), batch_size=3, mesh=True)
    assert (done.images, done.frames, done.hands, done.empty) == (0, 7, 4, 3)
    lines = [json.loads(line) for line in (out / "clip.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == [f"clip.avi#{n}" for n in range(7)]
    assert [len(line["hands"]) for line in lines] == [1, 1, 1, 0, 0, 1, 0]
    capture = cv2.VideoCapture(str(out / "clip_overlay.mp4"))
    assert (capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)) == (7, 10)
    assert sorted(path.name for path in (out / "clip").glob("*.obj"))[-1] == "000006.obj"
    assert sorted(path.name for path in out.iterdir()) == ["clip", "clip.jsonl", "clip_overlay.mp4"]


def test_nothing_half_written_after_an_error(predictor, clip, tmp_path):
    (tmp_path / "boxes.json").write_text(
        json.dumps({"clip.avi": {"0": [{}], "5": [{"box": [9000, 0, 10, 10], "hand": "left"}]}})
    )
    out = tmp_path / "out"
    with pytest.raises(UserError, match="lies outside frame 5 of"):
        run(predictor, [clip], out, boxes=BoxFile(tmp_path / "boxes.json"), batch_size=1)
    assert list(out.iterdir()) == []


def test_unreadable_images_among_others_are_reported_at_the_end(predictor, images, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(images / "0.jpg", folder / "b.jpg")
    (folder / "a.jpg").write_text("no image")
    with pytest.raises(
        UserError, match=r"1 of 2 images could not be read \(the first: '.*a.jpg' is not a readable image\)"
    ):
        run(predictor, [folder], tmp_path / "out")
    assert (tmp_path / "out" / "b.json").is_file()
    assert not (tmp_path / "out" / "a.json").exists()


def test_impossible_requests(predictor, images, tmp_path):
    with pytest.raises(UserError, match="holds the images that are predicted"):
        run(predictor, [images], images)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        run(predictor, [images], tmp_path / "file" / "out")
    (tmp_path / "boxes.json").write_text('{"9.jpg": []}')
    with pytest.raises(UserError, match="images that are not there"):
        run(predictor, [images], tmp_path / "out", boxes=BoxFile(tmp_path / "boxes.json"))
    assert not (tmp_path / "out").exists()
    (tmp_path / "only.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"only.jpg' is not a readable image"):
        run(predictor, [tmp_path / "only.jpg"], tmp_path / "out")


@fault(
    "phone folder",
    "a camera's folder as a Mac copies it: photo turned by Exif, ._ file, HEIC, film",
    "the photo is predicted as a viewer shows it, and the rest is counted",
)
def test_a_phones_folder(predictor, images, tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "heif_suffixes", lambda: ())
    folder = tmp_path / "DCIM"
    folder.mkdir()
    with Image.open(images / "0.jpg") as photo:
        width, height = photo.size
        tags = Image.Exif()
        tags[0x0112] = 6
        photo.save(folder / "IMG_0.JPG", exif=tags)
    (folder / "._IMG_0.JPG").write_bytes(b"\0\5\x16\7" + bytes(100))
    for name in ("IMG_1.HEIC", "IMG_2.MOV"):
        (folder / name).write_bytes(b"")
    done, said = run(predictor, [folder], tmp_path / "out", mesh=False)
    assert done.images == 1
    assert said[0].startswith(f"Left out of '{folder}': 1 .heic, 1 .mov. Images have to be JPEG, PNG, WebP or BMP")
    content = json.loads((tmp_path / "out" / "IMG_0.json").read_text())
    assert content["image"] == "IMG_0.JPG"
    assert (content["width"], content["height"]) == (height, width)


@pytest.mark.parametrize(
    "key",
    faults(
        "image's name spelled another way",
        "the boxes are found",
        (
            ("key in NFD, the file in NFC", "e\u0301.jpg"),
            ("key with folders and backslashes", "photos\\é.jpg"),
            ("key with folders", "photos/é.jpg"),
            ("key with ./", "./é.jpg"),
        ),
        within="boxes file: ",
    ),
)
def test_boxes_of_a_name_spelled_another_way(predictor, images, tmp_path, key):
    shutil.copy(images / "0.jpg", tmp_path / "é.jpg")
    (tmp_path / "boxes.json").write_text(json.dumps({key: [{"box": [5, 6, 70, 80], "hand": "left"}]}))
    out = tmp_path / "out"
    boxes = BoxFile(tmp_path / "boxes.json")
    done, _ = run(predictor, [tmp_path / "é.jpg"], out, boxes=boxes, mesh=False, overlay=False)
    assert [hand.side for hand in done.last] == ["left"]
    assert json.loads((out / "é.json").read_text())["hands"][0]["box"] == [5, 6, 70, 80]


@fault(
    "image's name spelled another way",
    "boxes file: two keys that mean one image",
    "refused in one sentence that names the image",
)
def test_two_keys_of_one_image(tmp_path):
    (tmp_path / "boxes.json").write_text(json.dumps({"a/é.jpg": [], "e\u0301.jpg": []}))
    with pytest.raises(UserError, match=r"has two entries for the image 'é\.jpg'"):
        BoxFile(tmp_path / "boxes.json")


@fault(
    "video whose size changes",
    "Motion JPEG, predicted",
    "said once; the JSON is in each frame's own pixels, and pictures are fitted into the first frame's size",
)
def test_video_whose_size_changes(predictor, tmp_path):
    frames = [np.full((*shape, 3), 90, np.uint8) for shape in ((48, 64), (48, 64), (80, 48), (80, 48))]
    path = tmp_path / "clip.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames))
    done, said = run(predictor, [path], tmp_path / "out")
    assert done.frames == 4
    told = [sentence for sentence in said if "changes from" in sentence]
    assert len(told) == 1
    assert f"'{path}' changes from 64 × 48 to 48 × 80 px at frame 2" in told[0]
    lines = [json.loads(line) for line in (tmp_path / "out" / "clip.jsonl").read_text().splitlines()]
    assert [(line["width"], line["height"]) for line in lines] == [(64, 48)] * 2 + [(48, 80)] * 2
    capture = cv2.VideoCapture(str(tmp_path / "out" / "clip_overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    capture.release()
