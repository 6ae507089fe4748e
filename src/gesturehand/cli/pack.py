"""``gesturehand data pack``: packs a split's images into shards, for folders that many machines read."""

import sys

from gesturehand.cli.console import say
from gesturehand.data.image_file import Unreadable
from gesturehand.data.pack import PACKING, pack_split
from gesturehand.settings import ExistingPath


def pack(
    root: ExistingPath,
    split: str = "train",
    out: str | None = None,
    shard_mb: float = PACKING.shard_mb,
    workers: int = PACKING.workers,
    unreadable: Unreadable = PACKING.unreadable,
    unreadable_limit: int = PACKING.unreadable_limit,
    mano_fits: bool = PACKING.mano_fits,
    overwrite: bool = PACKING.overwrite,
    verify: bool = False,
    format: str | None = None,
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
        shard_mb: Size of a shard, MB, up to 4000.
        workers: Number of images read at a time.
        unreadable: What to do if an image cannot be read: error ends the command, skip names the image and leaves it
            out.
        unreadable_limit: How many images may be left out before the command ends.
        mano_fits: Include the MANO fits in the index beside the shards.
        overwrite: Pack all images again, even those already in shards, for instance after they have changed.
        verify: Pack nothing, but read the shards from end to end and check their checksums; exits with 1 if anything is
            wrong.
        format: The set's format; recognised by its files if not given.
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
    report = pack_split(
        root,
        split,
        out=out,
        shard_mb=shard_mb,
        workers=workers,
        unreadable=unreadable,
        unreadable_limit=unreadable_limit,
        mano_fits=mano_fits,
        overwrite=overwrite,
        set_format=format,
    )
    kept = f" ({report.kept:,} of them were there)" if report.kept else ""
    more = 100 * (report.disk_bytes / report.image_bytes - 1)
    shards = f"{report.shards} shard{'' if report.shards == 1 else 's'}"
    say(f"{report.folder}: {report.images:,} images{kept} in {shards}")
    say(f"{report.disk_bytes / 1e6:,.1f} MB, {more:.2f} % more than the images themselves")
    if report.left_out:
        say(f"{len(report.left_out)} could not be read and are left out; they are named above.")
