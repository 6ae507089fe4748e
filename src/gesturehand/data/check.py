"""Checks a data set and lists everything that training would stumble over."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gesturehand.data.annotation_problems import Problem, annotation_problems
from gesturehand.data.files import stays_inside
from gesturehand.data.formats.interhand import InterHandFormat
from gesturehand.data.formats.registry import format_of
from gesturehand.data.formats.set_format import SetFormat
from gesturehand.data.image_file import UnreadableImageError, look_at_image, read_image
from gesturehand.data.index_problems import index_problems
from gesturehand.data.remote import local_folder
from gesturehand.data.set_images import SetImages
from gesturehand.errors import UserError
from gesturehand.splits import SPLITS

#: Images that are handed to the threads at a time, so that millions do not lie in memory as futures.
_CHUNK = 4096


@dataclass
class CheckReport:
    """What was found.

    Attributes:
        root: The data set's folder.
        images: Images listed by split.
        annotations: Annotations listed by split.
        problems: All problems, in the order of the files.
    """

    root: str
    images: dict[str, int] = field(default_factory=dict)
    annotations: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Number of problems of each kind, the most frequent first."""
        return dict(Counter(problem.kind for problem in self.problems).most_common())

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {**asdict(self), "counts": self.counts()}


def check_data(
    root: str | Path,
    splits: list[str] | None = None,
    *,
    mano_fits: bool = True,
    decode: bool = True,
    threads: int = 8,
    progress: bool = True,
    set_format: str | None = None,
) -> CheckReport:
    """Checks annotations and images of a data set; nothing is changed but the index, which may be made.

    Args:
        root: Its folder.
        splits: Splits to check; None for all that exist.
        mano_fits: Look at the MANO fits too.
        decode: Decode every image; otherwise only its header is read.
        threads: Number of images that are read at a time.
        progress: Show a bar.
        set_format: Name of the set's format; None: it is recognised.

    Raises:
        UserError: The folder does not exist or holds no annotations.
    """
    report = CheckReport(str(root))
    root = local_folder(root, splits or SPLITS)
    known = format_of(root, set_format)
    splits = splits or _splits(known, root)
    if not splits:
        raise UserError(f"'{root}' has no split's annotation files: give the folder of a set.")
    for split in splits:
        if isinstance(known, InterHandFormat):
            annotations = annotation_problems(root, split, mano_fits=mano_fits)
        else:
            annotations = index_problems(str(root), split, known.name, mano_fits=mano_fits)
        files = SetImages(root, split, known.image_folder(root, split))
        images = annotations.images
        report.images[split], report.annotations[split] = len(images), annotations.annotations
        report.problems += annotations.problems
        bar = tqdm(total=len(images), desc=f"{split} images", unit="image", disable=not progress)
        with bar, ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(images), _CHUNK):
                chunk = images[start : start + _CHUNK]
                for found in pool.map(partial(_image_problem, files, split, decode), chunk):
                    bar.update()
                    report.problems += [found] if found else []
    return report


def _splits(known: SetFormat, root: Path) -> list[str]:
    """The splits that are there; InterHand2.6M's also where only their folder is, which the check is to complain of."""
    if isinstance(known, InterHandFormat):
        return sorted(path.name for path in (root / "annotations").iterdir() if path.is_dir())
    return known.splits(root)


def _image_problem(files: SetImages, split: str, decode: bool, image: dict[str, Any]) -> Problem | None:
    name = image.get("file_name")
    if not isinstance(name, str) or not stays_inside(name):
        return Problem("path leaves the images' folder", split, repr(name))
    size = image.get("width"), image.get("height")
    announced = size if all(isinstance(side, int) for side in size) else None
    try:
        (read_image if decode else look_at_image)(files.of(name), announced)  # type: ignore[arg-type]
    except UnreadableImageError as error:
        return Problem(error.kind, split, name, error.detail)
    return None
