"""``gesturehand data import``: turns a folder of images and their joints into a training set."""

from pathlib import Path
from typing import Final, Literal

from gesturehand.cli.console import say
from gesturehand.settings import ExistingPath
from gesturehand.skeleton import Side

#: Further properties of a hand, and the words for them.
_FURTHER: Final = {
    "pseudo_labels": "with joints that are pseudo-labels",
    "box": "with a box only (data.min_valid_joints=0 trains on them too)",
    "gesture": "with a gesture class",
    "label": "with a label of their set",
}
#: The consequences of a split without images, and the remedies.
_WITHOUT: Final = {
    "train": "it can be tested on and not trained on; mark images with the split train",
    "val": "training will run without validation, and without a best checkpoint; mark images with the split val, or "
    "give at least three images (or people, where they are named) and a --val_share",
}


def import_(
    images: ExistingPath,
    joints: ExistingPath,
    out: str,
    hand: Side | None = None,
    intrinsics: tuple[float, float, float, float] | None = None,
    val_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    label_map: ExistingPath | None = None,
    folders_are_sets: bool = False,
    swap_hands: bool = False,
    box: Literal["whole"] | None = None,
) -> None:
    """Turns images with 2D (and 3D) joints, or gestures in boxes, into a set in InterHand2.6M's files;
    docs/own_data.md.

    Args:
        images: Folder of the images.
        joints: The hands in them: .json (a list, one entry per hand) or .csv (a table, one row per hand), or what a
            tool exported: COCO key points, MediaPipe's landmarks (.json, .jsonl, or a folder with one .json per image),
            a DeepLabCut or lightning-pose table.
        out: Folder to write; it appears when the set is complete.
        hand: right or left, for a file that does not give the side of each hand.
        intrinsics: Focal lengths and centre, px, as "[fx, fy, cx, cy]", for images whose entry has none. With only 2D
            joints they may be left out.
        val_share: Share of images, or of subjects if they are named, for validation.
        test_share: Likewise for the test.
        seed: Seed of the random split.
        label_map: .json that maps the labels of a set to fine gesture classes: {set: {label: class}}.
        folders_are_sets: If the file names no set, each folder of images is taken as a separate set of labels.
        swap_hands: The hands that the file calls right are left ones, as in the output of older versions of MediaPipe
            for images that are not mirrored.
        box: whole: a hand with a gesture or a label but neither joints nor a box fills its image.
    """
    # They load PyTorch, which no other command of the group needs to start.
    from gesturehand.own_data.convert import convert
    from gesturehand.own_data.entries import read_entries, with_gestures

    entries = read_entries(
        Path(joints),
        hand,
        images=Path(images),
        folders_are_sets=folders_are_sets,
        swap_hands=swap_hands,
        whole_images=box == "whole",
    )
    written = convert(
        with_gestures(entries, Path(label_map)) if label_map else entries,
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
    further = {name: hands[kind] for kind, name in _FURTHER.items() if hands[kind]}
    if further:
        say("Of them: " + ", ".join(f"{count} {name}" for name, count in further.items()))
    for split, loss in _WITHOUT.items():
        if split not in written.images:
            say(f"There is no {split} image: {loss}.")
    if written.as_jpeg:
        say(f"HEIC or AVIF: {written.as_jpeg} {'image is' if written.as_jpeg == 1 else 'images are'} JPEG in the set.")
    say(f"Look at it: gesturehand data show --root {written.root} --split train --out check.png")
