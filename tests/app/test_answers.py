"""Answers to visitors' files: the same as those of `predict`, or one sentence."""

import json
import threading

import cv2
import numpy as np
import pytest

from gesturehand.app.answers import Answerer, VisitEndedError, Visits, remove_empty
from gesturehand.errors import UserError
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.prediction_run import Settings


def test_a_question_removes_the_files_of_the_last_one(tmp_path):
    visits = Visits(tmp_path)
    first, other = visits.ask("a"), visits.ask("b")
    (first.folder / "x.json").write_text("1")
    second = visits.ask("a")
    assert not first.folder.exists()
    assert visits.last("a") is second
    visits.check("a", second)
    (first.folder).mkdir()  # as a writer in progress does
    with pytest.raises(VisitEndedError):
        visits.check("a", first)
    assert not first.folder.exists()
    visits.end("a")
    assert visits.last("a") is None
    assert list(tmp_path.iterdir()) == [other.folder]
    visits.end("a")
    visits.end("b")
    assert list(tmp_path.iterdir()) == []


def test_many_at_once(tmp_path):
    visits = Visits(tmp_path)

    def come_and_go(name):
        for _ in range(20):
            visit = visits.ask(name)
            (visit.folder / "x").write_text(name)
            visits.check(name, visit)
        visits.end(name)

    threads = [threading.Thread(target=come_and_go, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def answerer(predictor):
    return Answerer(predictor, max_seconds=5)


def test_a_photo_is_answered_as_predict_writes_it(answerer, predictor, given, tmp_path):
    folder = tmp_path / "answer"
    folder.mkdir()
    answer = answerer(given["hand.jpg"], folder, 0.5)
    meshes = answerer.meshes(answer, 0)
    expected = tmp_path / "predict"
    predict_files(
        predictor, [given["hand.jpg"]], Settings(expected, mesh_formats=("obj", "glb"), progress=False), lambda _: None
    )
    written = json.loads((expected / "hand.json").read_text())
    assert written.pop("settings_sha256")  # by which `predict` knows which images are done
    assert json.loads(answer.numbers.read_text()) == written
    assert meshes.obj.read_bytes() == (expected / "hand.obj").read_bytes()
    assert meshes.glb.read_bytes() == (expected / "hand.glb").read_bytes()
    strip = cv2.imread(str(expected / "hand_overlay.png"))
    pictures = [cv2.imread(str(path)) for path in answer.pictures]
    # The captions lie in the last rows of the strip.
    rows, width = slice(0, strip.shape[0] - 40), pictures[0].shape[1]
    np.testing.assert_array_equal(pictures[0][rows], strip[rows, :width])
    np.testing.assert_array_equal(pictures[1][rows], strip[rows, width + 4 : 2 * width + 4])
    assert [hand.side for hand in answer.hands[0]] == ["right"]


def test_a_video_is_answered_as_predict_writes_it(answerer, predictor, given, tmp_path):
    folder, told = tmp_path / "answer", []
    folder.mkdir()
    answer = answerer(given["clip.mp4"], folder, 0.5, lambda done, count: told.append((done, count)))
    predict_files(predictor, [given["clip.mp4"]], Settings(tmp_path / "predict", progress=False), lambda _: None)
    assert answer.numbers.read_bytes() == (tmp_path / "predict" / "clip.jsonl").read_bytes()
    assert told == [(number, 8) for number in range(1, 9)]
    lines = [json.loads(line) for line in answer.numbers.read_text().splitlines()]
    assert [len(line["hands"]) for line in lines] == [len(hands) for hands in answer.hands]
    assert not any(answer.hands[3:5])
    assert answer.first == 0
    assert answer.film is not None
    assert answer.film.stat().st_size > 1000
    assert answerer.meshes(answer, 3).obj.read_text().count("\no ") == 0
    assert answerer.meshes(answer, 5).obj.read_text().count("\no ") == len(answer.hands[5])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cut.jpg", r"^The image 'cut\.jpg' is cut short"),
        ("text.jpg", r"^The image 'text\.jpg' is not a readable image"),
        ("<b>text<b>.txt", r"^The image '<b>text<b>\.txt' is not a readable image"),
        ("empty.jpg", r"^The image 'empty\.jpg' is not a readable image"),
        ("huge.png", r"^The image 'huge\.png' claims 30000 x 30000 pixels"),
        ("empty.mp4", r"^'empty\.mp4' is not a video"),
        ("long.mp4", r"^'long\.mp4' lasts 6\.0 seconds, more than 5: cut it shorter\.$"),
    ],
)
def test_a_file_that_cannot_serve_is_one_sentence_without_folders(answerer, given, tmp_path, name, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        answerer(given[name], tmp_path, 0.5)
    assert str(given[name].parent) not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pixel.png", "wall.jpg"])
def test_a_picture_without_a_hand_is_an_answer(answerer, given, tmp_path, name):
    answer = answerer(given[name], tmp_path, 0.5)
    assert answer.hands == [[]]
    assert json.loads(answer.numbers.read_text())["hands"] == []


def test_a_film_is_known_by_its_content(answerer, given, tmp_path):
    film = tmp_path / "film"
    film.write_bytes(given["long.mp4"].read_bytes())
    with pytest.raises(UserError, match=r"^'film' lasts 6\.0 seconds"):
        answerer(film, tmp_path, 0.5)


@pytest.mark.slow
def test_answers_of_several_threads_are_those_of_one(answerer, given, tmp_path):
    names = ["hand.jpg", "point.jpg", "clip.mp4"]

    def answer(name, folder, answers):
        folder.mkdir()
        answers[name] = answerer(given[name], folder, 0.5).numbers.read_bytes()

    alone, together = {}, {}
    for name in names:
        answer(name, tmp_path / f"alone_{name}", alone)
    threads = [threading.Thread(target=answer, args=(name, tmp_path / name, together)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_an_exception_from_progress_ends_a_video(answerer, given, tmp_path):
    def left(done, count):
        raise KeyboardInterrupt

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        answerer(given["clip.mp4"], tmp_path, 0.5, left)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == threads


def test_empty_files_are_removed(tmp_path):
    (tmp_path / "tmpabc").touch()
    (tmp_path / "full").write_text("x")
    (tmp_path / "folder").mkdir()
    remove_empty(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "full"]
