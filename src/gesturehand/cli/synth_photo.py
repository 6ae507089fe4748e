"""``gesturehand data synth_photo``: the photo-like open set."""

import shlex
import sys

from gesturehand.cli.console import say
from gesturehand.settings import ExistingPath
from gesturehand.synthetic.photo.plan import OPENPHOTO_V1, PhotoSettings
from gesturehand.synthetic.photo.writer import write_photo_set
from gesturehand.synthetic.set_writer import WrittenSet


def synth_photo(
    out: str,
    subjects: tuple[int, int, int] = OPENPHOTO_V1.subjects,
    frames: tuple[int, int, int] = OPENPHOTO_V1.frames,
    backgrounds: ExistingPath | None = None,
    backgrounds_licence: str | None = None,
    image_px: int = OPENPHOTO_V1.image_px,
    gestures: list[str] | None = None,
    left_share: float = OPENPHOTO_V1.left_share,
    two_hand_share: float = OPENPHOTO_V1.two_hand_share,
    clasped_share: float = OPENPHOTO_V1.clasped_share,
    rom_share: float = OPENPHOTO_V1.rom_share,
    outside_share: float = OPENPHOTO_V1.outside_share,
    upright_share: float = OPENPHOTO_V1.upright_share,
    solid_share: float = OPENPHOTO_V1.solid_share,
    occluder_share: float = OPENPHOTO_V1.occluder_share,
    seed: int = OPENPHOTO_V1.seed,
    processes: int | None = None,
    cluster: str = "local",
    overwrite: bool = False,
) -> None:
    """Writes the photo-like open set: the open hand as phones and webcams see hands, in InterHand2.6M's files.

    The defaults give openphoto-v1 with made-up backgrounds. Repeat the command to continue an interrupted run where it
    stopped.

    Args:
        out: Folder to write; it appears when the set is complete.
        subjects: Numbers of people in train, val and test, as "[600, 60, 120]"; no person is in two splits.
        frames: Pictures in train, val and test; a split with 0 is left out.
        backgrounds: Folder of photographs, without hands if possible, pieces of which are put behind the hands; made-up
            ones if not given. With ten or more, every split has its own.
        backgrounds_licence: Terms of those photographs, which go into the set's data card.
        image_px: Side of the pictures.
        gestures: Fine classes to show with a label, as "[fist, a_okay]"; all 35 if not given.
        left_share: Share of pictures whose main hand is a left one.
        two_hand_share: Share of pictures with a second hand (hand type "interacting", no gesture label).
        clasped_share: Share of the pictures with a second hand in which the palms lie together or the fingers are
            interlaced.
        rom_share: Share of one-hand pictures with any other pose (no gesture label).
        outside_share: Share of one-hand pictures in which the hand is partly outside.
        upright_share: Share of pictures in which the hand points up, more or less; in the others it points anywhere.
        solid_share: Share of pictures with a box, ball or cylinder, in the hand or near it.
        occluder_share: Share of pictures with something flat in front of the hand.
        seed: The same seed gives the same set, whatever the number of processes.
        processes: Number of processes; all cores if not given.
        cluster: Where to render: "local", a scheduler's address as "tcp://host:8786", or a YAML file for SLURM, PBS or
            LSF; for a file, processes is the number of its jobs. See docs/cluster.md.
        overwrite: Replace an existing synthetic set, or start again if a run with other settings was interrupted; any
            other folder is refused.
    """
    settings = PhotoSettings(
        subjects=subjects,
        frames=frames,
        image_px=image_px,
        gestures=None if gestures is None else tuple(gestures),
        left_share=left_share,
        two_hand_share=two_hand_share,
        clasped_share=clasped_share,
        rom_share=rom_share,
        outside_share=outside_share,
        upright_share=upright_share,
        solid_share=solid_share,
        occluder_share=occluder_share,
        backgrounds=backgrounds,
        backgrounds_licence=backgrounds_licence,
        seed=seed,
    )
    command = shlex.join(["gesturehand", *sys.argv[1:]])
    written = write_photo_set(out, settings, processes=processes, cluster=cluster, overwrite=overwrite, command=command)
    say_what_was_written(written)


def say_what_was_written(written: WrittenSet) -> None:
    """Prints the counts of a set."""
    images = ", ".join(f"{count} {split}" for split, count in written.images.items())
    if written.resumed:
        say(f"continued after {written.resumed} frames of an interrupted run")
    say(f"{written.root}: images {images}; {written.root / 'README.md'} says what is in it")
