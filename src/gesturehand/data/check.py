"""Goes through a data set and lists everything that training would stumble over."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gesturehand.data.annotation_problems import Problem, annotation_problems
from gesturehand.data.files import KINDS, annotation_path, check_root, image_path, stays_inside
from gesturehand.data.image_file import UnreadableImageError, look_at_image, read_image

#: Images that are handed to the threads at a time, so that millions do not lie in memory as futures.
_CHUNK = 4096


@dataclass
class CheckReport:
    """What was found.

    Attributes:
        root: The data set's folder.
        images: Images listed by split.
        annotations: Annotations listed by split.
        problems: All of them, in the order of the files.
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
) -> CheckReport:
    """Checks annotations and images of a data set in InterHand2.6M's files; nothing is changed.

    Args:
        root: Folder that holds ``annotations/`` and ``images/``.
        splits: Splits to check; None for those that are there.
        mano_fits: Look at the MANO fits too.
        decode: Decode every image; without, only its header is read.
        threads: Images that are read at a time.
        progress: Show a bar.

    Raises:
        UserError: The folder is not there or holds no annotations.
    """
    root = Path(root)
    check_root(root)
    report = CheckReport(str(root))
    for split in splits or sorted(path.name for path in (root / "annotations").iterdir() if path.is_dir()):
        kinds = [kind for kind in KINDS if mano_fits or kind != "MANO_NeuralAnnot"]
        tables: dict[str, Any] = {
            kind: _read(annotation_path(root, split, kind), split, report.problems) for kind in kinds
        }
        data = tables["data"] or {}
        images = [entry for entry in _list(data, "images") if isinstance(entry, dict)]
        report.images[split] = len(images)
        report.annotations[split] = len(_list(data, "annotations"))
        if data:
            report.problems += annotation_problems(split, tables)
        bar = tqdm(total=len(images), desc=f"{split} images", unit="image", disable=not progress)
        with bar, ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(images), _CHUNK):
                chunk = images[start : start + _CHUNK]
                for found in pool.map(partial(_image_problem, root, split, decode), chunk):
                    bar.update()
                    report.problems += [found] if found else []
    return report


def _image_problem(root: Path, split: str, decode: bool, image: dict[str, Any]) -> Problem | None:
    name = image.get("file_name")
    if not isinstance(name, str) or not stays_inside(name):
        return Problem("path leaves the images' folder", split, repr(name))
    size = image.get("width"), image.get("height")
    announced = size if all(isinstance(side, int) for side in size) else None
    try:
        (read_image if decode else look_at_image)(image_path(root, split, name), announced)  # type: ignore[arg-type]
    except UnreadableImageError as error:
        return Problem(error.kind, split, name, error.detail)
    return None


def _read(path: Path, split: str, problems: list[Problem]) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(Problem("annotation file missing", split, str(path)))
        return None
    except (OSError, ValueError, RecursionError) as error:
        problems.append(Problem("annotation file unreadable", split, str(path), str(error)))
        return None
    if not isinstance(content, dict):
        problems.append(Problem("annotation file unreadable", split, str(path), "no JSON object"))
        return None
    return content


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []
