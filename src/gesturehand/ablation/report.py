"""Files of a comparison: results, tables and pictures, in its folder and among the documents."""

from pathlib import Path
from typing import Final

import cv2

from gesturehand.ablation.grid import Grid
from gesturehand.ablation.plot import save_curves, save_differences
from gesturehand.ablation.results import Results
from gesturehand.ablation.table import ablation_markdown
from gesturehand.file_writing import write_bytes, write_text
from gesturehand.json_files import write_json
from gesturehand.markdown import write_between_markers

#: The lines of docs/ablation.md between which the tables are kept.
MARKERS: Final = ("<!-- ablation:begin -->", "<!-- ablation:end -->")
DOCUMENT: Final = "ablation.md"
#: Pictures by name, with the text that stands for them.
_PICTURES: Final = {
    "differences": "Paired differences with their intervals",
    "curves": "Validation PA-MPJPE while training",
}
_JPEG_QUALITY: Final = 90


def write_results(folder: Path, results: Results) -> Path:
    """Writes ``results.json``."""
    path = folder / "results.json"
    write_json(path, results)
    return path


def write_report(folder: Path, grid: Grid, results: Results) -> list[Path]:
    """Writes ``results.json``, ``ablation.md``, ``ablation_differences.png`` and ``ablation_curves.png``."""
    paths = [write_results(folder, results), folder / DOCUMENT]
    paths += [folder / f"ablation_{name}.png" for name in _PICTURES]
    write_text(paths[1], ablation_markdown(grid, results))
    save_differences(paths[2], grid, results)
    save_curves(paths[3], grid, results)
    return paths


def write_documents(docs: Path, folder: Path, grid: Grid, results: Results) -> list[Path]:
    """Writes the tables into ``docs/ablation.md``, the pictures into ``images/`` and the JSON into ``results/``.

    Args:
        docs: Folder of the documents.
        folder: The comparison's, where :func:`write_report` has written.
        grid: The comparison.
        results: Its results.

    Raises:
        UserError: The document lacks the markers.
    """
    document = docs / DOCUMENT
    source = "<!-- written by `gesturehand ablation` and `python scripts/document_tables.py` -->\n"
    pictures = "".join(f"![{text}](images/ablation_{name}.jpg)\n\n" for name, text in _PICTURES.items())
    write_between_markers(document, source + pictures + ablation_markdown(grid, results), MARKERS)
    paths = [document, docs / "results" / f"ablation_{grid.size.name}.json"]
    write_json(paths[1], results)
    for name in _PICTURES:
        paths.append(docs / "images" / f"ablation_{name}.jpg")
        picture = cv2.imread(str(folder / f"ablation_{name}.png"))
        assert picture is not None, "write_report comes first"
        write_bytes(paths[-1], cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes())
    return paths
