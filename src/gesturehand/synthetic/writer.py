"""Writes the dome's set in InterHand2.6M's files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from gesturehand import __version__
from gesturehand.synthetic.capture import cameras_of, capture_frame
from gesturehand.synthetic.data_card import data_card
from gesturehand.synthetic.interhand_files import FrameEntries, entries_of, image_name
from gesturehand.synthetic.plan import PlannedFrame, make_plan
from gesturehand.synthetic.set_writer import PlannedSet, WrittenSet, save_picture, write_set
from gesturehand.synthetic.settings import SetSettings
from gesturehand.synthetic.view import draw_view

_JPEG_QUALITY: Final = 92


def write_synthetic_set(
    out: str | Path,
    *,
    subjects: Sequence[int] = (8, 2, 4),
    frames: Sequence[int] = (5600, 350, 1120),
    views: int = 1,
    wrist_cone_deg: float = 35.0,
    gestures: Sequence[str] | None = None,
    left_share: float = 0.5,
    two_hand_share: float = 0.0,
    without_fit_share: float = 0.02,
    rom_share: float = 0.0,
    outside_share: float = 0.0,
    test_only_cameras: Sequence[str] = (),
    seed: int = 0,
    processes: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    command: str = "gesturehand data synth",
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand in InterHand2.6M's layout.

    An interrupted run continues where it stopped when it is started again with the same arguments.

    Args:
        out: folder of the set.
        subjects: this and the next eleven are those of :class:`~gesturehand.synthetic.settings.SetSettings`.
        frames: captured frames in train, val and test.
        views: cameras of each captured frame.
        wrist_cone_deg: largest turn of the wrist.
        gestures: fine classes; all 35 if not given.
        left_share: of the one-hand frames.
        two_hand_share: frames with both hands.
        without_fit_share: frames without a MANO fit.
        rom_share: range-of-motion frames.
        outside_share: one-hand frames with a hand partly outside.
        test_only_cameras: cameras of the test split alone.
        seed: not negative.
        processes: number of processes; all cores if not given.
        overwrite: replace a synthetic set that is already there, or what an interrupted run with other settings left.
        progress: show a progress bar.
        command: noted in the data card.

    Raises:
        UserError: an argument is out of range, a gesture is unknown, ``out`` is not empty, or another process writes
            it.
    """
    settings = SetSettings(
        subjects=tuple(subjects),
        frames=tuple(frames),
        views=views,
        wrist_cone_deg=wrist_cone_deg,
        gestures=None if gestures is None else tuple(gestures),
        left_share=left_share,
        two_hand_share=two_hand_share,
        rom_share=rom_share,
        without_fit_share=without_fit_share,
        outside_share=outside_share,
        test_only_cameras=tuple(test_only_cameras),
        seed=seed,
    )
    plan = make_plan(settings)
    planned = PlannedSet(
        frames=plan,
        settings=settings.as_json(),
        write_frame=partial(write_frame, settings=settings),
        cameras_of=partial(cameras_of, settings.seed),
        card=lambda entries: data_card(plan, settings, command=command, version=__version__),
    )
    return write_set(out, planned, processes=processes, overwrite=overwrite, progress=progress)


def write_frame(plan: PlannedFrame, folder: Path, settings: SetSettings) -> tuple[FrameEntries, float]:
    """Draws and saves the images and masks of one captured frame; its annotations, and the seconds that saving took."""
    frame = capture_frame(plan, settings.seed, settings.wrist_cone_deg)
    saving = 0.0
    for number, camera in enumerate(frame.cameras):
        image, mask = draw_view(frame, number, settings.seed)
        saving += save_picture(folder, plan.split, image_name(frame, camera), image, mask, _JPEG_QUALITY)
    return entries_of(frame), saving
