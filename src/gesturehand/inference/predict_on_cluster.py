"""Prediction on many images by a cluster's workers, one group each at a time; the files are those of one process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import torch

from gesturehand.cluster import Cluster, Task
from gesturehand.cluster.task import check_wanted
from gesturehand.errors import UserError
from gesturehand.file_writing import remove_parts
from gesturehand.inference.checkpoint import SHIPPED, find_checkpoint, load_regressor
from gesturehand.inference.engine import Engine
from gesturehand.inference.joint_definition import Joints
from gesturehand.inference.predict_files import Predicted, prepare, refuse_unreadable
from gesturehand.inference.predict_images import ImageFile, Unreadable, image_files, predict_images, remove_unfinished
from gesturehand.inference.prediction_run import PredictionRun, Settings, introduction
from gesturehand.inference.predictor import HandPredictor
from gesturehand.inference.sources import Sources, find_sources


class Network(NamedTuple):
    """The network that a worker loads once; see :meth:`~gesturehand.inference.predictor.HandPredictor.from_checkpoint`.

    Attributes:
        checkpoint: An absolute path, or the name of shipped weights.
        shown: Its name in the results.
        device: The worker's device.
        mano: Absolute path of MANO's file or folder; None: that of the training.
        box_scale: Side of a crop over the longer side of its box; None: the network's.
        engine: The engine that runs it.
        joints: The joints that are returned.
        changed: Time of the file's last change, ns: workers that have loaded an earlier version load it again.
    """

    checkpoint: str
    shown: str
    device: str = "auto"
    mano: str | None = None
    box_scale: float | None = None
    engine: Engine = "auto"
    joints: Joints = "annotated"
    changed: int = 0


class GroupDone(NamedTuple):
    """A worker's report on a group of images.

    Attributes:
        said: The assumptions that were made.
        images: Number of images that were read.
        hands: Number of hands in them.
        empty: Number of images without a hand.
        unreadable: Images that could not be read.
        skipped: Number of images that were done before.
    """

    said: list[str]
    images: int
    hands: int
    empty: int
    unreadable: list[Unreadable]
    skipped: int


def network_of(
    checkpoint: str | Path,
    device: str = "auto",
    *,
    mano: str | None = None,
    box_scale: float | None = None,
    engine: Engine = "auto",
    joints: Joints = "annotated",
) -> Network:
    """The network that workers have to load.

    Args:
        checkpoint: This and the rest as for :meth:`~gesturehand.inference.predictor.HandPredictor.from_checkpoint`.
        device: Device of each worker.
        mano: MANO's file or folder, which the workers must see.
        box_scale: Side of a crop over the longer side of its box.
        engine: The engine that runs the network.
        joints: The joints that are returned.

    Raises:
        UserError: There is no such checkpoint.
    """
    mano = None if mano is None else str(Path(mano).resolve())
    if checkpoint in SHIPPED:
        return Network(str(checkpoint), str(checkpoint), device, mano, box_scale, engine, joints)
    found = find_checkpoint(checkpoint)
    return Network(str(found.resolve()), str(found), device, mano, box_scale, engine, joints, found.stat().st_mtime_ns)


def predict_on_cluster(
    network: Network,
    inputs: Sequence[str | Path],
    settings: Settings,
    cluster: Cluster,
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predicts images on workers, which must see them and the folder of the results.

    Every file is the same, byte for byte, as :func:`~gesturehand.inference.predict_files.predict_files` writes it on
    such a machine with as many threads. A group whose worker died is predicted again.

    Args:
        network: The network that the workers load.
        inputs: Images and folders of images.
        settings: The settings of output and prediction.
        cluster: The workers.
        say: Called once for each assumption.

    Raises:
        UserError: As for ``predict_files`` and :meth:`~gesturehand.cluster.client.Cluster.stream`; or a video is given.
    """
    _refuse_videos(find_sources(inputs))
    sources = prepare(inputs, settings, say)
    images = image_files(sources, settings.batch_size)
    said: set[str] = set()
    done: list[GroupDone] = []
    groups = _tasks(network, images, settings)
    progress = settings.progress and len(images) > 1
    found = cluster.stream(groups, title="images", unit="image", total=len(images), done=0, progress=progress)
    for _, group in found:
        done.append(group)
        for sentence in group.said:
            if sentence not in said:
                said.add(sentence)
                say(sentence)
    remove_unfinished(images, settings)
    remove_parts(settings.output, ["cluster"])
    refuse_unreadable([one for group in done for one in group.unreadable], sources, settings)
    return Predicted(
        sum(group.images for group in done),
        0,
        sum(group.hands for group in done),
        sum(group.empty for group in done),
        [],
        sum(group.skipped for group in done),
    )


def _tasks(network: Network, images: Iterable[ImageFile], settings: Settings) -> Iterator[Task]:
    settings = replace(settings, output=settings.output.resolve(), progress=False)
    for _, members in groupby(images, key=attrgetter("group")):
        group = [file._replace(path=file.path.absolute()) for file in members]
        yield Task(f"images {group[0].shown} …", predict_group, (network, group, settings), weight=len(group))


def predict_group(network: Network, images: Sequence[ImageFile], settings: Settings) -> GroupDone:
    """Predicts images on a worker.

    Args:
        network: The network, which is loaded unless this process has it already.
        images: A whole group.
        settings: The settings of output and prediction.

    Raises:
        UserError: Something asked for cannot serve.
        Unwanted: Nobody waits for the images any more.
    """
    predictor = _load(network)
    said = [introduction(predictor)]
    run = PredictionRun(predictor, settings, said.append, lambda *_: check_wanted())
    side_by_side = predictor.device.type != "cpu" or torch.get_num_threads() > 1
    done = predict_images(run, images, side_by_side=side_by_side)
    return GroupDone(said, run.frames, run.hands, run.empty, done.unreadable, done.skipped)


@lru_cache(maxsize=1)
def _load(network: Network) -> HandPredictor:
    regressor = load_regressor(network.checkpoint, network.mano)._replace(path=Path(network.shown))
    return HandPredictor(regressor, network.device, network.box_scale, network.engine, network.joints)


def _refuse_videos(sources: Sources) -> None:
    for source in sources.every[len(sources.images) :]:
        raise UserError(f"A cluster predicts images, and '{source.name}' is not one: predict it without --cluster.")
