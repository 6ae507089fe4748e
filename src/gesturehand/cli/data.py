"""``gesturehand data``: the open synthetic sets, their gestures, a look at any set's annotations, and shards of it."""

import shlex
import sys
from pathlib import Path
from typing import Any

import cv2

from gesturehand.cli.console import print_table, say, say_deprecated
from gesturehand.cli.import_data import import_ as import_
from gesturehand.data.pack import PackSettings, pack_split
from gesturehand.data.selection import BoxSource, Hands, Layout
from gesturehand.errors import UserError
from gesturehand.file_writing import write_bytes
from gesturehand.settings import ExistingPath
from gesturehand.synthetic.gallery import draw_gallery
from gesturehand.synthetic.photo.plan import PhotoSettings
from gesturehand.synthetic.photo.writer import write_photo_set
from gesturehand.synthetic.plan import BenchmarkSettings
from gesturehand.synthetic.set_writer import WrittenSet
from gesturehand.synthetic.writer import write_synthetic_set


def synth(
    out: str, processes: int | None = None, cluster: str = "local", overwrite: bool = False, **settings: Any
) -> None:
    """Writes the open synthetic set: images, masks and annotations of the open hand in InterHand2.6M's files.

    The defaults give the benchmark openhand-v1. Repeat the command to continue an interrupted run where it stopped.

    Args:
        out: Folder to write; it appears when the set is complete.
        processes: Number of processes; all cores if not given.
        cluster: Where to render: "local", a scheduler's address as "tcp://host:8786", or a YAML file for SLURM, PBS or
            LSF; for a file, processes is the number of its jobs. See docs/cluster.md.
        overwrite: Replace an existing synthetic set, or start again if a run with other settings was interrupted; any
            other folder is refused.
        **settings: Settings of the set.
    """
    of_set = vars(BenchmarkSettings(**settings))
    command = shlex.join(["gesturehand", *sys.argv[1:]])
    written = write_synthetic_set(
        out, processes=processes, cluster=cluster, overwrite=overwrite, command=command, **of_set
    )
    say_what_was_written(written)


def synth_photo(
    out: str, processes: int | None = None, cluster: str = "local", overwrite: bool = False, **settings: Any
) -> None:
    """Writes the photo-like open set: the open hand as phones and webcams see hands, in InterHand2.6M's files.

    The defaults give openphoto-v1 with made-up backgrounds. Repeat the command to continue an interrupted run where it
    stopped.

    Args:
        out: Folder to write; it appears when the set is complete.
        processes: Number of processes; all cores if not given.
        cluster: Where to render: "local", a scheduler's address as "tcp://host:8786", or a YAML file for SLURM, PBS or
            LSF; for a file, processes is the number of its jobs. See docs/cluster.md.
        overwrite: Replace an existing synthetic set, or start again if a run with other settings was interrupted; any
            other folder is refused.
        **settings: Settings of the set.
    """
    command = shlex.join(["gesturehand", *sys.argv[1:]])
    of_set = PhotoSettings(**settings)
    written = write_photo_set(out, of_set, processes=processes, cluster=cluster, overwrite=overwrite, command=command)
    say_what_was_written(written)


def say_what_was_written(written: WrittenSet) -> None:
    """Prints the counts of a set."""
    images = ", ".join(f"{count} {split}" for split, count in written.images.items())
    if written.resumed:
        say(f"continued after {written.resumed} frames of an interrupted run")
    say(f"{written.root}: images {images}; {written.root / 'README.md'} says what is in it")


def gallery(out: str, tile_px: int = 220) -> None:
    """Draws the contact sheet of all 35 gesture poses with their names, from the palm and from the thumb's side.

    Args:
        out: Picture to write, .png or .jpg; an existing one is replaced.
        tile_px: Height of one pose's tile.
    """
    path = _picture(out)
    if tile_px < 1:
        raise UserError(f"tile_px must be at least 1 and is {tile_px}.")
    write_bytes(path, cv2.imencode(path.suffix, draw_gallery(tile_px))[1].tobytes())
    say(f"{path}: 35 gesture poses")


def show(
    root: ExistingPath,
    out: str,
    split: str = "test",
    samples: int = 12,
    hands: Hands = "all",
    layout: Layout = "per_hand",
    boxes: BoxSource = "joints",
    mano_fits: bool = True,
    mano: ExistingPath | None = None,
    image_size: int = 192,
    augment: bool = False,
    format: str | None = None,
) -> None:
    """Draws a dataset's annotations over its crops, using the loader of the training.

    Args:
        root: The set's folder.
        out: Picture to write, .png.
        split: Split to look at.
        samples: Number of samples, evenly spread over the split.
        hands: Which annotations: single, right, left, interacting or all.
        layout: One hand per sample (left hands mirrored), or both.
        boxes: Where crops come from: joints or annotation.
        mano_fits: Draw the MANO fits' meshes too.
        mano: MANO's file or folder to which the fits belong; the open hand if not given.
        image_size: Side of a crop, px.
        augment: Augment crops as in training.
        format: The set's format, such as freihand; recognised by its files if not given (docs/datasets.md).
    """
    # PyTorch and Lightning take seconds to load, and only this command needs them.
    from gesturehand.data.datamodule import InterHandDataModule
    from gesturehand.draw.data_set import save_annotations
    from gesturehand.hand.layer import HandModel

    data = InterHandDataModule(
        root,
        image_size=image_size,
        hands=hands,
        layout=layout,
        mirror_left=layout == "per_hand",
        boxes=boxes,
        mano_fits=mano_fits,
        train_split=split,
        test_split=split,
        augment=augment,
        # Hands with only a box are drawn too.
        min_valid_joints=0,
        num_workers=0,
        format=format,
    )
    drawn = save_annotations(Path(out), data.dataset("train" if augment else "test"), HandModel(mano), samples)
    say(f"{out}: {drawn} samples of split {split}")


def stats(
    root: ExistingPath,
    out: str | None = None,
    into: str | None = None,
    runs: list[str] | None = None,
    mano: ExistingPath | None = None,
    format: str | None = None,
) -> None:
    """Counts the contents of a dataset, and measures how much a gesture tells about the hand's pose.

    Args:
        root: The set's folder; images are not read.
        out: JSON file to write.
        into: Deprecated; scripts/document_tables.py writes documents.
        runs: Folders of tested second-stage runs to list beside the mean pose and the oracle.
        mano: MANO's file or folder that the fits are of; the open hand if not given.
        format: The set's format; recognised by its files if not given.
    """
    from gesturehand.evaluation.set_statistics import model_row, set_statistics, statistics_markdown
    from gesturehand.hand.layer import HandModel
    from gesturehand.markdown import write_between_markers
    from gesturehand.text_file import write_json

    statistics = {**set_statistics(root, HandModel(mano), format), "models": [model_row(run) for run in runs or ()]}
    text = statistics_markdown(statistics)
    if out:
        write_json(Path(out), statistics)
    if into:
        say_deprecated("--into", "statistics")
        source = f"<!-- written by `gesturehand data stats --root {root} --into {into}` -->\n"
        write_between_markers(Path(into), source + text)
    say(text)


def samples(
    root: ExistingPath,
    out: str,
    split: str = "train",
    count: int = 8,
    columns: int = 4,
    height_px: int = 320,
    format: str | None = None,
    gamma: float = 1.0,
) -> None:
    """Draws whole frames of a dataset side by side, chosen at random from a split (always the same ones).

    Args:
        root: The set's folder.
        out: Picture to write, .png or .jpg; an existing one is replaced.
        split: Split to look at.
        count: Number of frames.
        columns: Frames in a row.
        height_px: Mean height of a row.
        format: The set's format; recognised by its files if not given.
        gamma: Values above 1 brighten dark pictures; 1 leaves them unchanged.
    """
    from gesturehand.draw.data_set import frame_sheet

    path = _picture(out)
    sheet = frame_sheet(root, split, count, columns, height_px, format, gamma)
    write_bytes(path, cv2.imencode(path.suffix, sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    say(f"{path}: {count} frames of split {split}")


def _picture(out: str) -> Path:
    path = Path(out)
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{out} does not end in .png or .jpg: give a picture's name that does.")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is not a folder: make it first.")
    return path


def index(
    root: ExistingPath,
    split: str | None = None,
    mano_fits: bool = True,
    rebuild: bool = False,
    format: str | None = None,
) -> None:
    """Builds the memory-mapped index that loaders read instead of the annotation files' JSON.

    Loaders build it themselves on first use; this does it beforehand, for every split, and says what is in it. It is
    stored beside the annotations or, if that folder is not writable, in $GESTUREHAND_CACHE (~/.cache/gesturehand).

    Args:
        root: The set's folder.
        split: One split; all existing ones if not given.
        mano_fits: Read MANO_NeuralAnnot.json too.
        rebuild: Build it again even if it is up to date.
        format: The set's format; recognised by its files if not given.
    """
    from gesturehand.data.index_summary import index_table

    print_table(index_table(root, split, mano_fits=mano_fits, rebuild=rebuild, set_format=format))


def check(
    root: ExistingPath,
    splits: list[str] | None = None,
    mano_fits: bool = True,
    decode: bool = True,
    threads: int = 8,
    out: str | None = None,
    show: int = 20,
    format: str | None = None,
) -> None:
    """Checks a dataset and lists everything that training would fail on; exits with 1 if it finds anything.

    Args:
        root: The set's folder.
        splits: Splits to check, as "[train, val]"; all existing ones if not given.
        mano_fits: Check the MANO fits too.
        decode: Decode every image; otherwise only its header is read, which is many times faster.
        threads: Number of images read at a time.
        out: File for the complete list, .json; an existing one is replaced.
        show: Number of problems of each kind to print.
        format: The set's format; recognised by its files if not given.
    """
    from gesturehand.data.check import check_data
    from gesturehand.text_file import write_json

    report = check_data(root, splits, mano_fits=mano_fits, decode=decode, threads=max(1, threads), set_format=format)
    if out:
        write_json(Path(out), report.as_json())
    for kind, count in report.counts().items():
        say(f"{kind}: {count}")
        of_kind = [problem for problem in report.problems if problem.kind == kind]
        for problem in of_kind[:show]:
            say(f"  {problem.split}  {problem.where}{f'  {problem.detail}' if problem.detail else ''}")
        if count > show:
            say(f"  … and {count - show} more{f', all in {out}' if out else ': --out FILE.json keeps all'}")
    size = ", ".join(f"{split} {report.images[split]:,} images" for split in report.images)
    say(f"{root}: {size}; {len(report.problems) or 'no'} problem{'' if len(report.problems) == 1 else 's'}")
    if report.problems:
        sys.exit(1)


def pack(
    root: ExistingPath,
    split: str = "train",
    out: str | None = None,
    verify: bool = False,
    format: str | None = None,
    **settings: Any,
) -> None:
    """Packs a split's images into a few large files, from which byte ranges are read; docs/packed.md.

    ROOT/packed/SPLIT/ then holds plain ZIP files, a table of the images' positions, and the index. It is
    self-contained, so that it can be copied to another machine or into a bucket and trained on there. Images are packed
    byte for byte, and the single files stay. Repeat the command to continue after an interruption, or to pack images
    that were added.

    Args:
        root: The set's folder, in any format, or its URL.
        split: Split to pack.
        out: Folder to write packed/ to; the set's own if not given.
        verify: Pack nothing, but read the shards from end to end and check their checksums; exits with 1 if anything is
            wrong.
        format: The set's format; recognised by its files if not given.
        **settings: Settings of the packing.
    """
    from gesturehand.data.check import verify_split

    if verify:
        problems = verify_split(out or root, split, set_format=format)
        for problem in problems:
            say(f"{problem.kind}: {problem.where}")
        say(f"{out or root}: split {split} {f'has {len(problems)} problems' if problems else 'is as it was packed'}")
        if problems:
            sys.exit(1)
        return
    of_packing = PackSettings(**settings)
    report = pack_split(root, split, out=out, set_format=format, **vars(of_packing))
    kept = f" ({report.kept:,} of them were there)" if report.kept else ""
    more = 100 * (report.disk_bytes / report.image_bytes - 1)
    shards = f"{report.shards} shard{'' if report.shards == 1 else 's'}"
    say(f"{report.folder}: {report.images:,} images{kept} in {shards}")
    say(f"{report.disk_bytes / 1e6:,.1f} MB, {more:.2f} % more than the images themselves")
    if report.left_out:
        say(f"{len(report.left_out)} could not be read and are left out; they are named above.")
