"""Writes the dome's set in InterHand2.6M's files."""

from functools import partial
from pathlib import Path
from typing import Any, Final

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
    processes: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    command: str = "gesturehand data synth",
    **settings: Any,
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand in InterHand2.6M's layout.

    An interrupted run continues where it stopped when it is started again with the same arguments.

    Args:
        out: folder of the set.
        processes: number of processes; all cores if not given.
        overwrite: replace a synthetic set that is already there, or what an interrupted run with other settings left.
        progress: show a progress bar.
        command: noted in the data card.
        **settings: of the set, see :class:`~gesturehand.synthetic.settings.SetSettings`.

    Raises:
        UserError: an argument is out of range, a gesture is unknown, ``out`` is not empty, or another process writes
            it.
    """
    of_set = SetSettings(**settings)
    plan = make_plan(of_set)
    planned = PlannedSet(
        frames=plan,
        settings=of_set.as_json(),
        write_frame=partial(write_frame, settings=of_set),
        cameras_of=partial(cameras_of, of_set.seed),
        card=lambda entries: data_card(plan, of_set, command=command, version=__version__),
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
