"""Runs the notebooks on the newest demo and stores their output in them, which the site and GitHub show.

    python scripts/run_notebooks.py [notebooks/01_explore_the_data.ipynb …]

It needs the results of `make demo`: data/openhand and a finished second stage under runs/.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of notebooks/ if left out")
    for path in parser.parse_args().notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
        )
        try:
            client.execute()
        except CellExecutionError as error:
            sys.exit(f"{path}: {error}")
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times, which differ in every run
            if cell.cell_type == "code":  # progress bars
                cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
