"""What `predict` is given: images, folders of images, videos, cameras and addresses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gesturehand.data.image_file import HEIC_EXTRA, IMAGE_FORMATS, image_suffixes
from gesturehand.data.spelling import find_file, similar_name
from gesturehand.errors import UserError
from gesturehand.inference.streams import Stream, stream_of
from gesturehand.suggestions import did_you_mean_path

VIDEO_SUFFIXES: Final = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".mts", ".3gp", ".mjpeg"
)  # fmt: skip


@dataclass(frozen=True)
class Sources:
    """What is to be predicted.

    Attributes:
        images: In order.
        videos: In order.
        left_out: A sentence for each folder of which something was left out.
        streams: Cameras and addresses, in order.
    """

    images: tuple[Path, ...]
    videos: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ()

    @property
    def every(self) -> tuple[Path | Stream, ...]:
        """All of them."""
        return (*self.images, *self.videos, *self.streams)

    def output_names(self) -> dict[Path | Stream, str]:
        """What each one's results are called: its name without the suffix, with it where two would be the same."""
        count = Counter(one.stem for one in self.every)
        return {one: one.stem if count[one.stem] == 1 else Path(one.name).name for one in self.every}


def find_sources(inputs: Sequence[str | Path]) -> Sources:
    """Images and videos that are named; of a folder its images (not those of its folders, no hidden files).

    A number is a camera and text with ``://`` an address, unless a file or folder is called so.

    Raises:
        UserError: A file is missing, a folder has no images, two files have the same name, or an address is not opened.
    """
    images: list[Path] = []
    videos: list[Path] = []
    streams: list[Stream] = []
    left_out: dict[Path, Counter[str]] = {}
    for given in inputs:
        named = Path(given)
        entry = find_file(named)
        stream = stream_of(given) if entry is None and isinstance(given, str) else None
        if stream is not None:
            streams.append(stream)
            continue
        if entry is None:
            similar = similar_name(named)
            remedy = "give an image, a folder of images, or a video."
            hint = f"is '{similar}' meant? {remedy}" if similar else did_you_mean_path(named, remedy)
            raise UserError(f"'{named}' does not exist: {hint}")
        if entry.is_dir():
            found, left_out[entry] = _inside(entry)
            if not found:
                others = f" but {_counted(left_out[entry])}" if left_out[entry] else ""
                raise UserError(
                    f"The folder '{entry}' holds no images ({', '.join(image_suffixes())}){others}: give a folder that "
                    f"does, convert other formats to {IMAGE_FORMATS}, and name videos one by one."
                )
            images += found
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            videos.append(entry)
        else:
            images.append(entry)
    images, videos, streams = list(dict.fromkeys(images)), list(dict.fromkeys(videos)), list(dict.fromkeys(streams))
    sources = Sources(tuple(images), tuple(videos), _notes(left_out), tuple(streams))
    name, times = Counter(Path(one.name).name for one in sources.every).most_common(1)[0]
    if times > 1:
        raise UserError(f"{times} inputs are named '{name}' and would share their results: predict them one by one.")
    return sources


def _notes(left_out: dict[Path, Counter[str]]) -> tuple[str, ...]:
    """A sentence for each folder of which something was left out."""
    return tuple(
        f"Left out of '{folder}': {_counted(kinds)}. Images have to be {IMAGE_FORMATS}{_after_install(kinds)}; name "
        "videos and folders one by one."
        for folder, kinds in left_out.items()
        if kinds
    )


def _after_install(kinds: Counter[str]) -> str:
    """What would make more of them images."""
    names = {".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF"}
    missing = dict.fromkeys(names[kind] for kind in kinds if kind in names)
    return f" (after {HEIC_EXTRA} also {' and '.join(missing)})" if missing else ""


def _inside(folder: Path) -> tuple[list[Path], Counter[str]]:
    """A folder's images, and how many other things of each kind it holds; hidden files are not photos."""
    images: list[Path] = []
    others: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        suffix = path.suffix.lower()
        if path.is_dir():
            others["folder"] += 1
        elif suffix in image_suffixes():
            images.append(path)
        else:
            others[suffix or "file without a suffix"] += 1
    return images, others


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(
        f"{count} {kind}{'s' if count > 1 and kind == 'folder' else ''}" for kind, count in kinds.most_common()
    )
