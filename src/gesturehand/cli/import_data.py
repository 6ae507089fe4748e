"""``gesturehand data import``: a folder of images and their joints as a set to train on."""

from pathlib import Path

from gesturehand.cli.console import say
from gesturehand.own_data.convert import convert
from gesturehand.own_data.entries import read_entries
from gesturehand.skeleton import Side


def import_(
    images: str,
    joints: str,
    out: str,
    hand: Side | None = None,
    intrinsics: tuple[float, float, float, float] | None = None,
    val_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
) -> None:
    """Makes a folder of images with 2D (and 3D) joints into a set in InterHand2.6M's files; docs/own_data.md.

    Args:
        images: Folder of the images.
        joints: The hands in them: .json (a list, one entry a hand) or .csv (a table, one row a hand).
        out: Folder to write; it appears when the set is complete.
        hand: right or left, for a file that does not say it of each hand.
        intrinsics: Focal lengths and centre, px, as "[fx, fy, cx, cy]", for images whose entry says none. With 2D
            joints only they may be left out.
        val_share: Share of images, or of subjects where they are named, for validation.
        test_share: Likewise for the test.
        seed: Of the random split.
    """
    written = convert(
        read_entries(Path(joints), hand),
        Path(images),
        Path(out),
        intrinsics=intrinsics,
        val_share=val_share,
        test_share=test_share,
        seed=seed,
    )
    counts = ", ".join(f"{count} {split}" for split, count in written.images.items())
    hands = written.hands
    text = f"{written.root}: images {counts}; hands: {hands['2D']} with 2D joints only, {hands['3D']} with 3D joints"
    say(f"{text}, {hands['MANO']} with a MANO fit")
    say(f"Look at it: gesturehand data show --root {written.root} --split train --out check.png")
