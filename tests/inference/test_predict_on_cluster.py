"""Images shared out to two workers give the files of one process, even after kills."""

import shutil

import pytest
from dask_processes import client, kill, machines, until
from set_files import contents

from gesturehand.cluster import Cluster
from gesturehand.errors import UserError
from gesturehand.inference.boxes import HandBox
from gesturehand.inference.predict_files import predict_files
from gesturehand.inference.predict_on_cluster import network_of, predict_on_cluster
from gesturehand.inference.prediction_run import Settings


@pytest.fixture
def folder(tmp_path, pair_frames):
    """160 images in five groups; one image cannot be read."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(160):
        shutil.copy(pair_frames[number % len(pair_frames)]["file"], folder / f"{number:03d}.jpg")
    (folder / "070.jpg").write_bytes(b"no image")
    return folder


@pytest.mark.slow
def test_killed_twice_it_ends_as_one_process_does(trained_checkpoint, folder, tmp_path, monkeypatch):
    """A worker is killed, then the client; the same command continues, and leaves finished results as they are."""
    monkeypatch.chdir(tmp_path)
    words = ["predict", "images", f"--checkpoint={trained_checkpoint}", "--device=cpu", "--detect=false"]
    words += ["--overlay=false", "--skip_done=true"]
    alone = client(*words, "--output=alone")
    said, sentence = alone.communicate()
    assert alone.returncode == 2
    assert "1 of 160 images could not be read (the first: 'images/070.jpg' is not a readable image)" in sentence
    out = tmp_path / "out"

    def done():
        return len(list(out.glob("[0-9]*.json")))

    (tmp_path / "machines").mkdir()
    with machines(tmp_path / "machines") as cluster:
        shared = [*words, "--output=out", f"--cluster={cluster.address}"]
        first = client(*shared)
        until(lambda: done() > 20)
        kill(cluster.workers[0])
        before = done()
        until(lambda: done() > before + 40)
        kill(first)
        before = {path.name: path.stat().st_mtime_ns for path in out.glob("[0-9]*.json")}
        assert 60 < len(before) < 159
        second = client(*shared)
        again, same_sentence = second.communicate()
    assert second.returncode == 2
    assert same_sentence.strip().splitlines()[-1] == sentence.strip().splitlines()[-1].replace("'alone'", "'out'")
    assert contents(out) == contents(tmp_path / "alone")
    assert len(contents(out)) == 159 * 3
    assert set(said.splitlines()) == set(again.splitlines())
    kept = [name for name, time in before.items() if (out / name).stat().st_mtime_ns == time]
    assert len(kept) >= 32, "whole groups stay as they are"


@pytest.mark.slow
def test_two_processes_of_this_machine_write_the_same(one_thread, predictor, trained_checkpoint, pair_frames, tmp_path):
    files = [frame["file"] for frame in pair_frames[:3]]
    said, shared_said = [], []
    alone = Settings(tmp_path / "alone", HandBox(), batch_size=2, progress=False)
    shared = Settings(tmp_path / "shared", HandBox(), batch_size=2, progress=False)
    done = predict_files(predictor, files, alone, said.append)
    network = network_of(trained_checkpoint, "cpu")
    with Cluster("local", workers=2) as cluster:
        also = predict_on_cluster(network, files, shared, cluster, shared_said.append)
    assert also == done._replace(last=[])
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
    assert shared_said[0].startswith(f"Weights: {trained_checkpoint}, on cpu")
    assert shared_said[1:] == said


def test_inputs_other_than_images_are_not_shared_out(trained_checkpoint, pair_frames, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"")
    given = [pair_frames[0]["file"], tmp_path / "clip.mp4"]
    settings = Settings(tmp_path / "out", progress=False)
    with Cluster("local") as cluster, pytest.raises(UserError, match=r"'clip\.mp4' is not one: predict it without"):
        predict_on_cluster(network_of(trained_checkpoint), given, settings, cluster)
    assert not (tmp_path / "out").exists()
