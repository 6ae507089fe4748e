"""Writes a photo-like set in InterHand2.6M's files."""

from functools import partial
from pathlib import Path

from gesturehand import __version__
from gesturehand.synthetic.cameras import DomeCamera
from gesturehand.synthetic.interhand_files import FrameEntries, entries_of, image_name
from gesturehand.synthetic.photo.camera_effects import jpeg_quality
from gesturehand.synthetic.photo.card import photo_card
from gesturehand.synthetic.photo.picture import draw_photo
from gesturehand.synthetic.photo.plan import PhotoSettings, make_photo_plan, photo_cameras
from gesturehand.synthetic.plan import PlannedFrame
from gesturehand.synthetic.set_writer import PlannedSet, WrittenSet, save_picture, write_set


def write_photo_set(
    out: str | Path,
    settings: PhotoSettings,
    *,
    processes: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
    command: str = "gesturehand data synth_photo",
) -> WrittenSet:
    """Writes images, masks and annotations of the open hand before photographs, in InterHand2.6M's layout.

    An interrupted run continues where it stopped when it is started again with the same arguments.

    Args:
        out: folder of the set.
        settings: of the set.
        processes: number of processes; all cores if not given.
        overwrite: replace a synthetic set that is already there, or what an interrupted run with other settings left.
        progress: show a progress bar.
        command: noted in the data card.

    Raises:
        UserError: ``out`` is not empty, or another process writes it.
    """
    plan = make_photo_plan(settings)
    planned = PlannedSet(
        frames=plan,
        settings=settings.as_json(),
        write_frame=partial(write_photo, settings=settings),
        cameras_of=partial(_cameras_of, settings.image_px),
        card=lambda entries: photo_card(plan, entries, settings, command=command, version=__version__),
    )
    return write_set(out, planned, processes=processes, overwrite=overwrite, progress=progress)


def write_photo(plan: PlannedFrame, folder: Path, settings: PhotoSettings) -> tuple[FrameEntries, float]:
    """Draws and saves a planned picture and its mask; its annotations, and the seconds that saving took."""
    photo = draw_photo(plan, settings)
    name = image_name(photo.frame, photo.frame.cameras[0])
    saving = save_picture(folder, plan.split, name, photo.image, photo.mask, jpeg_quality(photo.rng))
    entries = entries_of(photo.frame)
    entries["elements"] = photo.elements
    return entries, saving


def _cameras_of(image_px: int, capture: int) -> dict[str, DomeCamera]:
    """The same lenses for every capture."""
    del capture
    return photo_cameras(image_px)
