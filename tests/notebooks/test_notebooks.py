"""Every notebook runs from top to bottom on a tiny run."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from trainings import SHORT, experiment

from gesturehand.cli.main import main

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder_with_a_run(tmp_path_factory, synthetic_root):
    """A folder whose ``runs/`` holds a finished second stage."""
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        more = ["--trainer.log_every_n_steps=1", "--model.init_args.pretrained=none", f"--data.root={synthetic_root}"]
        assert main(["fit", experiment("demo/finetune"), *SHORT, *more]) == 0
    return folder


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_kept_as_it_ran(path):
    """Every cell has run, one after another and without an error, as `make notebooks` writes it."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs)
    assert path.stat().st_size < 2_500_000


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_runs(path, folder_with_a_run, synthetic_root, monkeypatch):
    monkeypatch.setenv("DATA", str(synthetic_root))
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder_with_a_run)}}
    )
    client.execute()
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
    assert pictures
